"""country, continent, region: whether the client is there; countryCode, continentCode, regionCode:
where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lzc.lua.definition.form import Form
from lzc.lua.definition.function import Condition, Function, Parameter
from lzc.lua.definition.geo_codes import CONTINENTS, COUNTRIES
from lzc.lua.definition.parameters import LookAtText, value_or_list
from lzc.lua.definition.record import Examination, quoted
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, text, texts
from lzc.lua.syntax.tree import Expression


def _look_at_country(record: Examination, _function: str, node: Expression, text: bytes) -> None:
    code = text.decode("latin-1").upper()
    if code not in COUNTRIES:
        fix = {"UK": "the United Kingdom is 'GB'"}.get(code, "")
        if code in CONTINENTS or code == "EU":
            fix = f"continent('{code}') asks for the continent"
        record.report(node, "lua-geo-code", f"{quoted(text)} is no country code", fix=fix)


def _look_at_continent(record: Examination, _function: str, node: Expression, text: bytes) -> None:
    if text.decode("latin-1").upper() not in (*CONTINENTS, "--"):
        record.report(node, "lua-geo-code", f"{quoted(text)} is no continent code")


def _codes(what: str, look: LookAtText | None = None) -> Parameter:
    return value_or_list(f"a {what} code, or a list of them", look)


def _is(field: str) -> Callable[[Form, Expression], Condition]:
    def condition(_form: Form, argument: Expression) -> Condition:
        codes = texts(argument) if isinstance(argument, syntax.Table) else [text(argument)]
        if any(not code.isascii() or code.lower() == b"unknown" for code in codes):
            raise Other
        return [field, [code.lower().decode() for code in codes]]

    return condition


_KINDS: Final = (
    ("country", _codes("country", _look_at_country)),
    ("continent", _codes("continent", _look_at_continent)),
    ("region", _codes("region")),
)
FUNCTIONS = (
    *(Function(field, (codes,), condition=_is(field)) for field, codes in _KINDS),
    *(Function(f"{field}Code", of_database=True, code=field) for field, _ in _KINDS),
)

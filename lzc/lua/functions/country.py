"""country, continent, region: whether the client is there; countryCode, continentCode, regionCode:
where it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lzc.lua.definition.function import Condition, Form, Function, Parameter
from lzc.lua.definition.parameters import LookAtText, value_or_list
from lzc.lua.definition.record import Examination, quoted
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, text, texts
from lzc.lua.syntax.tree import Expression

_CONTINENTS: Final = frozenset(("AF", "AN", "AS", "EU", "NA", "OC", "SA"))

_CODES: Final = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ
BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM
DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS
GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN
KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ
MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM
PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV
SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI
VN VU WF WS YE YT ZA ZM ZW XK A1 A2 AP O1 --
"""
_COUNTRIES: Final = frozenset(_CODES.split())
"""ISO 3166-1; XK (Kosovo), the codes that older databases have for what is no country, and ``--``,
which countryCode gives where nothing is known."""


def _look_at_country(record: Examination, _function: str, node: Expression, text: bytes) -> None:
    code = text.decode("latin-1").upper()
    if code not in _COUNTRIES:
        fix = {"UK": "the United Kingdom is 'GB'"}.get(code, "")
        if code in _CONTINENTS:
            fix = f"continent('{code}') asks for the continent"
        record.report(node, "lua-geo-code", f"{quoted(text)} is no country code", fix=fix)


def _look_at_continent(record: Examination, _function: str, node: Expression, text: bytes) -> None:
    if text.decode("latin-1").upper() not in _CONTINENTS | {"--"}:
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
    *(Function(field, (codes,), of_client=True, condition=_is(field)) for field, codes in _KINDS),
    *(
        Function(f"{field}Code", of_database=True, of_client=True, code=field)
        for field, _ in _KINDS
    ),
)

"""geoiplookup: what geo databases know of an address."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final

from lzc.lua.definition.function import Form, Function, Parameter, Part, is_method
from lzc.lua.definition.parameters import ADDRESS, refuse
from lzc.lua.definition.record import Examination, number_of, quoted
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, integer
from lzc.lua.syntax.tree import Expression
from lzc.powerdns_versions import Version

_ATTRIBUTES: Final = b"ASn City Continent Country Country2 Name Region Location".split()
"""In the order of their numbers, by which they go where there are no names for them."""
TABLE: Final = "GeoIPQueryAttribute"
NAMES_SINCE: Final[Version] = (5, 0)
"""Since when there are."""


_TAKES: Final = "an attribute such as GeoIPQueryAttribute.City"


def _look_at_attribute(record: Examination, function: str, argument: Expression) -> None:
    text = record.literals.text(argument)
    if record.literals.kind(argument) is not None and (text is None or number_of(text) is None):
        refuse(record, function, _TAKES, argument)
        return
    node = record.literals.behind(argument)
    if not isinstance(node, syntax.Index):
        return
    name = record.literals.text(node.key)
    if name is None or name in _ATTRIBUTES or record.function_name(node.table) != TABLE:
        return
    known = [one.decode() for one in _ATTRIBUTES]
    near = get_close_matches(name.decode("latin-1"), known, n=1)
    record.report(
        node.key,
        "lua-argument",
        f"{TABLE} has no {quoted(name)}",
        fix=f"did you mean {near[0]}?" if near else f"take one of {', '.join(known)}",
    )


ATTRIBUTE: Final = Parameter(_TAKES, _look_at_attribute)


def _part(form: Form, address: Expression, attribute: Expression) -> Part:
    if not is_method(address, b"bestwho", b"toString"):
        raise Other
    return ["geo", _name(form, attribute)]


def _name(form: Form, node: Expression) -> str:
    if isinstance(node, syntax.Number):
        return _ATTRIBUTES[integer(node, len(_ATTRIBUTES) - 1)].decode()
    if not isinstance(node, syntax.Index) or not isinstance(node.key, syntax.String):
        raise Other
    if not isinstance(node.table, syntax.Name) or node.table.name != TABLE.encode():
        raise Other
    if node.key.value not in _ATTRIBUTES or form.version < NAMES_SINCE:
        raise Other
    return node.key.value.decode()


FUNCTIONS = (Function("geoiplookup", (ADDRESS, ATTRIBUTE), of_database=True, part=_part),)

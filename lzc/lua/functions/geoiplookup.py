"""geoiplookup: what geo databases know of an address."""

from __future__ import annotations

from typing import Final

from lzc.lua.definition.function import Form, Function, Part, is_method
from lzc.lua.definition.parameters import ADDRESS, ANY
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, integer
from lzc.lua.syntax.tree import Expression
from lzc.powerdns_versions import Version

_ATTRIBUTES: Final = b"ASn City Continent Country Country2 Name Region Location".split()
"""In the order of their numbers, by which they go where there are no names for them."""
NAMES_SINCE: Final[Version] = (5, 0)
"""Since when there are."""


def _part(form: Form, address: Expression, attribute: Expression) -> Part:
    if not is_method(address, b"bestwho", b"toString"):
        raise Other
    return ["geo", _name(form, attribute)]


def _name(form: Form, node: Expression) -> str:
    if isinstance(node, syntax.Number):
        return _ATTRIBUTES[integer(node, len(_ATTRIBUTES) - 1)].decode()
    if not isinstance(node, syntax.Index) or not isinstance(node.key, syntax.String):
        raise Other
    if not isinstance(node.table, syntax.Name) or node.table.name != b"GeoIPQueryAttribute":
        raise Other
    if node.key.value not in _ATTRIBUTES or form.version < NAMES_SINCE:
        raise Other
    return node.key.value.decode()


FUNCTIONS = (Function("geoiplookup", (ADDRESS, ANY), of_database=True, part=_part),)

"""Texts that a record puts together from constants, who asks and what for."""

from __future__ import annotations

from typing import Any, Final

from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Other, integer, piece
from lzc.wire.name import MAX_NAME

MAX_TEXT: Final = 4096
"""Octets of a text that is put together: longer ones take milliseconds to be read, and are left to
Lua, where a record is charged for its time."""

Part = list[Any]
"""A part of a text, as `lzc.lua.plan` has it."""

CODES: Final = {
    b"countryCode": "country",
    b"continentCode": "continent",
    b"regionCode": "region",
}
_CALLS: Final = {**CODES, b"latlon": "latlon", b"latlonloc": "latlonloc"}
_ATTRIBUTES: Final = b"ASn City Continent Country Country2 Name Region Location".split()
"""In the order of their numbers, by which they go where there are no names for them."""


def code_of(node: ast.Node) -> str | None:
    """What of a place a call of countryCode and its like gives."""
    if isinstance(node, ast.Parenthesis):
        return code_of(node.inner)
    if isinstance(node, ast.Call) and not node.arguments and isinstance(node.function, ast.Name):
        return CODES.get(node.function.name)
    return None


def parts(node: ast.Node) -> list[Part]:
    """The parts of a text, constants that follow each other being one. Raises `Other`."""
    found: list[Part] = []
    for part in _parts(node):
        if found and part[0] == "is" == found[-1][0]:
            found[-1][1] += part[1]
        else:
            found.append(part)
    # Of a constant alone there is one answer; others are put together for each query.
    if len(found) > 1 and sum(map(_longest, found)) > MAX_TEXT:
        raise Other
    return found


def _longest(part: Part) -> int:
    """Octets that a part takes at most, but for names in databases."""
    return len(part[1]) if part[0] == "is" else MAX_NAME


def _parts(node: ast.Node) -> list[Part]:
    if isinstance(node, ast.Parenthesis):
        return _parts(node.inner)
    if isinstance(node, ast.Binary) and node.operator == b"..":
        return _parts(node.left) + _parts(node.right)
    if isinstance(node, ast.String | ast.Number):
        return [["is", piece(node).decode("latin-1")]]
    if isinstance(node, ast.Call) and isinstance(node.function, ast.Name):
        return [_called(node.function.name, node.arguments)]
    if _is_method(node, b"qname", b"toString"):
        return [["name"]]
    if _is_method(node, b"bestwho", b"toString"):
        return [["client"]]
    if isinstance(node, ast.Index) and _is_method(node.table, b"qname", b"getRawLabels"):
        place = integer(node.key, 127)
        if place:
            return [["label", place]]
    raise Other


def _called(name: bytes, arguments: tuple[ast.Expression, ...]) -> Part:
    kind = _CALLS.get(name)
    if kind is not None and not arguments:
        return [kind]
    if name == b"geoiplookup" and len(arguments) == 2:
        address, attribute = arguments
        if _is_method(address, b"bestwho", b"toString"):
            return ["geo", _attribute(attribute)]
    raise Other


def _attribute(node: ast.Node) -> str:
    if isinstance(node, ast.Number):
        return _ATTRIBUTES[integer(node, len(_ATTRIBUTES) - 1)].decode()
    if not isinstance(node, ast.Index) or not isinstance(node.key, ast.String):
        raise Other
    if not isinstance(node.table, ast.Name) or node.table.name != b"GeoIPQueryAttribute":
        raise Other
    if node.key.value not in _ATTRIBUTES:
        raise Other
    return node.key.value.decode()


def _is_method(node: ast.Node, target: bytes, method: bytes) -> bool:
    return (
        isinstance(node, ast.MethodCall)
        and isinstance(node.target, ast.Name)
        and node.target.name == target
        and node.method.name == method
        and not node.arguments
    )

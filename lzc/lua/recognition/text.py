"""Texts that a record puts together from constants, who asks and what for."""

from __future__ import annotations

from typing import Final

from lzc.lua.definition.function import Form, Part, is_method
from lzc.lua.functions import FUNCTIONS
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Other, integer
from lzc.wire.name import MAX_NAME

MAX_TEXT: Final = 4096
"""Octets of a text that is put together: longer ones take milliseconds to be read, and are left to
Lua, where a record is charged for its time."""


def code_of(node: ast.Node) -> str | None:
    """What of a place a call of countryCode and its like gives."""
    if isinstance(node, ast.Parenthesis):
        return code_of(node.inner)
    function, _ = FUNCTIONS.called(node)
    return function.code or None if function is not None else None


def parts(form: Form, node: ast.Node) -> list[Part]:
    """The parts of a text, constants that follow each other being one. Raises `Other`."""
    found: list[Part] = []
    for part in _parts(form, node):
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


def _parts(form: Form, node: ast.Node) -> list[Part]:
    if isinstance(node, ast.Parenthesis):
        return _parts(form, node.inner)
    if isinstance(node, ast.Binary) and node.operator == b"..":
        return _parts(form, node.left) + _parts(form, node.right)
    if isinstance(node, ast.String):
        return [["is", node.value.decode("latin-1")]]
    if isinstance(node, ast.Number):
        return [["is", str(integer(node, 10**10))]]
    function, arguments = FUNCTIONS.called(node)
    if function is not None and function.code:
        return [[function.code]]
    if function is not None and function.part is not None:
        return [function.part(form, *arguments)]
    if is_method(node, b"qname", b"toString"):
        return [["name"]]
    if is_method(node, b"bestwho", b"toString"):
        return [["client"]]
    if isinstance(node, ast.Index) and is_method(node.table, b"qname", b"getRawLabels"):
        place = integer(node.key, 127)
        if place:
            return [["label", place]]
    raise Other

"""Constants in LUA code: literals, lists of them, and names that stand for such.

Everything here raises `Other` for what is not known for certain to be the constant that is wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from lzc.lua import address
from lzc.lua.syntax import tree as ast

MAX_ITEMS: Final = 2000
"""Items of a list at most: LuaJIT makes tables of up to 2047 without another thought."""

Names = Mapping[bytes, ast.Expression]
"""What names stand for where an expression is."""

_INTEGER: Final = re.compile(rb"[0-9]{1,10}")
_HOST: Final = re.compile(rb"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F]*:[0-9a-fA-F:]*")
_MASK_BITS: Final = re.compile(rb"[0-9]{1,3}")


class Other(Exception):
    """The code is something else."""


def text(node: ast.Node) -> bytes:
    """A string that is a constant, be it in pieces."""
    if isinstance(node, ast.String):
        return node.value
    if isinstance(node, ast.Parenthesis):
        return text(node.inner)
    if isinstance(node, ast.Binary) and node.operator == b"..":
        return piece(node.left) + piece(node.right)
    raise Other


def piece(node: ast.Node) -> bytes:
    """An operand of ``..``: a string, or a whole number as Lua prints it."""
    if isinstance(node, ast.Number):
        return b"%d" % integer(node, 10**10)
    return text(node)


def integer(node: ast.Node, most: int) -> int:
    """A whole number from 0 to ``most``, in decimal digits."""
    if isinstance(node, ast.Parenthesis):
        return integer(node.inner, most)
    if not isinstance(node, ast.Number):
        raise Other
    return whole(node.text, most)


def whole(digits: bytes, most: int) -> int:
    """Likewise of the digits alone."""
    if not _INTEGER.fullmatch(digits) or int(digits) > most:
        raise Other
    return int(digits)


def values(node: ast.Node) -> list[ast.Expression]:
    """What a table without keys holds."""
    if not isinstance(node, ast.Table) or len(node.fields) > MAX_ITEMS:
        raise Other
    if any(field.key is not None for field in node.fields):
        raise Other
    return [field.value for field in node.fields]


def texts(node: ast.Node) -> list[bytes]:
    """A list of strings, not empty."""
    found = [text(value) for value in values(node)]
    if not found:
        raise Other
    return found


def pair(node: ast.Node) -> list[ast.Expression]:
    """The two values of a list of two."""
    found = values(node)
    if len(found) != 2:
        raise Other
    return found


def fields(node: ast.Node) -> dict[bytes, ast.Expression]:
    """What a table with names for keys holds, each once."""
    if not isinstance(node, ast.Table) or len(node.fields) > MAX_ITEMS:
        raise Other
    found: dict[bytes, ast.Expression] = {}
    for field in node.fields:
        if not isinstance(field.key, ast.String) or field.key.value in found:
            raise Other
        found[field.key.value] = field.value
    return found


def address_of(written: bytes) -> tuple[bytes, bytes]:
    """Packed octets and canonical text of an address."""
    parsed = address.parse(written)
    if parsed is None:
        raise Other
    return parsed[0], parsed[1]


def port_of(written: bytes) -> int:
    """The port written with an address; 0 for none."""
    parsed = address.parse(written)
    return parsed[2] if parsed is not None else 0


def network_of(written: bytes) -> tuple[str, int]:
    """Network in hex and length in bits, of a text that leaves no doubt."""
    host, slash, digits = written.partition(b"/")
    if not _HOST.fullmatch(host):
        raise Other
    packed, canonical = address_of(host)
    if len(packed) == 4 and canonical != host:
        raise Other
    width = len(packed) * 8
    bits = width
    if slash:
        if not _MASK_BITS.fullmatch(digits) or int(digits) > width:
            raise Other
        bits = int(digits)
    shift = width - bits
    network = int.from_bytes(packed, "big") >> shift << shift
    return network.to_bytes(len(packed), "big").hex(), bits


def is_constant(node: ast.Node) -> bool:
    """True for a constant, or a table of constants however deep: to evaluate it has no effect and
    cannot fail."""
    if isinstance(node, ast.String | ast.Number | ast.Boolean):
        return True
    if isinstance(node, ast.Parenthesis):
        return is_constant(node.inner)
    if isinstance(node, ast.Table):
        return all(
            (field.key is None or isinstance(field.key, ast.String | ast.Number))
            and is_constant(field.value)
            for field in node.fields
        )
    try:
        text(node)
    except Other:
        return False
    return True


def resolve(node: ast.Expression, names: Names) -> ast.Expression:
    """The expression with what ``names`` stand for in their places."""
    return _resolve(node, names) if names else node


def _resolve(node: Any, names: Names) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.name, node)
    if isinstance(node, ast.String | ast.Number):
        return node
    if isinstance(node, ast.Table):
        return replace(node, fields=tuple(_resolve(field, names) for field in node.fields))
    if isinstance(node, ast.Field):
        key = None if node.key is None else _resolve(node.key, names)
        return replace(node, key=key, value=_resolve(node.value, names))
    if isinstance(node, ast.Binary):
        return replace(node, left=_resolve(node.left, names), right=_resolve(node.right, names))
    if isinstance(node, ast.Unary):
        return replace(node, operand=_resolve(node.operand, names))
    if isinstance(node, ast.Parenthesis):
        return replace(node, inner=_resolve(node.inner, names))
    if isinstance(node, ast.Call):
        arguments = tuple(_resolve(argument, names) for argument in node.arguments)
        return replace(node, function=_resolve(node.function, names), arguments=arguments)
    if isinstance(node, ast.MethodCall):
        arguments = tuple(_resolve(argument, names) for argument in node.arguments)
        return replace(node, target=_resolve(node.target, names), arguments=arguments)
    if isinstance(node, ast.Index):
        table, key = _resolve(node.table, names), _resolve(node.key, names)
        if isinstance(table, ast.Name | ast.MethodCall):
            return replace(node, table=table, key=key)
        return _item(table, key)
    if isinstance(node, ast.Boolean | ast.Nil):
        return node
    raise Other


def _item(table: ast.Expression, key: ast.Expression) -> ast.Expression:
    """What a table of constants has under a key."""
    if isinstance(table, ast.Parenthesis):
        return _item(table.inner, key)
    if not isinstance(table, ast.Table):
        raise Other
    if isinstance(key, ast.Number):
        if any(isinstance(field.key, ast.Number) for field in table.fields):
            raise Other
        listed = [field.value for field in table.fields if field.key is None]
        place = integer(key, len(listed))
        if not place:
            raise Other
        return listed[place - 1]
    wanted = text(key)
    named = [
        field.value
        for field in table.fields
        if isinstance(field.key, ast.String) and field.key.value == wanted
    ]
    if len(named) != 1:
        raise Other
    return named[0]

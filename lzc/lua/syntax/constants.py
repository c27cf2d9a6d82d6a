"""Constants in LUA code: literals, lists of them, and names that stand for such.

What reads them raises `Other` for what is not known for certain to be the constant that is wanted.

How much is looked at for one record has an end (`Effort`). Code is short, but names that stand for
lists of names make any amount of it: with each line of ``local b = {a, a}``, twice as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from lzc.lua import address
from lzc.lua.syntax import tree as ast

MAX_ITEMS: Final = 2000
"""Items of a list at most: LuaJIT makes tables of up to 2047 without another thought."""

Behind = Callable[[ast.Expression], ast.Expression]
"""Gives what an expression stands for: itself, or what a name in its place is given."""

Names = Mapping[bytes, ast.Expression]
"""What names stand for where an expression is."""

_INTEGER: Final = re.compile(rb"[0-9]{1,10}")
_HOST: Final = re.compile(rb"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F]*:[0-9a-fA-F:]*")
_MASK_BITS: Final = re.compile(rb"[0-9]{1,3}")
_MARKED: Final = re.compile(rb"([~!#&@_;,<>/|{}])\(%d%d%d\)")

ALWAYS: Final = 20_000
"""Steps for the shortest code."""
PER_OCTET: Final = 4
"""Steps more for each octet of code; there is about one node of its tree to four octets."""
_OCTETS: Final = 64
"""Octets of a text that count as one step."""


class Other(Exception):
    """The code is something else."""


class TooMuch(Exception):
    """The code says more than is looked at."""


class Effort:
    """What is left for a record of so many ``octets`` of code, in steps: nodes of its tree, with
    what names stand for in their places, each as often as it is looked at (``factor`` times).
    Not a matter of time: the same code has the same end on every machine."""

    __slots__ = ("_left",)

    def __init__(self, octets: int, factor: int = 1) -> None:
        self._left = ALWAYS + factor * PER_OCTET * octets

    def take(self, steps: int = 1) -> None:
        """Raises `TooMuch` where there are not so many left."""
        self._left -= steps
        if self._left < 0:
            raise TooMuch

    def take_tree(self, node: ast.Node) -> None:
        """Take a step for each node of a tree. Raises `TooMuch` before a large one ends."""
        for inner in ast.walk(node):
            self.take(1 + len(inner.value) // _OCTETS if isinstance(inner, ast.String) else 1)


def bare(node: ast.Expression) -> ast.Expression:
    """The expression without parentheses around it."""
    while isinstance(node, ast.Parenthesis):
        node = node.inner
    return node


def text(node: ast.Expression, behind: Behind = bare, most: int | None = None) -> bytes:
    """A string that is a constant, be it in pieces, or made as `lzc.lua.transfer.literals` writes
    what is no literal. ``behind`` gives what an expression stands for; strings of more than
    ``most`` octets are not put together."""
    if type(node) is ast.String:
        return node.value
    if isinstance(node, ast.MethodCall):
        # `gsub` has a second result.
        raise Other
    pieces: list[bytes] = []
    size = 0
    waiting: list[ast.Expression] = [node]
    # A loop, as there may be more operands than Python's stack is deep.
    while waiting:
        found = behind(waiting.pop())
        if isinstance(found, ast.Binary) and found.operator == b"..":
            waiting += (found.right, found.left)
            continue
        if isinstance(found, ast.Number) and (pieces or waiting):
            # As an operand of `..`.
            pieces.append(b"%d" % integer(found, 10**10))
        else:
            pieces.append(_made(found, behind))
        size += len(pieces[-1])
        if most is not None and size > most and (len(pieces) > 1 or waiting):
            raise Other
    return b"".join(pieces)


def _made(node: ast.Expression, behind: Behind) -> bytes:
    """A literal, or what the calls in ``('').char(…)`` and ``('…'):gsub('~(%d%d%d)',('').char)``
    make."""
    if isinstance(node, ast.String):
        return node.value
    if isinstance(node, ast.Call) and _is_char(node.function):
        return bytes(integer(argument, 255) for argument in node.arguments)
    if not isinstance(node, ast.MethodCall) or node.method.name != b"gsub":
        raise Other
    if len(node.arguments) != 2 or not _is_char(node.arguments[1]):
        raise Other
    pattern = _MARKED.fullmatch(text(node.arguments[0]))
    if pattern is None:
        raise Other
    parts = re.split(re.escape(pattern[1]) + rb"([0-9]{3})", text(node.target, behind))
    parts[1::2] = [bytes((whole(digits, 255),)) for digits in parts[1::2]]
    return b"".join(parts)


def _is_char(node: ast.Expression) -> bool:
    """``('').char``"""
    if not isinstance(node, ast.Index) or not isinstance(bare(node.table), ast.String):
        return False
    return isinstance(node.key, ast.String) and node.key.value == b"char"


def integer(node: ast.Expression, most: int) -> int:
    """A whole number from 0 to ``most``, in decimal digits."""
    found = bare(node)
    if not isinstance(found, ast.Number):
        raise Other
    return whole(found.text, most)


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
        key = None if field.key is None else text(field.key)
        if key is None or key in found:
            raise Other
        found[key] = field.value
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


def is_constant(node: ast.Expression) -> bool:
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


_PARTS: Final[Mapping[type[ast.Node], tuple[str, ...]]] = {
    ast.Table: ("fields",),
    ast.Field: ("key", "value"),
    ast.Binary: ("left", "right"),
    ast.Unary: ("operand",),
    ast.Parenthesis: ("inner",),
    ast.Call: ("function", "arguments"),
    ast.MethodCall: ("target", "arguments"),
    ast.Index: ("table", "key"),
}
"""What may have names in it of expressions that are put together of others."""


def _resolve(node: Any, names: Names) -> Any:
    if isinstance(node, ast.Name):
        return names.get(node.name, node)
    if node is None or isinstance(node, ast.String | ast.Number | ast.Boolean | ast.Nil):
        return node
    if type(node) not in _PARTS:
        raise Other
    found: dict[str, Any] = {}
    # A loop, as Python's stack is not deep.
    for part in _PARTS[type(node)]:
        given = getattr(node, part)
        if isinstance(given, tuple):
            found[part] = tuple(_resolve(one, names) for one in given)
        else:
            found[part] = _resolve(given, names)
    if isinstance(node, ast.Index) and not isinstance(found["table"], ast.Name | ast.MethodCall):
        return _item(found["table"], found["key"])
    return replace(node, **found)


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

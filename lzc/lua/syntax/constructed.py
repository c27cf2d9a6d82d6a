"""The inverse of `lzc.lua.transfer.literals.constructed`: expressions that make a string of
literals and of octets by number are that string again."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any, Final, TypeVar

from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Other, integer, text

_PATTERN: Final = re.compile(rb"(.)\(%d%d%d\)", re.DOTALL)

Tree = TypeVar("Tree", bound=ast.Node)


def restored(node: Tree) -> Tree:
    """The tree with literals in the places of such expressions. Raises `RecursionError` for one
    that is too deep."""
    changes: dict[str, Any] = {}
    for field in fields(node):
        value = getattr(node, field.name)
        changed = _restored(value)
        if changed is not value:
            changes[field.name] = changed
    return replace(node, **changes) if changes else node


def _restored(value: Any) -> Any:
    if isinstance(value, tuple):
        found = tuple(_restored(one) for one in value)
        return value if all(a is b for a, b in zip(found, value, strict=True)) else found
    if not isinstance(value, ast.Node):
        return value
    inner = restored(value)
    try:
        made = _octets(inner)
    except Other:
        return inner
    return inner if made is None else ast.String(inner.offset, inner.end, made)


def _octets(node: ast.Node) -> bytes | None:
    """The string that a call makes, if it is one of those two."""
    if isinstance(node, ast.Call) and _is_char(node.function):
        return bytes(integer(one, 255) for one in node.arguments)
    if not isinstance(node, ast.MethodCall) or node.method.name != b"gsub":
        return None
    if len(node.arguments) != 2 or not _is_char(node.arguments[1]):
        return None
    pattern = _PATTERN.fullmatch(text(node.arguments[0]))
    if pattern is None:
        return None
    marked = re.compile(re.escape(pattern[1]) + rb"([0-9]{3})")
    return marked.sub(lambda found: bytes((int(found[1]) & 255,)), text(node.target))


def _is_char(node: ast.Node) -> bool:
    """``('').char``"""
    if not isinstance(node, ast.Index) or not isinstance(node.table, ast.Parenthesis):
        return False
    return isinstance(node.key, ast.String) and node.key.value == b"char"

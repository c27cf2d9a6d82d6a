"""The functions that make addresses of names and names of addresses, called on constants."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Any, Final

from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Other, address_of, fields, network_of, port_of, text, texts

Operation = list[Any]

_FORWARD: Final = {
    b"createForward": ("forward", str(IPv4Address(0))),
    b"createForward6": ("forward6", str(IPv6Address(0))),
}
_PLAIN_FORMAT: Final = re.compile(rb"(?:[^%]|%%|%[1-9][0-9]{0,3}%)*", re.DOTALL)


def forward() -> Operation:
    """``createForward()``"""
    return ["forward", None, None]


def forward6() -> Operation:
    """``createForward6()``"""
    return ["forward6", None, None]


def filtered(
    address: ast.Expression, group: ast.Expression, fallback: ast.Expression | None = None
) -> Operation:
    """``filterForward`` of one of the above, with a group of networks that says no to none."""
    make, _ = _call(address, 0)
    maker, (networks,) = _call(group, 1)
    if make not in _FORWARD or maker != b"newNMG":
        raise Other
    name, nowhere = _FORWARD[make]
    found = [network_of(written) for written in texts(networks)]
    return [name, found, nowhere if fallback is None else text(fallback).decode("latin-1")]


def reverse(
    name: str, pattern: ast.Expression, exceptions: ast.Expression | None = None
) -> Operation:
    """``createReverse`` or ``createReverse6``, of which ``name`` is the operation."""
    form = text(pattern)
    if not _PLAIN_FORMAT.fullmatch(form):
        raise Other
    names: dict[str, str] = {}
    for written, other in fields(exceptions).items() if exceptions is not None else ():
        packed, _ = address_of(written)
        if packed.hex() in names or port_of(written):
            raise Other
        names[packed.hex()] = text(other).decode("latin-1")
    return [name, form.decode("latin-1"), names]


def _call(node: ast.Expression, count: int) -> tuple[bytes, tuple[ast.Expression, ...]]:
    """The name of the function that is called, and ``count`` arguments."""
    if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
        raise Other
    if len(node.arguments) != count:
        raise Other
    return node.function.name, node.arguments

"""What a plan is made of, while the code of its record is read."""

from __future__ import annotations

from typing import Final

from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Other, address_of, network_of, texts
from lzc.wire import rdata as wire_rdata

MAX_NETWORKS: Final = 8192
"""Networks of all conditions of a record: for a new client it may take a millisecond to go through
them, which nobody is charged for."""
MAX_CANDIDATES: Final = 4096
"""Candidates with a check, likewise, whenever any target came or went."""


class Form:
    """The RDATA of a plan for type ``covered``, and how much of what takes time it has. All raise
    `Other` for what has to be left to Lua."""

    def __init__(self, covered: int) -> None:
        self.covered = covered
        self._items: dict[bytes, int] = {}
        self._networks = 0
        self._candidates = 0

    @property
    def rdatas(self) -> list[bytes]:
        """The RDATA of all items met so far, in the order of their numbers."""
        return list(self._items)

    def item(self, content: bytes) -> int:
        """The number of a content among the RDATA."""
        if b"\0" in content:
            raise Other
        try:
            rdata = wire_rdata.from_result(self.covered, content)
        except wire_rdata.InvalidRdata as error:
            raise Other from error
        return self._items.setdefault(rdata, len(self._items))

    def items(self, node: ast.Node) -> list[int]:
        """Likewise of a list of contents, not empty."""
        return [self.item(content) for content in texts(node)]

    def candidate(self, written: bytes) -> tuple[int, str, bytes]:
        """An address: its number among the RDATA, its octets in hex, its canonical text."""
        self._candidates += 1
        if self._candidates > MAX_CANDIDATES:
            raise Other
        packed, canonical = address_of(written)
        return self.item(canonical), packed.hex(), canonical

    def networks(self, node: ast.Node) -> list[tuple[str, int]]:
        """A list of networks, each in hex with its length in bits."""
        written = texts(node)
        self._networks += len(written)
        if self._networks > MAX_NETWORKS:
            raise Other
        return [network_of(one) for one in written]


def is_method(node: ast.Node, target: bytes, method: bytes) -> bool:
    """True for a call of a method, without arguments, of what a name stands for."""
    return (
        isinstance(node, ast.MethodCall)
        and isinstance(node.target, ast.Name)
        and node.target.name == target
        and node.method.name == method
        and not node.arguments
    )

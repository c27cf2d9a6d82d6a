"""How much is looked at for one record. Code is short, but names that stand for lists of names make
any amount of it: with each line of ``local b = {a, a}``, twice as much."""

from __future__ import annotations

from typing import Final

from lzc.lua.syntax import tree as ast

ALWAYS: Final = 20_000
"""Steps for the shortest code."""
PER_OCTET: Final = 4
"""Steps more for each octet of code; there is about one node of its tree to four octets."""
_OCTETS: Final = 64
"""Octets of a text that count as one step."""


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

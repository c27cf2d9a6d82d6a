"""Code that runs each of its instructions once at most: it need not run to be known as short."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lzc.lua.functions import INCLUDING
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.scopes import Scopes
from lzc.lua.syntax.tree import Node

_REPEATS: Final = (
    syntax.Function,
    syntax.While,
    syntax.Repeat,
    syntax.NumericFor,
    syntax.GenericFor,
    syntax.Goto,
)

NEAR: Final = 0.8
"""The share of a limit of instructions from which on a record is near it."""

FACTOR: Final = 10
"""Counting ends at so many times the limit."""

_PER_NODE: Final = 4
"""Instructions that a node of the tree compiles to at most: a comparison whose value is kept."""

_ALWAYS: Final = 20


def at_most(nodes: Sequence[Node], scopes: Scopes, included: int | None = None) -> int | None:
    """A number of instructions that the code does not exceed; `None` where it repeats any, or runs
    code that is not known. ``nodes`` are those of the whole tree; ``included`` is a number that all
    the records that it may include do not exceed together."""
    inclusions = sum(access.name.name in INCLUDING for access in scopes.accesses)
    if scopes.dynamic or (inclusions and included is None):
        return None
    if any(isinstance(node, _REPEATS) for node in nodes):
        return None
    return _PER_NODE * len(nodes) + _ALWAYS + inclusions * (included or 0)

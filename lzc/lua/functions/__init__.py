"""The functions of PowerDNS in LUA records: a pair of files each, or for a few that share what they
are. The module describes them; the Lua beside it is what runs.

A function is there because its pair is: nothing else lists it by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module, resources
from typing import Final

from lzc.lua.definition.function import Function
from lzc.lua.syntax.tree import Call, Expression, Name, Node


def _described() -> Iterator[Function]:
    names = [file.name.partition(".") for file in resources.files(__name__).iterdir()]
    for stem in sorted(stem for stem, _, kind in names if kind == "lua"):
        yield from import_module(f"{__name__}.{stem}").FUNCTIONS


FUNCTIONS: Final[Mapping[str, Function]] = {function.name: function for function in _described()}
"""Every function by its name."""

CHECKING: Final = frozenset(
    function.name.encode() for function in FUNCTIONS.values() if function.options is not None
)
"""The names of those that ask for health checks."""


def called(node: Node) -> tuple[Function | None, tuple[Expression, ...]]:
    """The function that an expression calls by its name, and the arguments; `None` for anything
    else, and for more or fewer arguments than it takes."""
    if isinstance(node, Call) and isinstance(node.function, Name):
        function = FUNCTIONS.get(node.function.name.decode("latin-1"))
        if function is not None and function.takes(len(node.arguments)):
            return function, node.arguments
    return None, ()

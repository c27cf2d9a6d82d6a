"""The health checks that stand in a record's code, found without running it.

Running a record does not show all: the name asked for, the client's subnet or chance may decide as
well which call comes about. A call on constants says what it checks wherever it stands; one too
many, such as in code that is never reached, is only a check that nobody needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lzc.health_check import Check
from lzc.lua.functions import CHECKING
from lzc.lua.functions.recogniser import operation_of
from lzc.lua.plan import checks_of
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Names, Other, is_constant
from lzc.lua.syntax.effort import Effort, TooMuch
from lzc.lua.syntax.parser import parse_record

_CHOICE: Final = re.compile(rb"\b(?:if|and|or|for|while|repeat|function)\b")
"""Words without which each run takes the same way."""


def written_checks(code: bytes, covered: int) -> set[Check]:
    """The checks of all calls on constants in a record's joined ``code`` that chooses between some;
    constants may have names, as long as each is given once."""
    if not _CHOICE.search(code) or not any(name in code for name in CHECKING):
        return set()
    try:
        nodes = tuple(ast.walk(parse_record(code, covered)))
    except (ast.LuaCodeError, RecursionError):
        return set()
    names = named(nodes)
    found: set[Check] = set()
    effort = Effort(len(code))
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            continue
        if node.function.name in CHECKING:
            try:
                found |= checks_of(operation_of(node, names, covered, effort))
            except (Other, RecursionError):
                continue
            except TooMuch:
                break
    return found


def named(nodes: tuple[ast.Node, ...]) -> Names:
    """The constants that have a name of their own."""
    given: dict[bytes, list[ast.Expression]] = {}
    for name, value in _definitions(nodes):
        given.setdefault(name, []).append(value)
    return {
        name: values[0]
        for name, values in given.items()
        if len(values) == 1 and is_constant(values[0])
    }


def _definitions(nodes: tuple[ast.Node, ...]) -> Iterator[tuple[bytes, ast.Expression]]:
    for node in nodes:
        if isinstance(node, ast.Local):
            targets: tuple[ast.Expression, ...] = node.names
        elif isinstance(node, ast.Assignment):
            targets = node.targets
        else:
            continue
        for target, value in zip(targets, node.values, strict=False):
            if isinstance(target, ast.Name):
                yield target.name, value

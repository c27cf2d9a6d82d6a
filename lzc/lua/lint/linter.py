"""All rules over one record's code."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from lzc.lua.definition.finding import Finding
from lzc.lua.definition.literals import Literals
from lzc.lua.definition.record import Record, RecordFacts, ZoneFacts
from lzc.lua.functions import FUNCTIONS
from lzc.lua.lint.calls import check_calls
from lzc.lua.lint.names import check_globals, check_leaks, check_members
from lzc.lua.lint.results import check_results
from lzc.lua.lint.usage import check_ttl, includes, inclusions
from lzc.lua.syntax import scopes as scope
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.effort import Effort, TooMuch
from lzc.lua.syntax.parser import parse_record
from lzc.lua.syntax.scopes import Scopes
from lzc.lua.syntax.tree import Block, Chunk, Node

_HARMLESS: Final = frozenset(name.encode() for name in FUNCTIONS)

_LOOKS: Final = 10
"""How often all the rules look at a node, at most."""


def parse(code: bytes, covered: int) -> tuple[tuple[Node, ...], Scopes]:
    """The nodes of a record's tree, the `Chunk` first, and its scopes. Raises
    `lzc.lua.syntax.tree.LuaSyntaxError`."""
    chunk = parse_record(code, covered)
    return tuple(syntax.walk(chunk)), scope.resolve(chunk, _HARMLESS)


def lint(
    nodes: Sequence[Node], scopes: Scopes, facts: RecordFacts, zone: ZoneFacts
) -> list[Finding]:
    """What is wrong with a record that `parse` gave, ordered by where it is. Nothing is run."""
    record = Record(scopes, _literals(nodes, scopes), facts, zone, scopes.written)
    # Of code that says so much, what was found until then is told.
    with suppress(TooMuch):
        _check(record, nodes)
    return sorted(set(record.findings))


def _literals(nodes: Sequence[Node], scopes: Scopes) -> Literals:
    return Literals(scopes, Effort(nodes[0].end, _LOOKS))


def _check(record: Record, nodes: Sequence[Node]) -> None:
    scopes, zone = record.scopes, record.zone
    calls = [node for node in nodes if isinstance(node, syntax.Call)]
    included = inclusions(record, calls)
    known = scopes.written | zone.elsewhere
    for inclusion in included:
        known |= inclusion.sets
    dynamic = scopes.dynamic or zone.dynamic or any(inclusion.dynamic for inclusion in included)
    record.redefined = scopes.written | {name for inclusion in included for name in inclusion.sets}
    check_globals(record, nodes, known, dynamic)
    check_members(record, nodes)
    check_leaks(record)
    check_calls(record, calls)
    for function in FUNCTIONS.values():
        if function.judge is not None:
            function.judge(record, calls)
    check_ttl(record, calls)
    check_results(record, _body(nodes))


def _body(nodes: Sequence[Node]) -> Block:
    chunk = nodes[0]
    assert isinstance(chunk, Chunk)
    return chunk.body


def included_names(nodes: Sequence[Node], scopes: Scopes) -> list[bytes]:
    """The literal names that a record includes."""
    literals = _literals(nodes, scopes)
    record = Record(scopes, literals, RecordFacts(0, 0), ZoneFacts(), scopes.written)
    found: list[bytes] = []
    with suppress(TooMuch):
        for node in nodes:
            if isinstance(node, syntax.Call) and node.arguments:
                name = literals.text(node.arguments[0]) if includes(record, node) else None
                if name is not None:
                    found.append(name)
    return found

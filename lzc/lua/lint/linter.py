"""All rules over one record's code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lzc.lua import syntax
from lzc.lua.lint import scope
from lzc.lua.lint.api import FUNCTIONS
from lzc.lua.lint.calls import check_calls
from lzc.lua.lint.context import Record, RecordFacts, ZoneFacts
from lzc.lua.lint.finding import Finding
from lzc.lua.lint.literals import Literals
from lzc.lua.lint.names import check_globals, check_leaks, check_members
from lzc.lua.lint.results import check_results
from lzc.lua.lint.scope import Scopes
from lzc.lua.lint.usage import check_forwards, check_ttl, inclusions
from lzc.lua.parser import parse_record
from lzc.lua.syntax import Block, Chunk, Node

_HARMLESS: Final = frozenset(name.encode() for name in FUNCTIONS)


def parse(code: bytes, covered: int) -> tuple[tuple[Node, ...], Scopes]:
    """The nodes of a record's tree, the `Chunk` first, and its scopes. Raises
    `lzc.lua.syntax.LuaSyntaxError`."""
    chunk = parse_record(code, covered)
    return tuple(syntax.walk(chunk)), scope.resolve(chunk, _HARMLESS)


def lint(
    nodes: Sequence[Node], scopes: Scopes, facts: RecordFacts, zone: ZoneFacts
) -> list[Finding]:
    """What is wrong with a record that `parse` gave, ordered by where it is. Nothing is run."""
    calls = [node for node in nodes if isinstance(node, syntax.Call)]
    record = Record(scopes, Literals(scopes), facts, zone, scopes.written)
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
    check_forwards(record, calls)
    check_ttl(record, calls)
    check_results(record, _body(nodes))
    return sorted(set(record.findings))


def _body(nodes: Sequence[Node]) -> Block:
    chunk = nodes[0]
    assert isinstance(chunk, Chunk)
    return chunk.body


def included_names(nodes: Sequence[Node], scopes: Scopes) -> list[bytes]:
    """The literal names that a record includes."""
    record = Record(scopes, Literals(scopes), RecordFacts(0, 0), ZoneFacts(), scopes.written)
    return [
        name
        for node in nodes
        if isinstance(node, syntax.Call)
        and node.arguments
        and record.function_name(node.function) == "include"
        and (name := record.literals.text(node.arguments[0])) is not None
    ]

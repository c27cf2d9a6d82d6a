"""All rules over one record's code."""

from __future__ import annotations

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
from lzc.lua.syntax import Chunk

_HARMLESS: Final = frozenset(name.encode() for name in FUNCTIONS)


def parse(code: bytes, covered: int) -> tuple[Chunk, Scopes]:
    """The tree of a record and its scopes. Raises `lzc.lua.syntax.LuaSyntaxError`."""
    chunk = parse_record(code, covered)
    return chunk, scope.resolve(chunk, _HARMLESS)


def lint(chunk: Chunk, scopes: Scopes, facts: RecordFacts, zone: ZoneFacts) -> list[Finding]:
    """What is wrong with a record, ordered by where it is. Pure: nothing is run."""
    nodes = list(syntax.walk(chunk))
    calls = [node for node in nodes if isinstance(node, syntax.Call)]
    record = Record(chunk, scopes, Literals(scopes), facts, zone, scopes.written)
    included = inclusions(record, calls)
    known = scopes.written | zone.elsewhere
    for inclusion in included:
        known |= inclusion.sets
    dynamic = scopes.dynamic or zone.dynamic or any(inclusion.dynamic for inclusion in included)
    record.redefined = scopes.written | {name for inclusion in included for name in inclusion.sets}
    check_globals(record, known, dynamic)
    check_members(record, nodes)
    check_leaks(record)
    check_calls(record, calls)
    check_forwards(record, calls)
    check_ttl(record, calls)
    check_results(record)
    return sorted(set(record.findings))


def included_names(chunk: Chunk, scopes: Scopes) -> list[bytes]:
    """The literal names that a record includes."""
    record = Record(chunk, scopes, Literals(scopes), RecordFacts(0, 0), ZoneFacts(), scopes.written)
    return [
        name
        for node in syntax.walk(chunk)
        if isinstance(node, syntax.Call)
        and node.arguments
        and record.function_name(node.function) == "include"
        and (name := record.literals.text(node.arguments[0])) is not None
    ]

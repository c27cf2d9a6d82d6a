"""All rules over one record's code."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from lzc.lua.definition.record import Examination, Finding, Literals, ZoneFacts
from lzc.lua.functions import FUNCTIONS
from lzc.lua.lint.names import check_globals, check_leaks, check_members
from lzc.lua.lint.results import check_results
from lzc.lua.lint.usage import check_calls, check_ttl, includes, inclusions
from lzc.lua.program import Program
from lzc.lua.syntax.constants import Effort, TooMuch

_HARMLESS: Final = frozenset(name.encode() for name in FUNCTIONS)

_LOOKS: Final = 10
"""How often all the rules look at a node, at most."""


def lint(program: Program, ttl: int, zone: ZoneFacts) -> list[Finding]:
    """What is wrong with a record whose TTL is ``ttl`` seconds, ordered by where it is. Nothing is
    run. Raises `lzc.lua.syntax.tree.LuaSyntaxError`."""
    record = _record(program, ttl, zone)
    # Of code that says so much, what was found until then is told.
    with suppress(TooMuch):
        _check(record, program)
    return sorted(set(record.findings))


def _record(program: Program, ttl: int, zone: ZoneFacts) -> Examination:
    scopes = program.scopes
    literals = Literals(scopes, Effort(len(program.code), _LOOKS), _HARMLESS)
    return Examination(scopes, literals, program.covered, ttl, zone, scopes.written)


def _check(record: Examination, program: Program) -> None:
    scopes, zone = record.scopes, record.zone
    nodes, calls = program.nodes, program.calls
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
    check_results(record, program.tree.body)


def included_names(program: Program) -> list[bytes]:
    """The literal names that a record includes."""
    record = _record(program, 0, ZoneFacts())
    found: list[bytes] = []
    with suppress(TooMuch):
        for call in program.calls:
            if call.arguments and includes(record, call):
                name = record.literals.text(call.arguments[0])
                if name is not None:
                    found.append(name)
    return found

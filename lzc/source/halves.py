"""A large zone file read by two processes, each a half of its lines.

A child reads the second half from a state that is guessed. When the first half is done, the guess
is checked; where it was wrong, or where the child found anything to report, what the child read is
thrown away and the second half is read again, here. So both ways give the same records and faults.
"""

from __future__ import annotations

import re
from array import array
from functools import partial
from typing import Any, Final

from lzc.source.bulk import OnEntry, read_lines
from lzc.source.second_process import SecondProcess
from lzc.source.state import FileScope
from lzc.zone.model import LuaSource

MIN_OCTETS: Final = 1 << 22
"""Octets of a file from which on a second process pays."""

LEAD: Final = 1 << 16
"""Octets that are read before the guess: SOA, default TTL and the usual suffixes stand there."""

_FIRST_SHARE: Final = 0.54
"""Share of the file for the process that also takes over what the other process read."""

_BORDER: Final = re.compile(rb"\n(?=[0-9A-Za-z])")
"""In front of a line that surely names its owner."""


def read_in_halves(scope: FileScope, data: bytes, on_entry: OnEntry) -> None:
    """As `read_lines` for a whole file; raises what ``on_entry`` raises."""
    directive = data.rfind(b"\n$") + 1
    lead = data.find(b"\n", max(directive, LEAD)) + 1 or len(data)
    start, line = read_lines(scope, data, on_entry, stop=lead)
    middle = start + int((len(data) - start) * _FIRST_SHARE)
    match = _BORDER.search(data, middle)
    if len(data) - start < MIN_OCTETS // 2 or match is None:
        read_lines(scope, data, on_entry, start, line)
        return
    border = match.end()
    border_line = line + data.count(b"\n", start, border)
    state, names, default_ttl = scope.state, scope.names, scope.state.default_ttl
    work = partial(_second_half, scope, data, on_entry, border, border_line)
    with SecondProcess(work) as other:
        start, line = read_lines(scope, data, on_entry, start, line, border)
        as_guessed = (
            (start, line) == (border, border_line)
            and scope.names is names
            and state.default_ttl == default_ttl
        )
        found = other.result() if as_guessed else None
    if found is None:
        read_lines(scope, data, on_entry, start, line)
    else:
        _take_over(scope, found)
        state.count_records()


def _second_half(
    scope: FileScope, data: bytes, on_entry: OnEntry, border: int, line: int
) -> tuple[Any, ...] | None:
    """What is read from ``border`` on; None when there is anything to report."""
    state, zone = scope.state, scope.state.zone
    known = len(state.faults), state.warnings, len(zone.files), len(state.auto_hints)
    zone.records, zone.lua_sources, zone.suppressions = [], {}, {}
    scope.owner, scope.owner_known, state.last_ttl = None, False, None
    read_lines(scope, data, on_entry, border, line)
    if known != (len(state.faults), state.warnings, len(zone.files), len(state.auto_hints)):
        return None
    return _columns(scope)


def _columns(scope: FileScope) -> tuple[Any, ...]:
    state, zone = scope.state, scope.state.zone
    records = zone.records
    return (
        [record[0] for record in records],
        array("H", [record[1] for record in records]).tobytes(),
        [record[2] for record in records],
        array("L", [record[3] for record in records]).tobytes(),
        array("Q", [record[4] for record in records]).tobytes(),
        [
            (place, found.code, found.pieces, found.joints)
            for place, found in zone.lua_sources.items()
        ],
        list(zone.suppressions.items()),
        (scope.owner, scope.owner_known, state.last_ttl, state.default_ttl),
    )


def _take_over(scope: FileScope, columns: tuple[Any, ...]) -> None:
    keys, types, rdatas, ttls, places, lua_sources, suppressions, last = columns
    state, zone = scope.state, scope.state.zone
    ttl_numbers = array("L", ttls)
    # One object for each TTL, as when they are read here: 28 octets less a record.
    shared: dict[int, int] = {}
    zone.records += zip(
        keys,
        array("H", types),
        rdatas,
        map(shared.setdefault, ttl_numbers, ttl_numbers),
        array("Q", places),
        strict=True,
    )
    for place, code, pieces, joints in lua_sources:
        zone.lua_sources[place] = LuaSource(code, pieces, joints)
    zone.suppressions.update(suppressions)
    scope.owner, scope.owner_known, last_ttl, state.default_ttl = last
    if last_ttl is not None:
        state.last_ttl = last_ttl

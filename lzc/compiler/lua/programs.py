"""The LUA records of a zone: their programs, what `include` finds among them, and which of those
that a ``$GENERATE`` makes are looked at, as it may make a million."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from lzc.lua.program import Program
from lzc.source.lua_source import strings_of
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata import covered_type
from lzc.zone.model import PLACE, RDATA, TYPE, LuaRecord, LuaSource, Record, Zone

MAX_OCTETS: Final = 2**17
"""Octets of code whose programs are kept: a tree takes about fifty times as many."""

VARIANTS: Final = 1_000
"""Records of a zone that are looked at besides the one of each directive whose source is known. To
lint and to measure one takes up to 2 ms."""

_ENDS: Final = 2


class Programs:
    """The LUA ``records`` of a ``zone``, in its order. ``insert_whitespace`` says how a server
    joins the strings of each."""

    def __init__(self, zone: Zone, insert_whitespace: bool) -> None:
        self.zone: Final = zone
        self.records: Final = [record for record in zone.records if record[TYPE] == rr.LUA]
        self._insert_whitespace = insert_whitespace
        self._kept: dict[tuple[bytes, int], Program] = {}
        self._octets = 0

    def __iter__(self) -> Iterator[tuple[Record, Program]]:
        return ((record, self.of(record)) for record in self.records)

    def of(self, record: Record) -> Program:
        """The program of a record as a server has it."""
        found = LuaRecord.from_rdata(record[RDATA])
        return self.shared(found.join(self._insert_whitespace), found.covered)

    def as_written(self, record: Record) -> Program | None:
        """The program as the operator wrote it, where its place has a source."""
        source = self.zone.lua_sources.get(record[PLACE])
        if source is None:
            return None
        return self.shared(source.code, covered_type(record[RDATA]))

    def shared(self, code: bytes, covered: int) -> Program:
        """The program of some code, the same one each time as long as it is kept."""
        program = self._kept.get((code, covered))
        if program is None:
            self._octets += len(code)
            if self._octets > MAX_OCTETS:
                self._kept.clear()
                self._octets = len(code)
            program = self._kept[code, covered] = Program(code, covered)
        return program

    @cached_property
    def _included(self) -> dict[bytes, list[Record]]:
        found: dict[bytes, list[Record]] = {}
        for record in self.records:
            if covered_type(record[RDATA]) == rr.LUA:
                found.setdefault(self.zone.owner(record), []).append(record)
        return found

    def included(self, owner: bytes) -> list[Program]:
        """The programs that are included by way of a lower-case wire name."""
        return [self.of(record) for record in self._included.get(owner, ())]

    def includable(self) -> Iterator[Program]:
        """All programs that `include` may run."""
        return (self.of(record) for records in self._included.values() for record in records)

    def included_code(self) -> dict[bytes, bytes]:
        """What `include` runs, by lower-case wire name: the records of one name as one."""
        return {
            owner: b"\n".join([program.code for program in self.included(owner)])
            for owner in self._included
        }

    def include(self, name: bytes) -> Program | None:
        """What `include` finds by a name as code has it, where that is one record."""
        try:
            found = self.included(wire_name.below(name, self.zone.apex))
        except wire_name.InvalidName:
            return None
        return found[0] if len(found) == 1 else None

    def chosen(self) -> Iterator[tuple[Record, Program, bool]]:
        """The records to look at, each with its program as the operator wrote it where that is
        known, and whether it is.

        Of those of one directive these are the one whose source is known and those whose code
        differs from it; where that is too many, a sample spread over the numbers, with both ends.
        """
        by_place: dict[int, list[Record]] = {}
        for record in self.records:
            by_place.setdefault(record[PLACE], []).append(record)
        directives = sum(len(records) > 1 for records in by_place.values())
        most = max(_ENDS, VARIANTS // max(directives, 1))
        for place, records in by_place.items():
            source = self.zone.lua_sources.get(place)
            first = records[0]
            if len(records) > 1 and source is not None:
                first = _origin(records, source)
            written = self.as_written(first)
            yield first, written or self.of(first), written is not None
            if len(records) > 1:
                for record in _spread(_others(records, first), most):
                    yield record, self.of(record), False


def _origin(records: Sequence[Record], source: LuaSource) -> Record:
    """The record that has the code of ``source``: they are sorted by owner, not by number."""
    covered = covered_type(records[0][RDATA])
    rdata = covered.to_bytes(2, "big") + strings_of(source.code, covered == rr.LUA)
    return next((record for record in records if record[RDATA] == rdata), records[0])


def _others(records: Sequence[Record], first: Record) -> list[Record]:
    """One record of each other code, by number: longer code has the larger one."""
    different = {record[RDATA]: record for record in reversed(records)}
    different.pop(first[RDATA], None)
    return sorted(different.values(), key=lambda record: (len(record[RDATA]), record[RDATA]))


def _spread(records: Sequence[Record], most: int) -> Sequence[Record]:
    if len(records) <= most:
        return records
    return [records[at * (len(records) - 1) // (most - 1)] for at in range(most)]

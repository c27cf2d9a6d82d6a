"""The LUA records of a zone: their programs, what `include` finds among them, and which of those
that a ``$GENERATE`` makes are looked at, as it may make a million."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final, NamedTuple

from lzc.lua.plan import reads_labels
from lzc.lua.program import Program
from lzc.powerdns_versions import LATEST, Version
from lzc.source.lua_record import strings_of
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata import covered_type
from lzc.zone.model import KEY, PLACE, RDATA, LuaRecord, LuaSource, Record, Zone

MAX_OCTETS: Final = 2**17
"""Octets of code whose programs are kept: a tree takes about fifty times as many."""

VARIANTS: Final = 1_000
"""Records of a zone that are looked at besides the one of each directive whose source is known. To
lint and to measure one takes up to 2 ms."""

_ENDS: Final = 2


class _Kept(dict[tuple[bytes, int], Program]):
    """The programs of all zones that a process builds, as zones repeat their records: each the same
    one as long as it is kept."""

    octets = 0

    def __missing__(self, key: tuple[bytes, int]) -> Program:
        self.octets += len(key[0])
        if self.octets > MAX_OCTETS:
            self.clear()
            self.octets = len(key[0])
        program = self[key] = Program(*key)
        return program


KEPT: Final = _Kept()
"""By their code and the type that it answers for."""


class Chosen(NamedTuple):
    """A LUA record to look at, and its program as the operator wrote it (``has_source``); or as
    secondaries get it, where it is one of many that a ``$GENERATE`` made."""

    record: Record
    program: Program
    has_source: bool


class Programs:
    """The LUA ``records`` of a ``zone``, in its order, which answers as a ``version`` of PowerDNS.
    ``insert_whitespace`` says how a server joins the strings of each."""

    def __init__(self, zone: Zone, insert_whitespace: bool, version: Version = LATEST) -> None:
        self.zone: Final = zone
        self.version: Final = version
        self.records: Final = zone.of_type(rr.LUA)
        self._insert_whitespace = insert_whitespace

    def __iter__(self) -> Iterator[tuple[Record, Program]]:
        return ((record, self.of(record)) for record in self.records)

    def code(self, record: Record) -> tuple[bytes, int]:
        """The joined code of a record as a server has it, and the type that it answers for."""
        found = LuaRecord.from_rdata(record[RDATA])
        return found.join(self._insert_whitespace), found.covered

    def of(self, record: Record) -> Program:
        """The program of that code."""
        return KEPT[self.code(record)]

    @cached_property
    def _enclosers(self) -> dict[tuple[bytes, int], set[int]]:
        found: dict[tuple[bytes, int], set[int]] = {}
        for record in self.records:
            code, covered = self.code(record)
            if reads_labels(code):
                labels = len(wire_name.labels_of(self.zone.owner(record)))
                at_wildcard = wire_name.is_wildcard_key(record[KEY])
                found.setdefault((code, covered), set()).add(labels - at_wildcard)
        return found

    def enclosers(self, program: Program) -> list[int]:
        """How many labels the owners of a program have, asterisks not counted, as far as that may
        make a difference to its plan; [0] where it makes none."""
        if not reads_labels(program.code):
            return [0]
        return sorted(self._enclosers.get((program.code, program.covered), {0}))

    def as_written(self, record: Record) -> Program | None:
        """The program as the operator wrote it, where its place has a source."""
        source = self.zone.lua_sources.get(record[PLACE])
        if source is None:
            return None
        return KEPT[source.code, covered_type(record[RDATA])]

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

    def chosen(self) -> Iterator[Chosen]:
        """The records to look at.

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
            yield Chosen(first, written or self.of(first), written is not None)
            if len(records) > 1:
                for record in _spread(_others(records, first), most):
                    yield Chosen(record, self.of(record), False)


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

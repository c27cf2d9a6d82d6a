"""The zone as the compiler sees it.

A zone is a flat list of plain tuples. A million of them sort in a second and need no object each;
sorted, they stand in canonical order, grouped by owner, then by type, duplicates side by side.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Final, NamedTuple

from lzc.faults import Place, advance, unpack
from lzc.wire import name as wire_name
from lzc.wire.rdata import covered_type, strings_in

Record = tuple[bytes, int, bytes, int, int]
"""``(key, type, rdata, ttl, place)``: node key relative to the apex (`lzc.wire.name`), RR type
number, uncompressed RDATA in wire format with the case of its names kept, TTL in seconds (0 to
2**31 - 1, RFC 2181 §8), and the place in the sources packed by `lzc.faults.pack`. The class is
always IN."""

KEY: Final = 0
TYPE: Final = 1
RDATA: Final = 2
TTL: Final = 3
PLACE: Final = 4


@dataclass(frozen=True, slots=True)
class LuaSource:
    """The code of one LUA record as the operator meant it, before it is rewritten, and where it
    stands.

    ``pieces`` are pairs of an offset into ``code`` and the packed place of the octet there. Offsets
    rise from 0; from one piece to the next the code stands on one line, an octet a column.
    ``joints`` are the offsets at which strings of the record start, but for the first.
    """

    code: bytes
    pieces: tuple[tuple[int, int], ...]
    joints: tuple[int, ...] = ()

    def place_at(self, offset: int) -> int:
        """The packed place of the octet at ``offset`` (from 0; ``len(code)`` is its end)."""
        start, place = self.pieces[max(bisect_right(self.pieces, offset, key=itemgetter(0)) - 1, 0)]
        return advance(place, offset - start)


class Input(NamedTuple):
    """A file that was read: ``path`` as it was named, ``real`` where that led, ``sha256`` of what
    was read. ``mark`` is its device, inode, size, modification and change time (ns) before; empty
    where it had changed so shortly before that those may not tell the next change."""

    path: str
    real: str
    sha256: bytes
    mark: tuple[int, ...]


@dataclass(slots=True)
class Zone:
    """One zone: ``apex`` is its lower-case wire name; packed places point into ``files``.

    ``lua_sources`` are the sources of its LUA records, and ``suppressions`` the rules that comments
    ``; lzc: ignore RULE`` beside a record tell not to report; both by the record's packed place.
    Records that one ``$GENERATE`` makes share a place: the source is that of the first of them.
    ``inputs`` are the files that were read for it.
    """

    apex: bytes
    records: list[Record] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    lua_sources: dict[int, LuaSource] = field(default_factory=dict)
    suppressions: dict[int, frozenset[str]] = field(default_factory=dict)
    inputs: list[Input] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The apex in presentation format, with its final dot."""
        return wire_name.to_text(self.apex)

    def of_type(self, rrtype: int) -> list[Record]:
        """The records of a type, in the order of all."""
        return [record for record in self.records if record[TYPE] == rrtype]

    def owner(self, record: Record) -> bytes:
        """The lower-case wire name of a record's owner."""
        return wire_name.relative_of_key(record[KEY]) + self.apex

    def place(self, record: Record) -> Place:
        """Where the record stands in the sources."""
        return unpack(record[PLACE], self.files)


BLANKS_BETWEEN_STRINGS: Final = b"   "
"""What PowerDNS before 5.0 puts between two strings of a LUA record."""


@dataclass(frozen=True, slots=True)
class LuaRecord:
    """A LUA record taken apart: it answers for type ``covered`` at its owner.

    ``strings`` are the character-strings of its RDATA, in order, each of at most 255 octets: what a
    secondary receives. How they join into code depends on `join`.
    """

    covered: int
    strings: tuple[bytes, ...]
    ttl: int = 0

    @classmethod
    def from_rdata(cls, rdata: bytes, ttl: int = 0) -> LuaRecord:
        """Read wire RDATA: 16-bit covered type, then character-strings. Raises `ValueError`."""
        if len(rdata) < 3:
            raise ValueError("LUA RDATA needs a covered type and at least one character-string")
        return cls(covered_type(rdata), tuple(strings_in(rdata, 2)), ttl)

    def join(self, insert_whitespace: bool) -> bytes:
        """The code, joined as a server does that has ``lua-records-insert-whitespace`` on (PowerDNS
        before 5.0: a blank after each piece, the blank between two strings being a piece too) or
        off (5.0 and later)."""
        if insert_whitespace:
            return b"".join([BLANKS_BETWEEN_STRINGS.join(self.strings), b" "])
        return b"".join(self.strings)

"""What the checks look up in a sorted zone.

Records of types that only hold data are never visited one by one; they are found by bisection when
another record points at them. So a zone of a million addresses is checked in a moment.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from lzc.faults import Fault, Severity
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata import covered_type
from lzc.zone.model import KEY, RDATA, TYPE, Record, Zone

STRUCTURAL: Final = frozenset(
    {
        rr.NS,
        rr.CNAME,
        rr.SOA,
        rr.MX,
        rr.SRV,
        rr.DNAME,
        rr.DS,
        rr.RRSIG,
        rr.NSEC,
        rr.NSEC3,
        rr.NSEC3PARAM,
        rr.LUA,
    }
)
"""The types whose records are visited."""


class ZoneIndex:
    """A zone whose ``records`` are sorted, and its structure.

    ``cuts`` are the delegation points, those below another left out: node key to NS records.
    """

    __slots__ = ("_by_type", "_dnames", "cuts", "keys", "records", "zone")

    def __init__(self, zone: Zone) -> None:
        self.zone = zone
        self.records = zone.records
        self.keys = [record[KEY] for record in zone.records]
        self._by_type: dict[int, list[Record]] = {}
        for record in [record for record in zone.records if record[TYPE] in STRUCTURAL]:
            self._by_type.setdefault(record[TYPE], []).append(record)
        self._dnames = {record[KEY] for record in self.of_type(rr.DNAME)}
        self.cuts: dict[bytes, list[Record]] = {}
        last: bytes | None = None
        for record in self.of_type(rr.NS):
            key = record[KEY]
            if not key or (last is not None and key.startswith(last + b"\x00")):
                continue
            last = key
            self.cuts.setdefault(key, []).append(record)

    def of_type(self, rrtype: int) -> list[Record]:
        """The records of a type of `STRUCTURAL`, in the order of the zone."""
        return self._by_type.get(rrtype, [])

    def not_alone(self, rrtype: int) -> list[Record]:
        """The records of a type of `STRUCTURAL` whose names have other records, too."""
        if not self.of_type(rrtype):
            return []
        keys = self.keys
        last = len(keys) - 1
        return [
            self.records[at]
            for at in [at for at, record in enumerate(self.records) if record[TYPE] == rrtype]
            if (at and keys[at - 1] == keys[at]) or (at < last and keys[at + 1] == keys[at])
        ]

    def at(self, key: bytes) -> list[Record]:
        """The records at a name."""
        start = end = bisect_left(self.keys, key)
        while end < len(self.records) and self.records[end][KEY] == key:
            end += 1
        return self.records[start:end]

    def below(self, key: bytes) -> list[Record]:
        """The records at the names below a name other than the apex."""
        start = bisect_left(self.keys, key + b"\x00")
        return self.records[start : bisect_left(self.keys, key + b"\x01", start)]

    def exists(self, key: bytes) -> bool:
        """True for owners and for empty non-terminals (RFC 8020)."""
        if not key:
            return True
        start = bisect_left(self.keys, key)
        if start == len(self.records):
            return False
        if self.records[start][KEY] == key:
            return True
        start = bisect_left(self.keys, key + b"\x00", start)
        return start < len(self.records) and self.records[start][KEY].startswith(key + b"\x00")

    def wildcard_for(self, key: bytes) -> list[Record]:
        """The records of the wildcard that would answer for a missing name (RFC 4592 §3.3.1)."""
        for ancestor in ancestors(key):
            if ancestor != key and self.exists(ancestor):
                return self.at(wire_name.wildcard_of(ancestor))
        return []

    def cut_above(self, key: bytes) -> bytes | None:
        """The delegation point at or above a name, or None."""
        if key in self.cuts:
            return key
        if self.cuts and b"\x00" in key:
            for ancestor in ancestors(key):
                if ancestor in self.cuts:
                    return ancestor
        return None

    def is_elsewhere(self, key: bytes) -> bool:
        """True for names whose data is not ours to know: at or below a cut, or below a DNAME."""
        if self.cut_above(key) is not None:
            return True
        return bool(self._dnames) and any(
            ancestor in self._dnames for ancestor in ancestors(key) if ancestor != key
        )

    def key_of(self, name: bytes) -> bytes | None:
        """The node key of a lower-case wire name, or None when it is not in the zone."""
        apex = self.zone.apex
        if not name.endswith(apex):
            return None
        end = len(name) - len(apex)
        if name[0] + 1 == end:
            # Most names are one label below the apex: a third of the time without two calls.
            label = name[1:end]
            if b"\x00" not in label and b"\x01" not in label:
                return label
        return wire_name.key_of(name, apex) if wire_name.is_subdomain(name, apex) else None

    def owner_text(self, record: Record) -> str:
        """The owner in presentation format."""
        return wire_name.to_text(self.zone.owner(record))

    def error(self, record: Record, rule: str, message: str, why: str = "", fix: str = "") -> Fault:
        """An error at a record."""
        return Fault(self.zone.place(record), rule, message, why, fix)

    def warning(
        self, record: Record, rule: str, message: str, why: str = "", fix: str = ""
    ) -> Fault:
        """A warning at a record."""
        return Fault(self.zone.place(record), rule, message, why, fix, Severity.WARNING)


def ancestors(key: bytes) -> Iterator[bytes]:
    """A node key and those above it, the apex last."""
    while key:
        yield key
        key = key[: max(key.rfind(b"\x00"), 0)]
    yield b""


def answers(records: list[Record], *rrtypes: int) -> bool:
    """True when ``records``, all of one name, give an answer for one of the types: by themselves or
    by a LUA record."""
    types = {record[TYPE] for record in records}
    types.update(covered_type(record[RDATA]) for record in records if record[TYPE] == rr.LUA)
    return not types.isdisjoint(rrtypes)

"""RRsets made whole: no RR twice (RFC 2181 §5), one TTL (RFC 2181 §5.2)."""

from __future__ import annotations

from itertools import compress, count, islice
from operator import eq, itemgetter
from typing import Final

from lzc.faults import Fault, Severity
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.name import to_text
from lzc.wire.rdata import covered_type
from lzc.zone.model import KEY, PLACE, RDATA, TTL, TYPE, Record, Zone

_WITHOUT_NAMES: Final = frozenset({rr.A, rr.AAAA, rr.TXT})
"""Types, among the frequent ones, whose RDATA is compared as it stands."""
_BY_COVERED_TYPE: Final = frozenset({rr.LUA, rr.RRSIG, rr.SIG})
"""Types whose RDATA starts with the type that a record answers for, or covers."""


def unify_rrsets(zone: Zone) -> list[Fault]:
    """Drop the duplicates of a sorted zone and give each RRset its smallest TTL, in place.

    Returns a warning for each. Of duplicates the one that stands first in the sources stays; names
    in RDATA are compared without regard to case. The LUA records of one owner that answer for
    different types keep their TTLs: they are different RRsets in every answer. So do RRSIG records,
    which have the TTL of the RRset they cover (RFC 4034 §3).
    """
    records = zone.records
    keys = [record[KEY] for record in records]
    # Built-ins go through a million records in half the time of a loop.
    same_key = map(eq, keys, islice(keys, 1, None))
    starts = [
        index
        for index in compress(count(), same_key)
        if _to_look_at(records[index], records[index + 1])
    ]
    if not starts:
        return []
    faults: list[Fault] = []
    unified: list[Record] = []
    done = 0
    for start in starts:
        if start < done:
            continue
        key, rrtype = records[start][KEY], records[start][TYPE]
        while (
            start > done and records[start - 1][TYPE] == rrtype and records[start - 1][KEY] == key
        ):
            start -= 1
        unified += records[done:start]
        done = start + 1
        while done < len(records) and records[done][TYPE] == rrtype and records[done][KEY] == key:
            done += 1
        unified += _unify(zone, records[start:done], faults)
    zone.records[:] = unified + records[done:]
    return faults


def _to_look_at(record: Record, after: Record) -> bool:
    """True when two neighbours of one owner belong to an RRset that may have to change."""
    if record[TYPE] != after[TYPE]:
        return False
    if record[TYPE] not in _WITHOUT_NAMES:
        return True
    # Sorted by RDATA, duplicates of these types are neighbours.
    return record[RDATA] == after[RDATA] or record[TTL] != after[TTL]


def _unify(zone: Zone, rrset: list[Record], faults: list[Fault]) -> list[Record]:
    if rrset[0][TYPE] in _BY_COVERED_TYPE:
        by_covered: dict[int, list[Record]] = {}
        for record in rrset:
            by_covered.setdefault(covered_type(record[RDATA]), []).append(record)
        groups = list(by_covered.values())
    else:
        groups = [rrset]
    unified: list[Record] = []
    for group in groups:
        unified += _equal_ttls(zone, _without_duplicates(zone, group, faults), faults)
    return unified


def _without_duplicates(zone: Zone, rrset: list[Record], faults: list[Fault]) -> list[Record]:
    rrtype = rrset[0][TYPE]
    canonical = [wire_rdata.canonical(rrtype, record[RDATA]) for record in rrset]
    if len(set(canonical)) == len(rrset):
        return rrset
    first: dict[bytes, Record] = {}
    by_place = sorted(zip(canonical, rrset, strict=True), key=lambda pair: pair[1][PLACE])
    for content, record in by_place:
        kept = first.setdefault(content, record)
        if kept is not record:
            faults.append(
                Fault(
                    zone.place(record),
                    "duplicate-record",
                    f"this {rr.to_text(rrtype)} record stands at {zone.place(kept)} already",
                    "an RRset holds an RR once (RFC 2181 §5)",
                    "remove one of them; it is left out of the zone",
                    Severity.WARNING,
                )
            )
    kept_records = {id(record) for record in first.values()}
    return [record for record in rrset if id(record) in kept_records]


def _equal_ttls(zone: Zone, rrset: list[Record], faults: list[Fault]) -> list[Record]:
    ttls = {record[TTL] for record in rrset}
    if len(ttls) == 1:
        return rrset
    smallest = min(ttls)
    for record in sorted(rrset, key=itemgetter(PLACE)):
        if record[TTL] != smallest:
            owner, rrtype = to_text(zone.owner(record)), rr.to_text(record[TYPE])
            faults.append(
                Fault(
                    zone.place(record),
                    "rrset-ttl-differs",
                    f"TTL {record[TTL]}, but {smallest} on another {rrtype} record of {owner}",
                    "all RRs of an RRset have one TTL (RFC 2181 §5.2); the smallest is taken",
                    f"write {smallest} here too, or the larger one on all",
                    Severity.WARNING,
                )
            )
    return [(key, rrtype, rdata, smallest, place) for key, rrtype, rdata, _, place in rrset]

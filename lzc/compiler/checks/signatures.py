"""The signatures of a presigned zone, each of which is checked before it is served."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from lzc.bundle.zone_info import ZoneKey
from lzc.dnssec.key import key_tag
from lzc.dnssec.life.outlook import span, when
from lzc.dnssec.validation.signature_check import SignatureCheck, ZoneKeys
from lzc.faults import Fault, Severity
from lzc.image.presigned import Presigned
from lzc.wire import rrtype as rr
from lzc.zone.model import KEY, RDATA, TTL, TYPE, Record, Zone

SOON: Final = 7 * 86400
"""Seconds before the first signature expires from which on a build warns of it."""

_AGAIN: Final = "sign the zone again with what signed it, and build"


def published_keys(zone: Zone) -> tuple[ZoneKey, ...]:
    """The DNSKEY records at the apex."""
    return tuple(
        ZoneKey(key_tag(rdata), rdata[3], rdata[0] << 8 | rdata[1], rdata)
        for key, rrtype, rdata, _, _ in zone.records
        if rrtype == rr.DNSKEY and not key
    )


def check_signatures(zone: Zone, presigned: Presigned, now: float) -> Iterator[Fault]:
    """What is wrong at ``now`` with the signatures over a zone whose records are sorted, and were
    checked. Fills in when the first of them expires."""
    keys = [record for record in zone.of_type(rr.DNSKEY) if not record[KEY]]
    if not keys or not presigned.links:
        lacking = "DNSKEY records at its apex" if not keys else "NSEC and NSEC3 records"
        yield Fault(
            zone.place(zone.records[0]),
            "presigned-unsigned",
            f"zone {zone.name} is to be served as it is signed, and has no {lacking}",
            "validators would call it bogus",
            "name the file that the signer wrote, or set dnssec = true: it is signed here then",
        )
        return
    apex = dns.name.from_wire(zone.apex, 0)[0]
    trusted = ZoneKeys(apex, _rrset(zone, keys))
    check = SignatureCheck(now, once=True)
    made = _made(zone, presigned)
    end = float("inf")
    for records in _signed_rrsets(zone, presigned):
        rrset = _rrset(zone, records)
        held = check.look(rrset, made.get((records[0][KEY], records[0][TYPE])), trusted)
        end = min(end, held.until)
        for problem in held.problems:
            yield Fault(
                zone.place(records[0]),
                "presigned-signature",
                problem,
                "validators would call the answer bogus",
                _AGAIN,
            )
    if end == float("inf"):
        return
    presigned.end = int(end)
    if now <= end <= now + SOON:
        yield Fault(
            zone.place(zone.records[0]),
            "signatures-end",
            f"the first signatures of zone {zone.name} expire {when(end)}, in {span(end - now)}",
            "from then on validators call it bogus",
            _AGAIN,
            Severity.WARNING,
        )


def _made(zone: Zone, presigned: Presigned) -> dict[tuple[bytes, int], dns.rrset.RRset]:
    """The RRSIG RRsets, by node key and type that they cover."""
    groups: dict[tuple[bytes, int], list[Record]] = {}
    for record in presigned.records:
        if record[TYPE] == rr.RRSIG:
            covered = record[RDATA][0] << 8 | record[RDATA][1]
            groups.setdefault((record[KEY], covered), []).append(record)
    return {ident: _rrset(zone, records) for ident, records in groups.items()}


def _signed_rrsets(zone: Zone, presigned: Presigned) -> Iterator[Sequence[Record]]:
    """The RRsets that are to have signatures (RFC 4035 §2.2), those of the chain included."""
    hider: bytes | None = None
    for (key, rrtype), group in groupby(zone.records, lambda record: record[: TYPE + 1]):
        if hider is not None and (not hider or key.startswith(hider + b"\0")) and key:
            continue
        records = list(group)
        if rrtype == rr.DNAME or (rrtype == rr.NS and key):
            hider = key
        # Glue may stand at the very delegation, before its NS in the order of types.
        if key and _is_cut(zone, key) and rrtype != rr.DS:
            continue
        yield records
    for record in presigned.links.values():
        yield [record]


def _is_cut(zone: Zone, key: bytes) -> bool:
    from bisect import bisect_left

    at = bisect_left(zone.records, (key, rr.NS))
    return at < len(zone.records) and zone.records[at][: TYPE + 1] == (key, rr.NS)


def _rrset(zone: Zone, records: Sequence[Record]) -> dns.rrset.RRset:
    name = dns.name.from_wire(zone.owner(records[0]), 0)[0]
    rdatas = [
        dns.rdata.from_wire(
            dns.rdataclass.IN,
            dns.rdatatype.RdataType(record[TYPE]),
            record[RDATA],
            0,
            len(record[RDATA]),
        )
        for record in records
    ]
    return dns.rrset.from_rdata_list(name, records[0][TTL], rdatas)

"""The signatures of a presigned zone, each of which is checked before it is served."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack
from functools import partial
from hashlib import blake2b, sha256
from itertools import groupby
from os import sched_getaffinity
from typing import Any, Final, NamedTuple

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
from lzc.source.second_process import SecondProcess
from lzc.wire import rrtype as rr
from lzc.zone.model import KEY, RDATA, TTL, TYPE, Record, Zone

SOON: Final = 7 * 86400
"""Seconds before the first signature expires from which on a build warns of it."""

_MANY: Final = 500
"""RRsets from which on several processes check faster than one."""
_AGAIN: Final = "sign the zone again with what signed it, and build"


def published_keys(zone: Zone) -> tuple[ZoneKey, ...]:
    """The DNSKEY records at the apex."""
    return tuple(
        ZoneKey(key_tag(rdata), rdata[3], rdata[0] << 8 | rdata[1], rdata)
        for key, rrtype, rdata, _, _ in zone.records
        if rrtype == rr.DNSKEY and not key
    )


class _Signed(NamedTuple):
    """An RRset and its RRSIGs, which are known together by a ``digest``."""

    records: Sequence[Record]
    rrsigs: Sequence[Record]
    digest: bytes


class _Verdict(NamedTuple):
    """What was found of an RRset: the problems, until when its signatures hold, and whether all of
    them do."""

    problems: tuple[str, ...]
    until: float
    right: bool


def check_signatures(
    zone: Zone,
    presigned: Presigned,
    now: float,
    known: Set[bytes] = frozenset(),
    *,
    in_parts: bool = False,
) -> Iterator[Fault]:
    """What is wrong at ``now`` with the signatures over a zone whose records are sorted, and were
    checked. Fills in from when until when none of that changes, and by what those that are right
    are known: their mathematics, which take most of the time, is not done again where that is among
    those ``known``. With ``in_parts`` all cores help."""
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
    made = _made(presigned)
    salt = sha256(zone.apex + b"".join(sorted({record[RDATA] for record in keys}))).digest()
    signed = []
    end, begin = float("inf"), 0
    for records in _signed_rrsets(zone, presigned):
        rrsigs = made.get((records[0][KEY], records[0][TYPE]), ())
        digest = _digest(records, rrsigs, salt)
        if digest in known:
            first, last, until = _times(rrsigs)
            if last <= now <= first:
                presigned.right.append(digest)
                end, begin = min(end, until), max(begin, last)
                continue
        signed.append(_Signed(records, rrsigs, digest))
    for one, verdict in zip(signed, _look(zone, signed, trusted, now, in_parts), strict=True):
        end = min(end, verdict.until)
        if one.rrsigs:
            begin = max(begin, _times(one.rrsigs)[1])
        if verdict.right:
            presigned.right.append(one.digest)
        for problem in verdict.problems:
            yield Fault(
                zone.place(one.records[0]),
                "presigned-signature",
                problem,
                "validators would call the answer bogus",
                _AGAIN,
            )
    if end == float("inf"):
        return
    presigned.begin, presigned.end = begin, int(end)
    if now <= end <= now + SOON:
        yield Fault(
            zone.place(zone.records[0]),
            "signatures-end",
            f"the first signatures of zone {zone.name} expire {when(end)}, in {span(end - now)}",
            "from then on validators call it bogus",
            _AGAIN,
            Severity.WARNING,
        )


def _look(
    zone: Zone, signed: Sequence[_Signed], keys: ZoneKeys, now: float, in_parts: bool
) -> Iterator[_Verdict]:
    """The verdicts on RRsets, in their order; of many, each core does a part."""
    cores = len(sched_getaffinity(0)) if in_parts and len(signed) >= _MANY else 1
    size = -(-len(signed) // cores)
    parts = [signed[at : at + size] for at in range(0, len(signed), size or 1)]
    work: list[Callable[[], list[Any]]] = [
        partial(_plain_verdicts, zone, part, keys, now) for part in parts
    ]
    with ExitStack() as running:
        others = [running.enter_context(SecondProcess(one)) for one in work[1:]]
        for number, one in enumerate(work):
            found = one() if number == 0 else others[number - 1].result()
            # A process that failed leaves its part to this one.
            yield from map(_Verdict._make, one() if found is None else found)


def _plain_verdicts(
    zone: Zone, signed: Sequence[_Signed], keys: ZoneKeys, now: float
) -> list[tuple[Any, ...]]:
    check = SignatureCheck(now, once=True)
    found = []
    for records, rrsigs, _ in signed:
        made = _rrset(zone, rrsigs) if rrsigs else None
        held = check.look(_rrset(zone, records), made, keys)
        right = not held.problems and len(held.by) == len(rrsigs)
        found.append((held.problems, held.until, right))
    return found


def _digest(records: Sequence[Record], rrsigs: Sequence[Record], salt: bytes) -> bytes:
    """By what an RRset with its RRSIGs and the keys of its zone is known: all that decides whether
    the signatures are right, but for the time."""
    digest = blake2b(records[0][KEY], digest_size=16, key=salt)
    for _, rrtype, rdata, ttl, _ in (*records, *rrsigs):
        digest.update(b"\0%d %d %d " % (rrtype, ttl, len(rdata)))
        digest.update(rdata)
    return digest.digest()


def _times(rrsigs: Sequence[Record]) -> tuple[int, int, int]:
    """When the first of the RRSIGs expires, when the last becomes valid, and until when there is
    one of each algorithm, in seconds since the epoch (RFC 4034 §3.1)."""
    until: dict[int, int] = {}
    first, last = 2**32, 0
    for _, _, rdata, _, _ in rrsigs:
        expires = int.from_bytes(rdata[8:12], "big")
        first, last = min(first, expires), max(last, int.from_bytes(rdata[12:16], "big"))
        until[rdata[2]] = max(expires, until.get(rdata[2], 0))
    return first, last, min(until.values(), default=0)


def _made(presigned: Presigned) -> dict[tuple[bytes, int], list[Record]]:
    """The RRSIG RRs, by node key and type that they cover."""
    groups: dict[tuple[bytes, int], list[Record]] = {}
    for record in presigned.records:
        if record[TYPE] == rr.RRSIG:
            covered = record[RDATA][0] << 8 | record[RDATA][1]
            groups.setdefault((record[KEY], covered), []).append(record)
    return groups


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

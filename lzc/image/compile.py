"""Compile a zone: sorted records in, the nodes and messages of a bundle out.

One pass over the names in canonical order. The serial is decided from the digest, which is known
only when everything else is done, so compiling gives a `Draft` that waits for its serial.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import compress, count, islice
from operator import ne
from typing import Final

from lzc.bundle import node as nodes
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo, ZoneKey
from lzc.dnssec import sync_records
from lzc.dnssec.signing.denial import HASH, NSEC_CHAIN, Denial, Way
from lzc.faults import Fault
from lzc.image import presigned as others
from lzc.image import transfer_stream
from lzc.image.hash_chain import chain_of
from lzc.image.name_slice import Frame, NameSlice, RRsets
from lzc.powerdns_versions import LATEST, Version, shown
from lzc.source.second_process import SecondProcess
from lzc.wire import rrtype as rr
from lzc.wire.rdata import soa_serial, soa_times, with_serial
from lzc.zone.model import Record, Zone

MIN_NAMES: Final = 100_000
"""Names of a zone from which on a second process pays."""

RUN: Final = 1 << 13
"""Names whose nodes are made at a time."""
FIRST_SHARE: Final = 0.46
"""Share of the names for the process that also takes over what the other process made."""

_NOTHING: Final[Mapping[int, Sequence[bytes]]] = {}
_EMPTY: Final = [nodes.encode(flags, b"", ()) for flags in range(256)]


@dataclass(slots=True)
class Draft:
    """A zone compiled but for its serial: ``info`` has that of the source, and knows no transfer.
    ``items`` are the keys and nodes of all names but the apex, in order, zone id in front;
    ``chain`` and ``signatures`` are as in `CompiledZone`."""

    info: ZoneInfo
    soa: Record
    apex_rrsets: RRsets
    apex_flags: int
    apex_nsec: bytes
    items: list[tuple[bytes, bytes]]
    bodies: transfer_stream.Bodies
    faults: list[Fault]
    chain: list[tuple[bytes, bytes]]
    signatures: list[tuple[bytes, bytes]]

    def finish(self, serial: int) -> CompiledZone:
        """The zone with the given serial; use it once, it takes the draft's lists."""
        info = self.info
        blob = nodes.blob(rr.SOA, self.soa[3], [with_serial(self.soa[2], serial)])
        rrsets = [(rr.SOA, 1, blob) if entry[0] == rr.SOA else entry for entry in self.apex_rrsets]
        apex_node = nodes.encode(self.apex_flags, self.apex_nsec, rrsets)
        self.items.insert(0, (info.zone_id.to_bytes(4, "big"), apex_node))
        messages = transfer_stream.assemble(info.apex, blob, self.bodies)
        info = replace(
            info,
            serial=serial,
            transfer_length=sum(map(len, messages)),
            transfer_messages=len(messages),
        )
        return CompiledZone(
            info, self.items, messages, chain=self.chain, signatures=self.signatures
        )


@dataclass(slots=True)
class _Compiled:
    """Consecutive names: a node each, its hash where there is a chain of those, and the joined RRs
    of a transfer with the octets of each."""

    nodes: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)
    rrs: bytes = b""
    sizes: array[int] = field(default_factory=lambda: array("L"))
    faults: list[Fault] = field(default_factory=list)


def compile_zone(
    zone: Zone,
    zone_id: int,
    *,
    signed: bool,
    lua: bool,
    keys: Sequence[ZoneKey] = (),
    apex: Mapping[int, Sequence[bytes]] = _NOTHING,
    key_ttl: int | None = None,
    in_halves: bool = False,
    powerdns: Version = LATEST,
    blanks: bool = False,
    denial: Denial = NSEC_CHAIN,
    presigned: others.Presigned | None = None,
) -> Draft:
    """Compile a zone whose records are sorted and passed the checks (one SOA, at the apex).

    ``signed`` makes the chain that ``denial`` takes and publishes ``keys``, and at the apex the
    RDATA of ``apex``, by RR type, which no transfer carries; ``key_ttl`` is their TTL in seconds,
    if it is not the SOA's minimum. ``lua`` says whether LUA records answer, and so whether what
    they answer for is listed in the chain; ``powerdns`` and ``blanks`` are what `ZoneInfo` has of
    them. `Draft.faults` reports records and RRsets that fit no message; such a draft must not be
    used. ``in_halves`` lets a second process compile half of a large zone, which changes nothing
    else. ``presigned`` is what was taken aside of a zone that another signer signed, and ``signed``
    then; neither keys nor way of denial are looked at, and `Draft.faults` tell where its chain is
    not that of the zone.
    """
    ours = signed and presigned is None
    if presigned is not None:
        denial = presigned.denial
    added = {rrtype: tuple(rdatas) for rrtype, rdatas in apex.items()} if ours else {}
    frame = _frame(zone, signed, lua, denial if signed else NSEC_CHAIN, frozenset(added))
    if in_halves and len(frame.names) >= MIN_NAMES:
        found = _compile_in_halves(frame)
    else:
        found = _compile(frame, 0, len(frame.names))
    top = NameSlice(frame, 0, 1)
    rrsets = top.rrsets(0)
    soa = next(record for record in top.records if record[1] == rr.SOA)
    minimum = soa_times(soa[2])[-1]
    records = zone.records
    if presigned is not None:
        records = sorted([*records, *presigned.records])
        found.rrs, found.sizes = _transferred(replace(zone, records=records))
    bodies = transfer_stream.Bodies([0], [b""])
    if not found.faults:
        soa_blob = nodes.blob(rr.SOA, soa[3], [soa[2]])
        room = transfer_stream.capacity(zone.apex, soa_blob)
        bodies = transfer_stream.cut(found.rrs, found.sizes, room)
    serial = soa_serial(soa[2])
    info = ZoneInfo(
        apex=zone.apex,
        zone_id=zone_id,
        serial=serial,
        signed=signed,
        lua=lua,
        digest=_digest(zone.apex, soa, bodies),
        soa_ttl=soa[3],
        soa_minimum=minimum,
        records=len(records),
        keys=tuple(keys),
        source_serial=serial,
        powerdns=shown(powerdns),
        blanks=blanks,
        denial=frame.denial,
        presigned=presigned is not None,
        signatures_end=0 if presigned is None else presigned.end,
        lua_records=[record[1] for record in records].count(rr.LUA),
    )
    prefix = zone_id.to_bytes(4, "big")
    ents = _ents(frame, prefix)
    chain: list[tuple[bytes, bytes]] = []
    signatures: list[tuple[bytes, bytes]] = []
    apex_nsec = top.nsec(0)
    if presigned is not None and not found.faults:
        if found.hashes:
            given = found.nodes, found.hashes, ents, prefix, presigned
            chain, found.faults = others.hold_nsec3(frame, *given)
        else:
            found.faults = others.hold_nsec(frame, found.nodes, presigned)
            apex_nsec = nodes.nsec(found.nodes[0])
        signatures = presigned.stored(prefix)
    elif found.hashes and not found.faults:
        chain, twice = chain_of(frame, found.nodes, found.hashes, ents, prefix)
        found.hashes.clear()
        if twice:
            found.faults.append(_same_hash(zone, soa))
    return Draft(
        info,
        soa,
        _with_keys(rrsets, info, added, minimum, minimum if key_ttl is None else key_ttl)
        if ours
        else rrsets,
        top.flags(0, rrsets),
        apex_nsec,
        _items(frame, prefix, found.nodes, ents),
        bodies,
        sorted(found.faults, key=lambda fault: fault.place),
        chain,
        signatures,
    )


def _transferred(zone: Zone) -> tuple[bytes, array[int]]:
    """The RRs of a transfer but the SOA, joined, and the octets of each."""
    frame = _frame(zone, False, False, NSEC_CHAIN, frozenset())
    rrs: list[bytes] = []
    sizes: array[int] = array("L")
    last = len(frame.names)
    for start in range(0, last, RUN):
        joined, some = NameSlice(frame, start, min(start + RUN, last)).transferred()
        rrs.append(joined)
        sizes += some
    return b"".join(rrs), sizes


def _frame(
    zone: Zone, signed: bool, lua: bool, denial: Denial, apex_types: frozenset[int]
) -> Frame:
    records = zone.records
    owners = [record[0] for record in records]
    starts = [0, *compress(count(1), map(ne, owners, islice(owners, 1, None)))]
    names = owners if len(starts) == len(records) else [owners[start] for start in starts]
    starts.append(len(records))
    # One search through all names instead of three in each saves 0.5 s in a million.
    joined = b"".join(names)
    is_flat = b"\x00" not in joined and b"\x01" not in joined
    parents = _wildcard_parents(names) if b"*" in joined else set()
    marks = _occluded(records, names)
    return Frame(zone, signed, lua, denial, names, starts, marks, parents, is_flat, apex_types)


def _occluded(records: Sequence[Record], names: list[bytes]) -> bytearray:
    """For each name 1 when it is below a zone cut or a DNAME (RFC 2136 §7.18 calls it occluded)."""
    marks = bytearray(len(names))
    ns, dname = rr.NS, rr.DNAME
    cuts = [r[0] for r in records if (r[1] == ns and r[0]) or r[1] == dname]
    for cut in cuts:
        first = bisect_left(names, cut + b"\x00") if cut else 1
        last = bisect_left(names, cut + b"\x01") if cut else len(names)
        marks[first:last] = b"\x01" * (last - first)
    return marks


def _wildcard_parents(names: list[bytes]) -> set[bytes]:
    """The keys of the names right above a label ``*``."""
    parents: set[bytes] = set()
    for key in [key for key in names if b"*" in key]:
        labels = key.split(b"\x00")
        for depth, label in enumerate(labels):
            if label == b"*":
                parents.add(b"\x00".join(labels[:depth]))
    return parents


def _compile(frame: Frame, first: int, last: int) -> _Compiled:
    """The names from ``first`` up to ``last``, a slice at a time."""
    found = _Compiled()
    rrs: list[bytes] = []
    for start in range(first, last, RUN):
        names = NameSlice(frame, start, min(start + RUN, last))
        found.nodes += names.nodes()
        if frame.denial.way is Way.NSEC3:
            found.hashes += names.hashes()
        joined, sizes = names.transferred()
        rrs.append(joined)
        found.sizes += sizes
        found.faults += names.faults
    found.rrs = b"".join(rrs)
    return found


def _compile_in_halves(frame: Frame) -> _Compiled:
    """All names, about half of them in a second process."""
    last = len(frame.names)
    middle = int(last * FIRST_SHARE)

    def second_half() -> tuple[list[bytes], bytes, bytes, bytes] | None:
        made = _compile(frame, middle, last)
        if made.faults:
            return None
        return made.nodes, b"".join(made.hashes), made.rrs, made.sizes.tobytes()

    with SecondProcess(second_half) as other:
        found = _compile(frame, 0, middle)
        second = other.result()
    if second is None:
        return _compile(frame, 0, last)
    more_nodes, more_hashes, more_rrs, more_sizes = second
    found.nodes += more_nodes
    found.hashes += [more_hashes[at : at + HASH] for at in range(0, len(more_hashes), HASH)]
    found.rrs += more_rrs
    found.sizes.frombytes(more_sizes)
    return found


def _items(
    frame: Frame, prefix: bytes, contents: list[bytes], ents: list[tuple[bytes, bytes]]
) -> list[tuple[bytes, bytes]]:
    """Keys and nodes of all names below the apex, ENTs included, in order."""
    items = list(zip(map(prefix.__add__, frame.names), contents, strict=True))
    del items[0]
    if ents:
        items += ents
        items.sort()
    return items


def _ents(frame: Frame, prefix: bytes) -> list[tuple[bytes, bytes]]:
    """The keys and nodes of the ancestors that no record made, in order."""
    if frame.is_flat:
        return []
    deep = [key for key in frame.names if b"\x00" in key]
    above = {key[: key.rindex(b"\x00")] for key in deep}
    above.difference_update(frame.names)
    missing = set(above)
    for key in above:
        while b"\x00" in key:
            key = key[: key.rindex(b"\x00")]
            index = bisect_left(frame.names, key)
            if key in missing or frame.names[index] == key:
                break
            missing.add(key)
    found: list[tuple[bytes, bytes]] = []
    for key in sorted(missing):
        flags = nodes.ENT
        if frame.occluded[bisect_left(frame.names, key)]:
            flags |= nodes.OCCLUDED
        if key in frame.wildcard_parents:
            flags |= nodes.WILDCARD_CHILD
        found.append((prefix + key, _EMPTY[flags]))
    return found


def _with_keys(
    rrsets: RRsets, info: ZoneInfo, added: Mapping[int, Sequence[bytes]], ttl: int, key_ttl: int
) -> RRsets:
    """The apex's RRsets with the DNSKEY RRset of our keys, with what is added, and with the
    NSEC3PARAM RRset of a zone that is denied by hashes (RFC 5155 §4). What the source has of the
    types of keys stays there, too, but beside a record that asks for no DS at all."""
    published = {rrtype: set(rdatas) for rrtype, rdatas in added.items()}
    published.setdefault(rr.DNSKEY, set()).update(key.dnskey for key in info.keys)
    for rrtype, _, blob in rrsets:
        if rrtype in published and not published[rrtype] & sync_records.DELETE:
            published[rrtype].update(nodes.rdatas(blob))
    found = [entry for entry in rrsets if entry[0] not in published]
    for rrtype, rdatas in published.items():
        data = sorted(rdatas)
        found.append((rrtype, len(data), nodes.blob(rrtype, key_ttl, data)))
    if info.denial.is_hashed:
        parameters = nodes.blob(rr.NSEC3PARAM, ttl, [info.denial.parameters_rdata])
        found.append((rr.NSEC3PARAM, 1, parameters))
    return sorted(found)


def _same_hash(zone: Zone, soa: Record) -> Fault:
    return Fault(
        zone.place(soa),
        "nsec3-same-hash",
        f"two names of {zone.name} have the same NSEC3 hash",
        "neither could be told from the other (RFC 5155 §7.1)",
        "give the zone another nsec3-salt",
    )


def _digest(apex: bytes, soa: Record, bodies: transfer_stream.Bodies) -> str:
    """SHA-256 of the zone's content, the serial taken as 0. Keys do not count: they reach no
    secondary by transfer, so a rollover needs no new serial."""
    digest = hashlib.sha256(b"lzc zone 1\x00")
    digest.update(apex)
    digest.update(soa[3].to_bytes(4, "big") + soa[2][:-20] + soa[2][-16:])
    for content in bodies.contents:
        digest.update(content)
    return digest.hexdigest()

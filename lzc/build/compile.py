"""Compile a zone: sorted records in, the nodes and messages of a bundle out.

One pass over the names in canonical order. The serial is decided from the digest, which is known
only when everything else is done, so compiling gives a `Draft` that waits for its serial.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise, repeat
from typing import Final

from lzc.build import structure, transfer_stream
from lzc.bundle import node as nodes
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo, ZoneKey
from lzc.dnssec.nsec import bitmap
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.name import relative_of_key
from lzc.zone.model import Record, Zone
from lzc.zone.place import Fault

MAX_RRSET: Final = 63000
"""Octets of an RRset at most: with question, OPT and signatures it must fit a TCP message."""

_FLAG_OF_TYPE: Final = {
    rr.NS: nodes.DELEGATION,
    rr.CNAME: nodes.HAS_CNAME,
    rr.LUA: nodes.HAS_LUA,
    rr.DNAME: nodes.HAS_DNAME,
}
_LUA: Final = rr.LUA
_ENTRY: Final = 8
"""Octets of an RRset's entry in the head of a node."""
_LENGTH: Final = [bytes((length,)) for length in range(256)]
_SERIAL: Final = slice(-20, -16)
"""Where the serial stands in SOA RDATA, counted from its end."""

_EMPTY: Final = [nodes.encode(flags, b"", ()) for flags in range(256)]
_rr_head = lru_cache(maxsize=4096)(nodes.rr_head)

RRsets = list[tuple[int, int, bytes]]


@dataclass(slots=True)
class Draft:
    """A zone compiled but for its serial. ``items`` are the keys and nodes of all names but the
    apex, in order, zone id in front; ``digest`` covers everything except the serial."""

    apex: bytes
    zone_id: int
    signed: bool
    lua: bool
    keys: tuple[ZoneKey, ...]
    soa: Record
    apex_rrsets: RRsets
    apex_flags: int
    apex_nsec: bytes
    items: list[tuple[bytes, bytes]]
    bodies: transfer_stream.Bodies
    digest: str
    records: int
    faults: list[Fault] = field(default_factory=list)

    @property
    def serial(self) -> int:
        """The serial that the source says."""
        return int.from_bytes(self.soa[2][_SERIAL], "big")

    def finish(self, serial: int) -> CompiledZone:
        """The zone with the given serial; use it once, it takes the draft's lists."""
        rdata = self.soa[2][: _SERIAL.start] + serial.to_bytes(4, "big") + self.soa[2][-16:]
        blob = nodes.blob(rr.SOA, self.soa[3], [rdata])
        rrsets = [(rr.SOA, 1, blob) if entry[0] == rr.SOA else entry for entry in self.apex_rrsets]
        apex_key = self.zone_id.to_bytes(4, "big")
        apex_node = nodes.encode(self.apex_flags, self.apex_nsec, rrsets)
        self.items.insert(0, (apex_key, apex_node))
        messages = transfer_stream.assemble(self.apex, blob, self.bodies)
        info = ZoneInfo(
            apex=self.apex,
            zone_id=self.zone_id,
            serial=serial,
            signed=self.signed,
            lua=self.lua,
            digest=self.digest,
            soa_ttl=self.soa[3],
            soa_minimum=int.from_bytes(rdata[-4:], "big"),
            records=self.records,
            transfer_offset=0,
            transfer_length=sum(map(len, messages)),
            transfer_messages=len(messages),
            keys=self.keys,
            source_serial=self.serial,
        )
        return CompiledZone(info, self.items, messages)


def compile_zone(
    zone: Zone, zone_id: int, *, signed: bool, lua: bool, keys: Sequence[ZoneKey] = ()
) -> Draft:
    """Compile a zone whose records are sorted and passed the checks (one SOA, at the apex).

    ``signed`` makes the NSEC chain and publishes ``keys``; ``lua`` says whether LUA records answer,
    and so whether what they answer for is listed in the chain. `Draft.faults` reports records and
    RRsets that fit no message; such a draft must not be used.
    """
    return _Compiler(zone, zone_id, signed, lua, tuple(keys)).run()


class _Compiler:
    def __init__(
        self, zone: Zone, zone_id: int, signed: bool, lua: bool, keys: tuple[ZoneKey, ...]
    ) -> None:
        self.zone = zone
        self.zone_id = zone_id
        self.signed = signed
        self.lua = lua
        self.keys = keys
        self.faults: list[Fault] = []
        self.rrs: list[bytes] = []
        records = zone.records
        owners = [record[0] for record in records]
        self.starts = [0]
        self.starts += [
            index
            for index, (before, owner) in enumerate(pairwise(owners), 1)
            if owner is not before and owner != before
        ]
        self.names = [owners[start] for start in self.starts]
        self.starts.append(len(owners))
        # One search through all names instead of three in each saves 0.5 s in a million.
        joined = b"".join(self.names)
        self.is_flat = b"\x00" not in joined and b"\x01" not in joined
        if self.is_flat:
            self.relatives = [_LENGTH[len(key)] + key for key in self.names]
        else:
            self.relatives = [relative_of_key(key) for key in self.names]
        self.relatives[0] = b""
        self.occluded = structure.occluded(records, self.names)
        self.wildcard_parents = structure.wildcard_parents(self.names) if b"*" in joined else set()

    def run(self) -> Draft:
        zone = self.zone
        apex_records = zone.records[: self.starts[1]]
        soa = next(record for record in apex_records if record[1] == rr.SOA)
        rrsets = self.rrsets(0)
        next_names = self.next_names()
        apex_nsec = next_names[0] + self.bitmap(apex_records, 0) if self.signed else b""
        items = self.nodes(next_names)
        soa_blob = nodes.blob(rr.SOA, soa[3], [soa[2]])
        room = transfer_stream.capacity(zone.apex, soa_blob)
        bodies = transfer_stream.split(self.rrs, room) if not self.faults else None
        if bodies is None:
            bodies = transfer_stream.Bodies([0], [b""])
        flags = nodes.APEX | self.flags(0, rrsets) & ~nodes.DELEGATION
        if self.signed:
            rrsets = self.with_keys(rrsets, int.from_bytes(soa[2][-4:], "big"))
        return Draft(
            apex=zone.apex,
            zone_id=self.zone_id,
            signed=self.signed,
            lua=self.lua,
            keys=self.keys,
            soa=soa,
            apex_rrsets=rrsets,
            apex_flags=flags,
            apex_nsec=apex_nsec,
            items=items,
            bodies=bodies,
            digest=_digest(zone.apex, soa, bodies),
            records=len(zone.records),
            faults=self.faults,
        )

    def next_names(self) -> list[bytes]:
        """For each name the wire name of the next owner of an NSEC RR; the last one's is the apex.
        Occluded names own none, and what their entries say is not used."""
        if not self.signed:
            return []
        apex = self.zone.apex
        if not any(self.occluded):
            return [relative + apex for relative in self.relatives[1:]] + [apex]
        following: list[bytes] = [apex] * len(self.names)
        upcoming = apex
        occluded = self.occluded
        for index in range(len(self.names) - 1, -1, -1):
            following[index] = upcoming
            if not occluded[index]:
                upcoming = self.relatives[index] + apex
        return following

    def nodes(self, next_names: list[bytes]) -> list[tuple[bytes, bytes]]:
        """The nodes of all names below the apex, ENTs included, in order."""
        prefix = self.zone_id.to_bytes(4, "big")
        records, starts = self.zone.records, self.starts
        parents, signed, is_deep = self.wildcard_parents, self.signed, not self.is_flat
        nexts = next_names if signed else repeat(b"")
        heads: dict[tuple[int, int, int], tuple[bytes, bytes, bytes]] = {}
        items: list[tuple[bytes, bytes]] = []
        append, append_rr = items.append, self.rrs.append
        previous = parent = b""
        rows = zip(
            self.names, starts, starts[1:], self.relatives, self.occluded, nexts, strict=False
        )
        # Most names have one RR. They take this loop without a call: 0.7 instead of 4 µs each.
        for index, (key, start, end, relative, occluded, following) in enumerate(rows):
            if not index:
                continue
            if is_deep:
                if b"\x00" in key:
                    above = key[: key.rindex(b"\x00")]
                    if above != parent:
                        self.add_ents(items, previous, above, index)
                        parent = above
                previous = key
            _, rrtype, rdata, ttl, _ = records[start]
            if end - start != 1 or occluded or key in parents or rrtype == _LUA:
                append((prefix + key, self.node(index, following)))
                continue
            shape = (rrtype, ttl, len(rdata))
            if shape not in heads:
                heads[shape] = self.heads(records[start])
            flags, entry, head = heads[shape]
            octets = head + rdata
            append_rr(relative + octets)
            if signed:
                nsec_length = (len(following) + len(entry) - _ENTRY).to_bytes(2, "big")
                append((prefix + key, flags + nsec_length + following + entry + octets))
            else:
                append((prefix + key, entry + octets))
        return items

    def heads(self, record: Record) -> tuple[bytes, bytes, bytes]:
        """The fixed parts of nodes with one RR of a type, TTL and length: what stands before the
        length of the NSEC RDATA (empty in an unsigned zone), what stands between the next name and
        the RR, and the head of the RR."""
        _, rrtype, rdata, ttl, _ = record
        head = nodes.rr_head(rrtype, ttl, len(rdata))
        size = len(head) + len(rdata)
        if size > MAX_RRSET:
            self.too_large(record, size)
        single = nodes.head_of_single(_FLAG_OF_TYPE.get(rrtype, 0), b"", rrtype, size)
        if not self.signed:
            return b"", single, head
        return single[:2], self.bitmap([record], 1) + single[-_ENTRY:], head

    def node(self, index: int, next_name: bytes) -> bytes:
        """The node of a name below the apex, any number of RRsets."""
        rrsets = self.rrsets(index)
        nsec = b""
        if self.signed and not self.occluded[index]:
            start, end = self.starts[index], self.starts[index + 1]
            nsec = next_name + self.bitmap(self.zone.records[start:end], index)
        return nodes.encode(self.flags(index, rrsets), nsec, rrsets)

    def flags(self, index: int, rrsets: RRsets) -> int:
        flags = nodes.WILDCARD_CHILD if self.names[index] in self.wildcard_parents else 0
        for rrtype, _, _ in rrsets:
            flags |= _FLAG_OF_TYPE.get(rrtype, 0)
        if self.occluded[index]:
            flags = flags & ~nodes.DELEGATION | nodes.OCCLUDED
        return flags

    def rrsets(self, index: int) -> RRsets:
        """The RRsets at a name, and its RRs appended to the transfer (but for the SOA)."""
        relative = self.relatives[index]
        start, end = self.starts[index], self.starts[index + 1]
        records = self.zone.records
        rrsets: RRsets = []
        while start < end:
            rrtype = records[start][1]
            stop = start + 1
            while stop < end and records[stop][1] == rrtype:
                stop += 1
            group = records[start:stop]
            if stop - start > 1:
                group = _canonical_order(group)
            # The LUA records of a name may differ in TTL: they answer for different types.
            rrs = [_rr_head(rrtype, ttl, len(rdata)) + rdata for _, _, rdata, ttl, _ in group]
            blob = b"".join(rrs)
            if len(blob) > MAX_RRSET:
                self.too_large(records[start], len(blob))
            rrsets.append((rrtype, len(rrs), blob))
            if rrtype != rr.SOA:
                self.rrs += [relative + octets for octets in rrs]
            start = stop
        if len(rrsets) > 255:
            self.fault(records[start - 1], "too-many-types", "more than 255 RR types at one name")
            return rrsets[:255]
        return rrsets

    def bitmap(self, records: Sequence[Record], index: int) -> bytes:
        """The NSEC type bitmap of a name (RFC 4034 §4.1.2, RFC 4035 §2.3)."""
        here = {record[1] for record in records}
        if index and rr.NS in here:
            listed = here & {rr.NS, rr.DS}
        else:
            listed = here - {rr.LUA}
            if self.lua and rr.LUA in here:
                listed |= {
                    int.from_bytes(record[2][:2], "big")
                    for record in records
                    if record[1] == rr.LUA
                }
                listed.discard(rr.LUA)
        listed |= {rr.RRSIG, rr.NSEC}
        if not index:
            listed.add(rr.DNSKEY)
        return bitmap(tuple(sorted(listed)))

    def add_ents(
        self, items: list[tuple[bytes, bytes]], previous: bytes, above: bytes, index: int
    ) -> None:
        """Append nodes for the ancestors of a name that no record made: those that neither are, nor
        stand above, the name before it."""
        missing: list[bytes] = []
        while above and above != previous and not previous.startswith(above + b"\x00"):
            missing.append(above)
            above = above[: max(above.rfind(b"\x00"), 0)]
        prefix = self.zone_id.to_bytes(4, "big")
        for key in reversed(missing):
            flags = nodes.ENT
            if self.occluded[index]:
                flags |= nodes.OCCLUDED
            if key in self.wildcard_parents:
                flags |= nodes.WILDCARD_CHILD
            items.append((prefix + key, _EMPTY[flags]))

    def with_keys(self, rrsets: RRsets, ttl: int) -> RRsets:
        """The apex's RRsets with the DNSKEY RRset of our keys, and of those in the source."""
        published = {key.dnskey for key in self.keys}
        for rrtype, _, blob in rrsets:
            if rrtype == rr.DNSKEY:
                published.update(nodes.rdatas(blob))
        others = [entry for entry in rrsets if entry[0] != rr.DNSKEY]
        data = sorted(published)
        return sorted([*others, (rr.DNSKEY, len(data), nodes.blob(rr.DNSKEY, ttl, data))])

    def too_large(self, record: Record, size: int) -> None:
        self.fault(
            record,
            "rrset-too-large",
            f"{size} octets in one {rr.to_text(record[1])} RRset; at most {MAX_RRSET} fit a"
            " message with its signature",
        )

    def fault(self, record: Record, rule: str, message: str) -> None:
        self.faults.append(
            Fault(
                self.zone.place(record),
                rule,
                message,
                why="no server could send it in one answer",
                fix="spread the data over several names",
            )
        )


def _canonical_order(rrset: list[Record]) -> list[Record]:
    joined = b"".join([record[2] for record in rrset])
    if joined == joined.lower():
        return rrset
    return sorted(rrset, key=lambda record: wire_rdata.canonical(record[1], record[2]))


def _digest(apex: bytes, soa: Record, bodies: transfer_stream.Bodies) -> str:
    """SHA-256 of the zone's content, the serial taken as 0. Keys do not count: they reach no
    secondary by transfer, so a rollover needs no new serial."""
    digest = hashlib.sha256(b"lzc zone 1\x00")
    digest.update(apex)
    digest.update(soa[3].to_bytes(4, "big") + soa[2][: _SERIAL.start] + soa[2][-16:])
    for content in bodies.contents:
        digest.update(content)
    return digest.hexdigest()

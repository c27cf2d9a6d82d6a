"""Compile a zone: sorted records in, the nodes and messages of a bundle out.

One pass over the names in canonical order. The serial is decided from the digest, which is known
only when everything else is done, so compiling gives a `Draft` that waits for its serial.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import compress, count, islice
from operator import ne
from typing import Final

from lzc.bundle import node as nodes
from lzc.bundle.writer import CompiledZone
from lzc.bundle.zone_info import ZoneInfo, ZoneKey
from lzc.faults import Fault
from lzc.image import structure, transfer_stream
from lzc.image.name_slice import Frame, NameSlice, RRsets
from lzc.source.second_process import SecondProcess
from lzc.wire import rrtype as rr
from lzc.wire.rdata import soa_serial, soa_times, with_serial
from lzc.zone.model import Record, Zone

MIN_NAMES: Final = 100_000
"""Names of a zone from which on a second process pays."""

_RUN: Final = 1 << 13
_FIRST_SHARE: Final = 0.46
"""Share of the names for the process that also takes over what the other process made."""

"""Where the serial stands in SOA RDATA, counted from its end."""

_EMPTY: Final = [nodes.encode(flags, b"", ()) for flags in range(256)]


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
        return soa_serial(self.soa[2])

    def finish(self, serial: int) -> CompiledZone:
        """The zone with the given serial; use it once, it takes the draft's lists."""
        rdata = with_serial(self.soa[2], serial)
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
            soa_minimum=soa_times(rdata)[-1],
            records=self.records,
            transfer_offset=0,
            transfer_length=sum(map(len, messages)),
            transfer_messages=len(messages),
            keys=self.keys,
            source_serial=self.serial,
        )
        return CompiledZone(info, self.items, messages)


@dataclass(slots=True)
class _Compiled:
    """Consecutive names: a node each, and the joined RRs of a transfer with the octets of each."""

    nodes: list[bytes] = field(default_factory=list)
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
    in_halves: bool = False,
) -> Draft:
    """Compile a zone whose records are sorted and passed the checks (one SOA, at the apex).

    ``signed`` makes the NSEC chain and publishes ``keys``; ``lua`` says whether LUA records answer,
    and so whether what they answer for is listed in the chain. `Draft.faults` reports records and
    RRsets that fit no message; such a draft must not be used. ``in_halves`` lets a second process
    compile half of a large zone, which changes nothing else.
    """
    return _Compiler(zone, zone_id, signed, lua, tuple(keys)).run(in_halves=in_halves)


class _Compiler:
    def __init__(
        self, zone: Zone, zone_id: int, signed: bool, lua: bool, keys: tuple[ZoneKey, ...]
    ) -> None:
        self.zone = zone
        self.zone_id = zone_id
        self.signed = signed
        self.lua = lua
        self.keys = keys
        records = zone.records
        owners = [record[0] for record in records]
        starts = [0, *compress(count(1), map(ne, owners, islice(owners, 1, None)))]
        names = owners if len(starts) == len(records) else [owners[start] for start in starts]
        starts.append(len(records))
        # One search through all names instead of three in each saves 0.5 s in a million.
        joined = b"".join(names)
        self.frame = Frame(
            zone,
            signed,
            lua,
            names,
            starts,
            structure.occluded(records, names),
            structure.wildcard_parents(names) if b"*" in joined else set(),
            b"\x00" not in joined and b"\x01" not in joined,
        )

    def run(self, *, in_halves: bool) -> Draft:
        zone, names = self.zone, self.frame.names
        if in_halves and len(names) >= MIN_NAMES:
            found = self.compile_in_halves()
        else:
            found = self.compile(0, len(names))
        apex = NameSlice(self.frame, 0, 1)
        rrsets = apex.rrsets(0)
        soa = next(record for record in apex.records if record[1] == rr.SOA)
        soa_blob = nodes.blob(rr.SOA, soa[3], [soa[2]])
        room = transfer_stream.capacity(zone.apex, soa_blob)
        bodies = transfer_stream.Bodies([0], [b""])
        if not found.faults:
            bodies = transfer_stream.cut(found.rrs, found.sizes, room)
        flags = apex.flags(0, rrsets)
        apex_nsec = apex.nsec(0)
        if self.signed:
            rrsets = self.with_keys(rrsets, soa_times(soa[2])[-1])
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
            items=self.items(found.nodes),
            bodies=bodies,
            digest=_digest(zone.apex, soa, bodies),
            records=len(zone.records),
            faults=sorted(found.faults, key=lambda fault: fault.place),
        )

    def compile(self, first: int, last: int) -> _Compiled:
        """The names from ``first`` up to ``last``, a slice at a time."""
        found = _Compiled()
        rrs: list[bytes] = []
        for start in range(first, last, _RUN):
            names = NameSlice(self.frame, start, min(start + _RUN, last))
            found.nodes += names.nodes()
            joined, sizes = names.transferred()
            rrs.append(joined)
            found.sizes += sizes
            found.faults += names.faults
        found.rrs = b"".join(rrs)
        return found

    def compile_in_halves(self) -> _Compiled:
        """All names, about half of them in a second process."""
        last = len(self.frame.names)
        middle = int(last * _FIRST_SHARE)

        def second_half() -> tuple[list[bytes], bytes, bytes] | None:
            made = self.compile(middle, last)
            return None if made.faults else (made.nodes, made.rrs, made.sizes.tobytes())

        with SecondProcess(second_half) as other:
            found = self.compile(0, middle)
            second = other.result()
        if second is None:
            return self.compile(0, last)
        more_nodes, more_rrs, more_sizes = second
        found.nodes += more_nodes
        found.rrs += more_rrs
        found.sizes.frombytes(more_sizes)
        return found

    def items(self, contents: list[bytes]) -> list[tuple[bytes, bytes]]:
        """Keys and nodes of all names below the apex, ENTs included, in order."""
        prefix = self.zone_id.to_bytes(4, "big")
        items = list(zip(map(prefix.__add__, self.frame.names), contents, strict=True))
        del items[0]
        if not self.frame.is_flat:
            ents = self.ents()
            if ents:
                items += ents
                items.sort()
        return items

    def ents(self) -> list[tuple[bytes, bytes]]:
        """The keys and nodes of the ancestors that no record made, in order."""
        deep = [key for key in self.frame.names if b"\x00" in key]
        above = {key[: key.rindex(b"\x00")] for key in deep}
        above.difference_update(self.frame.names)
        missing = set(above)
        for key in above:
            while b"\x00" in key:
                key = key[: key.rindex(b"\x00")]
                index = bisect_left(self.frame.names, key)
                if key in missing or self.frame.names[index] == key:
                    break
                missing.add(key)
        prefix = self.zone_id.to_bytes(4, "big")
        found: list[tuple[bytes, bytes]] = []
        for key in sorted(missing):
            flags = nodes.ENT
            if self.frame.occluded[bisect_left(self.frame.names, key)]:
                flags |= nodes.OCCLUDED
            if key in self.frame.wildcard_parents:
                flags |= nodes.WILDCARD_CHILD
            found.append((prefix + key, _EMPTY[flags]))
        return found

    def with_keys(self, rrsets: RRsets, ttl: int) -> RRsets:
        """The apex's RRsets with the DNSKEY RRset of our keys, and of those in the source."""
        published = {key.dnskey for key in self.keys}
        for rrtype, _, blob in rrsets:
            if rrtype == rr.DNSKEY:
                published.update(nodes.rdatas(blob))
        others = [entry for entry in rrsets if entry[0] != rr.DNSKEY]
        data = sorted(published)
        return sorted([*others, (rr.DNSKEY, len(data), nodes.blob(rr.DNSKEY, ttl, data))])


def _digest(apex: bytes, soa: Record, bodies: transfer_stream.Bodies) -> str:
    """SHA-256 of the zone's content, the serial taken as 0. Keys do not count: they reach no
    secondary by transfer, so a rollover needs no new serial."""
    digest = hashlib.sha256(b"lzc zone 1\x00")
    digest.update(apex)
    digest.update(soa[3].to_bytes(4, "big") + soa[2][:-20] + soa[2][-16:])
    for content in bodies.contents:
        digest.update(content)
    return digest.hexdigest()

"""The names of a zone as they are to be published: what the bundle has, without LUA records, and
what was found in place of these."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lzc.bundle import node as nodes
from lzc.bundle.reader import ZoneView
from lzc.forms.entry import DELEGATION, DENIALS, OCCLUDED, RRset, parse
from lzc.forms.signing import with_owner
from lzc.wire import rrtype as rr
from lzc.wire.name import relative_of_key

_ENTRY: Final = struct.Struct(">HHI")
_OF_SIGNERS: Final = frozenset({rr.DNSKEY, rr.CDS, rr.CDNSKEY, rr.NSEC3PARAM})

Found = tuple[int, int, tuple[bytes, ...]]
"""Type, TTL and RDATA of an RRset that LUA records gave."""


class Name(NamedTuple):
    """``relative`` are its labels below the apex; without any of its ``rrsets`` it is none, but for
    an empty non-terminal."""

    key: bytes
    relative: bytes
    flags: int
    rrsets: tuple[RRset, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A zone of an open bundle. ``found`` has by node key what LUA records gave; ``signed``: the
    form is, else what only signed zones have stays away."""

    view: ZoneView
    signed: bool
    found: Mapping[bytes, tuple[Found, ...]] = field(default_factory=dict)

    @property
    def hashed(self) -> bool:
        """Whether names are denied by NSEC3."""
        return self.view.info.denial.is_hashed

    def at(self, key: bytes) -> Name | None:
        """A name; `None` where there is no node."""
        node = self.view.node(key)
        return None if node is None else self._name(key, node)

    def names(self, first: bytes = b"", last: bytes | None = None) -> Iterator[Name]:
        """Those from one on up to another, in order, empty non-terminals among them."""
        name = self._name
        for key, node in self.view.nodes_from(first):
            if last is not None and key >= last:
                return
            yield name(key, node)

    def _name(self, key: bytes, node: bytes) -> Name:
        relative = relative_of_key(key)
        flags = node[0]
        own = 0
        if flags & nodes.OCCLUDED:
            own = OCCLUDED
        elif flags & nodes.DELEGATION:
            own = DELEGATION
        count = node[1]
        position = 4 + (node[2] << 8 | node[3])
        start = base = position + 8 * count
        rrsets = []
        while position < base:
            rrtype, number, end = _ENTRY.unpack_from(node, position)
            if rrtype != rr.LUA and rrtype != rr.SOA:
                blob = with_owner(relative, node[start : base + end], number)
                rrsets.append(RRset(rrtype, number, blob))
            start = base + end
            position += 8
        if not self.signed and not key and self.view.info.is_signed_here:
            rrsets = [one for one in rrsets if one.rrtype not in _OF_SIGNERS]
        if key in self.found and not flags & (nodes.OCCLUDED | nodes.DELEGATION):
            rrsets = list(_joined(relative, rrsets, self.found[key]))
        return Name(key, relative, own, tuple(rrsets))


def _joined(relative: bytes, rrsets: list[RRset], found: tuple[Found, ...]) -> Iterator[RRset]:
    """The RRsets of a name, those that LUA records gave among them: of one type there is one, which
    has the smaller TTL."""
    of_type: dict[int, dict[bytes, None]] = {}
    ttls: dict[int, int] = {}
    for rrset in rrsets:
        rdatas = of_type.setdefault(rrset.rrtype, {})
        for ttl, rdata in _rdatas(relative, rrset):
            rdatas[rdata] = None
            ttls[rrset.rrtype] = ttl
    for rrtype, ttl, more in found:
        if more:
            of_type.setdefault(rrtype, {}).update(dict.fromkeys(more))
            ttls[rrtype] = min(ttl, ttls.get(rrtype, ttl))
    for rrtype in sorted(of_type):
        data = sorted(of_type[rrtype])
        blob = nodes.blob(rrtype, ttls[rrtype], data)
        yield RRset(rrtype, len(data), with_owner(relative, blob, len(data)))


def _rdatas(relative: bytes, rrset: RRset) -> Iterator[tuple[int, bytes]]:
    position, rrs = 0, rrset.rrs
    while position < len(rrs):
        head = position + len(relative) + nodes.RR_HEAD
        end = head + (rrs[head - 2] << 8 | rrs[head - 1])
        yield int.from_bytes(rrs[head - 6 : head - 2], "big"), rrs[head:end]
        position = end


def values_of(entry: bytes) -> tuple[Found, ...]:
    """The RRsets of an entry as if LUA records had given them."""
    found = []
    for rrtype, rrset in parse(entry).rrsets.items():
        if rrtype not in DENIALS:
            at = 0
            while rrset.rrs[at] < 0xC0:
                at += 1 + rrset.rrs[at]
            pairs = list(_rdatas(rrset.rrs[:at], rrset))
            found.append((rrtype, pairs[0][0], tuple(rdata for _, rdata in pairs)))
    return tuple(found)


def soa_of(view: ZoneView) -> bytes:
    """The SOA RR of the bundle, its owner as ``C0 0C``."""
    apex = view.node(b"") or b""
    found = nodes.find(apex, rr.SOA)
    if found is None:
        raise ValueError("a zone has no SOA")
    return apex[found[1] : found[2]]


__all__ = ["Found", "Name", "Source", "soa_of", "values_of"]

"""A zone as the answer path holds it: the bundle's view and what is derived from it once."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Final

from lzc.answer.stored_signatures import StoredSignatures
from lzc.bundle import node as nodes
from lzc.bundle.node import DELEGATION, HAS_DNAME, OCCLUDED, WILDCARD_CHILD
from lzc.bundle.reader import Bundle, BundleError, ZoneInfo, ZoneView
from lzc.dnssec.signing.cache import Head
from lzc.dnssec.signing.denial import Way
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.dnssec.token.sessions import Unreachable
from lzc.powerdns_versions import version_of
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.message import RRset

MAX_ZONES: Final = 16384
"""Zones whose derived things are kept; beyond, all are dropped and made again on demand."""


class SigningFailure(Exception):
    """A signed zone has no usable key here: the answer is SERVFAIL rather than unsigned. ``apex``
    is its lower-case wire name."""

    def __init__(self, apex: bytes) -> None:
        super().__init__(apex)
        self.apex = apex

    def __str__(self) -> str:
        return f"zone {wire_name.to_text(self.apex)} is signed, but none of its keys is usable here"


class HiddenZone(Exception):
    """What was asked for is in a catalog, which is for its consumers alone. ``apex`` is its
    lower-case wire name."""

    def __init__(self, apex: bytes) -> None:
        super().__init__(apex)
        self.apex = apex


class ServedZone:
    """One zone of the bundle.

    ``soa`` is the SOA RRset with the zone's TTL; ``negative_ttl`` is the TTL of the SOA in negative
    answers and of NSEC: the smaller of SOA TTL and SOA MINIMUM (RFC 2308 §5, RFC 9077 §3).
    ``flat`` tells that names directly below the apex that have no node do not exist: no DNAME, no
    wildcard. ``soa_parts`` are what stands between the compression pointers to the apex in the SOA
    RR of a negative answer. ``denial`` is how it denies, ``nsec3_head`` what NSEC3 RDATA of it
    begins with, and ``compact`` tells that it is compact denial (RFC 9824). A ``presigned`` zone
    has the signatures of its source.
    """

    __slots__ = (
        "_negative_soas",
        "apex",
        "apex_node",
        "compact",
        "denial",
        "flat",
        "hashed",
        "hashed_before",
        "info",
        "negative_ttl",
        "node",
        "nsec3_head",
        "powerdns",
        "predecessor",
        "presigned",
        "signed",
        "signer",
        "soa",
        "soa_parts",
        "zone_id",
    )

    def __init__(self, view: ZoneView, signer: ZoneSigner | None) -> None:
        info: ZoneInfo = view.info
        self.info = info
        self.apex: bytes = view.apex
        self.node: Callable[[bytes], bytes | None] = view.node
        self.predecessor: Callable[[bytes], tuple[bytes, bytes]] = view.predecessor
        self.hashed: Callable[[bytes], bytes | None] = view.hashed
        self.hashed_before: Callable[[bytes], tuple[bytes, bytes]] = view.hashed_before
        self.signed = info.signed
        self.denial = info.denial
        self.nsec3_head = info.denial.head
        self.compact = info.signed and info.denial.way is Way.COMPACT
        self.presigned = info.presigned
        self.signer = StoredSignatures(view) if info.presigned else signer
        self.zone_id = info.zone_id
        self.powerdns = version_of(info.powerdns)
        self.apex_node = view.node(b"") or b""
        soa = nodes.rrset(self.apex_node, self.apex, rrtype.SOA) if self.apex_node else None
        if soa is None:
            raise BundleError(f"zone {wire_name.to_text(self.apex)} has no SOA")
        self.soa = soa
        self.flat = not self.apex_node[0] & (DELEGATION | OCCLUDED | HAS_DNAME | WILDCARD_CHILD)
        self.negative_ttl = info.negative_ttl
        self.soa_parts = self._split_soa()
        self._negative_soas: dict[int, bytes] = {}

    def _split_soa(self) -> list[bytes]:
        """The negative SOA RR, cut where a compression pointer to the apex belongs."""
        rdata, parts, position = self.soa.rdatas[0], [b""], 0
        for _ in range(2):
            name, position = wire_name.from_wire(rdata, position)
            if self.apex != wire_name.ROOT and wire_name.is_subdomain(name.lower(), self.apex):
                parts[-1] += name[: -len(self.apex)]
                parts.append(b"")
            else:
                parts[-1] += name
        parts[-1] += rdata[position:]
        size = sum(map(len, parts)) + 2 * (len(parts) - 1)
        head = b"\x00\x06\x00\x01" + self.negative_ttl.to_bytes(4, "big") + size.to_bytes(2, "big")
        return [b"", head + parts[0], *parts[1:]]

    def negative_soa(self, apex_offset: int) -> bytes:
        """The SOA RR of a negative answer in wire form, for a message that has the apex at
        ``apex_offset`` (below 268, as it stands in the question)."""
        found = self._negative_soas.get(apex_offset)
        if found is None:
            pointer = (0xC000 | apex_offset).to_bytes(2, "big")
            found = self._negative_soas[apex_offset] = pointer.join(self.soa_parts)
        return found

    def signatures(
        self, owner: bytes, rrset: RRset, now: float, passing: bool = False
    ) -> tuple[bytes, ...]:
        """RRSIG RDATA over ``rrset``, signed as standing at ``owner`` (the wildcard, for an RRset
        made from one). ``passing`` as for `ZoneSigner.sign`. Raises `SigningFailure` without an
        active key that can be used."""
        signer = self.signer
        try:
            made = (
                signer.sign(owner, rrset.rrtype, rrset.ttl, rrset.rdatas, now, passing)
                if signer is not None
                else ()
            )
        except Unreachable as error:
            raise SigningFailure(self.apex) from error
        if not made:
            raise SigningFailure(self.apex)
        return made

    def head(self, rrtype: int, ttl: int, labels: int, now: float) -> Head | None:
        """What goes before the one signature over RRsets of a type, a TTL and so many labels;
        `None` where `signatures` has more to do (`ZoneSigner.head`)."""
        signer = self.signer
        return signer.head(rrtype, ttl, labels, now) if isinstance(signer, ZoneSigner) else None


class ServedZones:
    """The zones of a bundle, each with its signer. ``views`` are all there are, by apex, or `None`
    for a bundle of too many, ``deltas`` what is known of what they were.

    ``out`` are zones, by apex, that are out of service for want of keys: what leads to one raises
    `SigningFailure`, be a signature asked for or not. Half a zone would hide its fault from who
    looks without asking for signatures, and resolvers that get none go to another server. After a
    change of ``out``, call `forget`.

    What leads to a catalog raises `HiddenZone`, but while that is ``opened``, by its apex.
    """

    __slots__ = (
        "_find",
        "_find_parent",
        "_out",
        "_served",
        "_signers",
        "deltas",
        "opened",
        "views",
    )

    def __init__(
        self, bundle: Bundle, signers: Mapping[bytes, ZoneSigner], out: Container[bytes] = ()
    ) -> None:
        self.views = bundle.all_views()
        self.deltas = bundle.deltas
        self._find = bundle.find_zone
        self._find_parent = bundle.find_parent_zone
        self._signers = signers
        self._out = out
        self._served: dict[bytes, ServedZone] = {}
        self.opened = b""

    def of(self, view: ZoneView) -> ServedZone:
        """What is served of a zone."""
        return self._served.get(view.apex) or self._serve(view)

    def _serve(self, view: ZoneView) -> ServedZone:
        if len(self._served) >= MAX_ZONES:
            self._served.clear()
        apex = view.apex
        if view.info.catalog:
            if apex != self.opened:
                raise HiddenZone(apex)
            # Not kept: who asks next may not see it.
            return ServedZone(view, None)
        signer = self._signers.get(apex)
        if apex in self._out:
            raise SigningFailure(apex)
        zone = self._served[apex] = ServedZone(view, signer)
        return zone

    def forget(self, apexes: Iterable[bytes]) -> None:
        """Look anew whether zones are in service, and how they are signed."""
        for apex in apexes:
            self._served.pop(apex, None)

    def info(self, apex: bytes) -> ZoneInfo | None:
        """What the bundle says of the zone with this apex, in service or not."""
        view = self._find(apex)
        return view.info if view is not None and view.apex == apex else None

    def unsigned(self, apex: bytes) -> ServedZone | None:
        """The zone with this apex, in service or not, without a signer."""
        view = self._find(apex)
        return ServedZone(view, None) if view is not None and view.apex == apex else None

    def at(self, name: bytes) -> ServedZone | None:
        """The zone with the longest apex at or above a lower-case wire name."""
        view = self._find(name)
        return None if view is None else self.of(view)

    def for_type(self, name: bytes, qtype: int) -> ServedZone | None:
        """The zone that answers for ``qtype`` at ``name``: DS belongs to the parent side of a cut
        (RFC 4035 §3.1.4.1), as far as we serve it."""
        view = self._find(name)
        if qtype == rrtype.DS and view is not None and view.apex == name:
            # Not by way of the zone itself, which may be out of service.
            view = self._find_parent(name) or view
        return None if view is None else self.of(view)

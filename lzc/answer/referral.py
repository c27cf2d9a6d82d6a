"""Answers from the parent side of a cut, and addresses that go along with names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lzc.answer.denial import NOTHING, prover_of
from lzc.answer.match import Match
from lzc.answer.sections import Sections
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.bundle.node import DELEGATION, OCCLUDED
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype
from lzc.wire.message import RRset

MAX_TARGETS = 16
"""Names whose addresses are added to an answer at most; glue of a referral has no limit."""
_SMALLEST = 12
"""Octets of an RR at the least: two for its owner, and no RDATA."""


def refer(sections: Sections, zone: ServedZone, cut: Match) -> None:
    """Append the referral to a delegation: NS, DS or what proves that there is none (RFC 4035
    §3.1.4), and glue (RFC 9471)."""
    owner = wire_name.relative_of_key(cut.key) + zone.apex
    servers = nodes.rrset(cut.node, owner, rrtype.NS)
    if servers is None:
        raise ValueError("a delegation point without NS")
    sections.authority.append(servers)
    if sections.dnssec_ok and zone.signed:
        signer = nodes.rrset(cut.node, owner, rrtype.DS)
        if signer is not None:
            sections.add(sections.authority, zone, signer)
        else:
            sections.prove(zone, prover_of(zone).nodata(zone, cut.key, cut.node, NOTHING))
    sibling: list[tuple[list[RRset], bool]] = []
    # A delegation may have thousands of servers: what does not fit is not looked for.
    room = spare = sections.room - _SMALLEST * len(servers.rdatas)
    for target in _targets(servers):
        if room < 0:
            break
        if wire_name.is_subdomain(target, owner):
            found, _ = _addresses(zone, target)
            room -= _octets(found)
            sections.additional += found
        elif spare >= 0:
            found, authoritative = _addresses(zone, target)
            spare -= _octets(found)
            sibling.append((found, authoritative))
    sections.glue = len(sections.additional)
    for found, authoritative in sibling:
        _add(sections, zone, found, authoritative)


def _add(
    sections: Sections, zone: ServedZone, rrsets: Iterable[RRset], authoritative: bool
) -> None:
    for rrset in rrsets:
        if authoritative:
            sections.add(sections.additional, zone, rrset)
        else:
            sections.additional.append(rrset)


def _octets(rrsets: list[RRset]) -> int:
    """How many octets RRsets take at the least."""
    return _SMALLEST * sum(len(rrset.rdatas) for rrset in rrsets)


def add_addresses(sections: Sections, zone: ServedZone, rrset: RRset) -> None:
    """Append the addresses of the first names that NS, MX, SRV, SVCB or HTTPS RDATA points to, as
    far as the same zone has them (RFC 1034 §4.3.2 step 6, RFC 2782, RFC 9460 §4.1). They may be
    left out without harm."""
    for target in _targets(rrset, MAX_TARGETS):
        found, authoritative = _addresses(zone, target)
        for address in found:
            others = (*sections.answer, *sections.additional)
            if not any(address[:2] == other[:2] for other in others):
                _add(sections, zone, [address], authoritative)


def _targets(rrset: RRset, limit: int | None = None) -> Iterator[bytes]:
    found: set[bytes] = set()
    for rdata in rrset.rdatas[:limit]:
        if rrset.rrtype in (rrtype.SVCB, rrtype.HTTPS):
            target = _service(rrset.owner, rdata)
        else:
            target = wire_rdata.target(rrset.rrtype, rdata)
        if target is not None and target not in found:
            found.add(target)
            yield target


def _service(owner: bytes, rdata: bytes) -> bytes | None:
    """The name whose addresses a service has: a target of ``.`` is the owner, but there is no
    service where that is its alias (RFC 9460 §2.5)."""
    target, _ = wire_name.from_wire(rdata, 2)
    if target != wire_name.ROOT:
        return target.lower()
    return owner.lower() if rdata[:2] != b"\0\0" else None


def _addresses(zone: ServedZone, name: bytes) -> tuple[list[RRset], bool]:
    """The static A and AAAA RRsets at a name, and whether they are authoritative (not glue)."""
    if not wire_name.is_subdomain(name, zone.apex):
        return [], False
    node = zone.node(wire_name.key_of(name, zone.apex))
    if node is None:
        return [], False
    found = (nodes.rrset(node, name, kind) for kind in (rrtype.A, rrtype.AAAA))
    return [rrset for rrset in found if rrset], not node[0] & (DELEGATION | OCCLUDED)

"""Which NSEC RRs prove what (RFC 4035 §3.1.3)."""

from __future__ import annotations

from lzc.answer.match import topmost
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.bundle.node import OCCLUDED
from lzc.dnssec.nsec import bitmap, types_in
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.message import RRset
from lzc.wire.name import wildcard_of

Owner = tuple[bytes, bytes]
"""Key and node of an NSEC owner."""


def covering(zone: ServedZone, key: bytes) -> Owner:
    """The NSEC owner before a name, which is no NSEC owner itself.

    An occluded name before it stands below a cut or DNAME, whose owner is the one then: nothing
    between the two has an NSEC. An empty non-terminal before it is stepped over; they come at most
    once for each label, so this ends soon.
    """
    while True:
        key, node = zone.predecessor(key)
        if node[0] & OCCLUDED:
            cut = topmost(zone, key)
            return cut.key, cut.node
        if nodes.nsec(node):
            return key, node
        if not key:
            raise ValueError("the apex of a signed zone has no NSEC")


def nodata(zone: ServedZone, key: bytes, node: bytes) -> Owner:
    """Proof that a name exists without the type: its own NSEC, or for an empty non-terminal the
    one that covers it."""
    return (key, node) if nodes.nsec(node) else covering(zone, key)


def missing(zone: ServedZone, key: bytes, encloser: bytes) -> list[Owner]:
    """Proof that neither the name nor a wildcard for it exists (RFC 4035 §3.1.3.2)."""
    cover = covering(zone, key)
    wildcard = covering(zone, wildcard_of(encloser))
    return [cover] if wildcard[0] == cover[0] else [cover, wildcard]


def wildcard_nodata(zone: ServedZone, key: bytes, wildcard: bytes, node: bytes) -> list[Owner]:
    """Proof that the name does not exist and its wildcard has no such type (§3.1.3.4)."""
    cover = covering(zone, key)
    at = nodata(zone, wildcard, node)
    return [cover] if at[0] == cover[0] else [cover, at]


def nsec_rrset(zone: ServedZone, owner: Owner, without: frozenset[int] = frozenset()) -> RRset:
    """The NSEC RRset of an owner.

    ``without`` takes types out of its bitmap: those of LUA records that gave an empty list for this
    query. Their NSEC would otherwise deny what it proves, and validators would call it bogus.
    """
    key, node = owner
    rdata = nodes.nsec(node)
    if without:
        _, end = wire_name.from_wire(rdata, 0)
        rdata = rdata[:end] + bitmap(tuple(sorted(types_in(rdata, end) - without)))
    name = wire_name.relative_of_key(key) + zone.apex
    return RRset(name, rrtype.NSEC, zone.negative_ttl, (rdata,))

"""NSEC: which RRs of the chain prove what (RFC 4035 §3.1.3)."""

from __future__ import annotations

from lzc.answer.denial.prover import NOTHING, Enclosing, Owner, Prover
from lzc.answer.match import topmost
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.bundle.node import OCCLUDED
from lzc.dnssec.signing.nsec import bitmap, types_in
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.name import wildcard_of


class Chained(Prover):
    """An owner is known by its node key, and made from its node."""

    rrtype = rrtype.NSEC
    passing = False

    def enclosing(self, zone: ServedZone, encloser: bytes) -> Enclosing:
        """That there is no wildcard."""
        return Enclosing(encloser, [], [(*_covering(zone, wildcard_of(encloser)), NOTHING)])

    def closer(self, zone: ServedZone, key: bytes, encloser: bytes) -> Owner:
        """The one before it."""
        return (*_covering(zone, key), NOTHING)

    def missing(self, zone: ServedZone, key: bytes, encloser: bytes) -> list[Owner]:
        """One RR may prove both (RFC 4035 §3.1.3.2)."""
        (wildcard,) = self.enclosing(zone, encloser).behind
        cover = self.closer(zone, key, encloser)
        return [cover] if wildcard[0] == cover[0] else [cover, wildcard]

    def nodata(
        self, zone: ServedZone, key: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """Its own RR, or for an empty non-terminal the one that covers it."""
        if nodes.nsec(node):
            return [(key, node, without)]
        return [(*_covering(zone, key), NOTHING)]

    def wildcard_nodata(
        self, zone: ServedZone, key: bytes, wildcard: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """RFC 4035 §3.1.3.4."""
        cover = _covering(zone, key)
        (at,) = self.nodata(zone, wildcard, node, without)
        return [at] if at[0] == cover[0] else [(*cover, NOTHING), at]

    def expanded(self, zone: ServedZone, key: bytes, wildcard: bytes) -> list[Owner]:
        """RFC 4035 §3.1.3.3."""
        return [(*_covering(zone, key), NOTHING)]

    def relative(self, owner: Owner) -> bytes:
        """That of its node."""
        return wire_name.relative_of_key(owner[0])

    def rdata(self, zone: ServedZone, owner: Owner) -> bytes:
        """As its node has it."""
        _, node, without = owner
        rdata = nodes.nsec(node)
        if not without:
            return rdata
        _, end = wire_name.from_wire(rdata, 0)
        return rdata[:end] + bitmap(tuple(sorted(types_in(rdata, end) - without)))


def _covering(zone: ServedZone, key: bytes) -> tuple[bytes, bytes]:
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

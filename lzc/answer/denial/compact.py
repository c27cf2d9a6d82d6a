"""Compact denial of existence (RFC 9824): one NSEC RR at the name that was asked for, which says
that it has nothing, or nothing of that type."""

from __future__ import annotations

from typing import Final

from lzc.answer.denial.prover import NOTHING, Enclosing, Owner, Prover
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.dnssec.signing.nsec import bitmap, types_in
from lzc.wire import rrtype
from lzc.wire.name import MAX_LABEL, MAX_NAME, relative_of_key

_MISSING: Final = bitmap((rrtype.RRSIG, rrtype.NSEC, rrtype.NXNAME))
_EMPTY: Final = bitmap((rrtype.RRSIG, rrtype.NSEC))


class Compact(Prover):
    """An owner is known by the node key of the name, and made from its Type Bit Maps field."""

    rrtype = rrtype.NSEC
    passing = True

    def enclosing(self, zone: ServedZone, encloser: bytes) -> Enclosing:
        """Nothing: the one RR says it all."""
        return Enclosing(encloser, [], [])

    def closer(self, zone: ServedZone, key: bytes, encloser: bytes) -> Owner:
        """RFC 9824 §3.1."""
        return key, _MISSING, NOTHING

    def missing(self, zone: ServedZone, key: bytes, encloser: bytes) -> list[Owner]:
        """That RR."""
        return [self.closer(zone, key, encloser)]

    def nodata(
        self, zone: ServedZone, key: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """RFC 9824 §3.2; an empty non-terminal has no NXNAME."""
        return [(key, nodes.nsec(node) or _EMPTY, without)]

    def wildcard_nodata(
        self, zone: ServedZone, key: bytes, wildcard: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """As if the name existed, with what the wildcard has (RFC 9824 §3.3)."""
        return [(key, nodes.nsec(node) or _EMPTY, without)]

    def expanded(self, zone: ServedZone, key: bytes, wildcard: bytes) -> list[Owner]:
        """None: what comes from a wildcard is signed as if it stood at the name (RFC 9824 §3.3)."""
        return []

    def relative(self, owner: Owner) -> bytes:
        """The name itself."""
        return relative_of_key(owner[0])

    def rdata(self, zone: ServedZone, owner: Owner) -> bytes:
        """The next name there could be, and the types."""
        key, types, without = owner
        if without:
            types = bitmap(tuple(sorted(types_in(types, 0) - without)))
        return successor(relative_of_key(key) + zone.apex, zone.apex) + types


def successor(name: bytes, apex: bytes) -> bytes:
    """The name in a zone that comes right behind another in canonical order (RFC 4471 §3.1.2): a
    label with one octet 0 below it, or where that would be too long what comes behind all below
    it; behind the last of the zone, the apex."""
    if len(name) + 2 <= MAX_NAME:
        return b"\x01\x00" + name
    while name != apex:
        length = name[0]
        first, rest = name[1 : 1 + length], name[1 + length :]
        if length < MAX_LABEL and len(name) < MAX_NAME:
            return bytes((length + 1,)) + first + b"\x00" + rest
        kept = first.rstrip(b"\xff")
        if kept:
            last = kept[-1] + 1
            # Names are lower-case: what follows @ is what follows Z.
            last = 0x5B if last == 0x41 else last
            return bytes((len(kept),)) + kept[:-1] + bytes((last,)) + rest
        name = rest
    return apex

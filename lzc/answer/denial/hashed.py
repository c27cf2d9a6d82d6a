"""NSEC3: which RRs of the chain prove what (RFC 5155 §7.2), as PowerDNS has it."""

from __future__ import annotations

from lzc.answer.denial.prover import NOTHING, Enclosing, Owner, Prover
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.dnssec.signing.denial import HASH, label
from lzc.dnssec.signing.nsec import bitmap, types_in
from lzc.wire import rrtype
from lzc.wire.name import relative_of_key, wildcard_of


class Hashed(Prover):
    """An owner is known by its hash, and made from the next hash and its Type Bit Maps field."""

    rrtype = rrtype.NSEC3
    passing = False

    def enclosing(self, zone: ServedZone, encloser: bytes) -> Enclosing:
        """That the closest encloser exists, and that it has no wildcard."""
        encloser = self._provable(zone, encloser)
        node = zone.node(encloser) if encloser else zone.apex_node
        at = self._at(zone, encloser, node or zone.apex_node, NOTHING)
        return Enclosing(encloser, [at], [self._covering(zone, wildcard_of(encloser))])

    def closer(self, zone: ServedZone, key: bytes, encloser: bytes) -> Owner:
        """The one that covers the next closer name."""
        return self._covering(zone, next_closer(key, encloser))

    def missing(self, zone: ServedZone, key: bytes, encloser: bytes) -> list[Owner]:
        """RFC 5155 §7.2.2."""
        encloser, before, behind = self.enclosing(zone, encloser)
        return _once([*before, self.closer(zone, key, encloser), *behind])

    def nodata(
        self, zone: ServedZone, key: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """Its own RR (§7.2.3), or, for what opt-out leaves out of the chain, that of the closest
        provable encloser and the one that covers what is below it (§7.2.4, §7.2.7)."""
        own = self._own(zone, key, node, without)
        if own is not None:
            return [own]
        encloser = key
        while own is None:
            if not encloser:
                raise ValueError("the apex of a signed zone has no NSEC3")
            encloser = encloser.rpartition(b"\x00")[0]
            own = self._own(zone, encloser, b"", NOTHING)
        cover = self._covering(zone, next_closer(key, encloser))
        made = node[0] & nodes.ENT and not zone.presigned
        if made and cover[0] == hash_of(zone, wildcard_of(encloser)):
            # The same RR says what the wildcard has, and as the name may not be there, validators
            # take it for what was asked for. What another signer signed lacks such an RR.
            return [self._at(zone, key, node, without)]
        return _once([own, cover])

    def wildcard_nodata(
        self, zone: ServedZone, key: bytes, wildcard: bytes, node: bytes, without: frozenset[int]
    ) -> list[Owner]:
        """RFC 5155 §7.2.5. A wildcard that opt-out leaves out is covered, as on PowerDNS."""
        encloser = _parent(wildcard)
        above = zone.node(encloser) if encloser else zone.apex_node
        found = [
            self._at(zone, encloser, above or zone.apex_node, NOTHING),
            self._covering(zone, next_closer(key, encloser)),
            self._own(zone, wildcard, node, without) or self._covering(zone, wildcard),
        ]
        return _once(found)

    def expanded(self, zone: ServedZone, key: bytes, wildcard: bytes) -> list[Owner]:
        """RFC 5155 §7.2.6."""
        return [self._covering(zone, next_closer(key, _parent(wildcard)))]

    def relative(self, owner: Owner) -> bytes:
        """The hash in base32."""
        return label(owner[0])

    def rdata(self, zone: ServedZone, owner: Owner) -> bytes:
        """Parameters, next hash, types."""
        _, content, without = owner
        if without:
            types = types_in(content, HASH) - without
            content = content[:HASH] + bitmap(tuple(sorted(types)))
        return zone.nsec3_head + content

    def _provable(self, zone: ServedZone, encloser: bytes) -> bytes:
        """The closest encloser; of a presigned zone with opt-out, the closest that its chain has:
        nothing can be made here for one that is left out (RFC 5155 §7.2.1)."""
        if zone.presigned and zone.denial.opt_out:
            while encloser and zone.hashed(hash_of(zone, encloser)) is None:
                encloser = _parent(encloser)
        return encloser

    def _own(
        self, zone: ServedZone, key: bytes, node: bytes, without: frozenset[int]
    ) -> Owner | None:
        """The RR at a name, if the chain has one there."""
        digest = hash_of(zone, key)
        content = zone.hashed(digest)
        return None if content is None else (digest, content, without)

    def _at(self, zone: ServedZone, key: bytes, node: bytes, without: frozenset[int]) -> Owner:
        """The RR at a name that exists. Where opt-out leaves it out of the chain, one is made, as
        PowerDNS does: so the proof holds, as insecure as it is (RFC 5155 §9.2)."""
        own = self._own(zone, key, node, without)
        if own is not None:
            return own
        digest = hash_of(zone, key)
        _, content = zone.hashed_before(digest)
        return digest, content[:HASH] + nodes.nsec(node), without

    def _covering(self, zone: ServedZone, key: bytes) -> Owner:
        """The RR whose hashes have that of a name between them."""
        return (*zone.hashed_before(hash_of(zone, key)), NOTHING)


def hash_of(zone: ServedZone, key: bytes) -> bytes:
    """The hash of a name."""
    return zone.denial.hash(relative_of_key(key) + zone.apex)


def next_closer(key: bytes, encloser: bytes) -> bytes:
    """The name below the closest encloser that a name is at or below (RFC 5155 §1.3)."""
    end = key.find(b"\x00", len(encloser) + 1 if encloser else 0)
    return key if end < 0 else key[:end]


def _parent(key: bytes) -> bytes:
    return key.rpartition(b"\x00")[0]


def _once(owners: list[Owner]) -> list[Owner]:
    """Each RR once, and without the types that it must not list in any of its parts."""
    found: dict[bytes, Owner] = {}
    for owner in owners:
        if owner[2] or owner[0] not in found:
            found[owner[0]] = owner
    return list(found.values())

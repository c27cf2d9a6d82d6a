"""NSEC3 RRs made for the question, each around one hash: the white lies of RFC 7129 appendix B, as
PowerDNS tells them. No chain is needed, and none can be walked."""

from __future__ import annotations

from lzc.answer.denial.hashed import Hashed, hash_of
from lzc.answer.denial.prover import NOTHING, Owner
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.dnssec.signing.denial import neighbours, shifted


class Narrow(Hashed):
    """A name that exists has an RR up to the hash right behind its own; one that does not is
    between the hashes right before and right behind its own. Opt-out is a flag, and leaves nothing
    out."""

    passing = True

    def _own(
        self, zone: ServedZone, key: bytes, node: bytes, without: frozenset[int]
    ) -> Owner | None:
        digest = hash_of(zone, key)
        return digest, shifted(digest, 1) + nodes.nsec(node), without

    def _covering(self, zone: ServedZone, key: bytes) -> Owner:
        return (*neighbours(hash_of(zone, key)), NOTHING)

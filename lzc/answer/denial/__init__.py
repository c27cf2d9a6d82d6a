"""Which RRs prove what is not there, by the way in which the zone denies."""

from __future__ import annotations

from typing import Final

from lzc.answer.denial.chained import Chained
from lzc.answer.denial.compact import Compact
from lzc.answer.denial.hashed import Hashed
from lzc.answer.denial.narrow import Narrow
from lzc.answer.denial.prover import NOTHING, Enclosing, Owner, Prover
from lzc.answer.zone import ServedZone
from lzc.dnssec.signing.denial import Way
from lzc.wire.message import RRset

__all__ = ["NOTHING", "Enclosing", "Owner", "Prover", "prover_of", "rrset_of"]

_PROVERS: Final[dict[Way, Prover]] = {
    Way.NSEC: Chained(),
    Way.NSEC3: Hashed(),
    Way.NARROW: Narrow(),
    Way.COMPACT: Compact(),
}


def prover_of(zone: ServedZone) -> Prover:
    """Who says it for a signed zone."""
    return _PROVERS[zone.denial.way]


def rrset_of(zone: ServedZone, owner: Owner) -> RRset:
    """The NSEC or NSEC3 RRset of an owner."""
    prover = _PROVERS[zone.denial.way]
    name = prover.relative(owner) + zone.apex
    return RRset(name, prover.rrtype, zone.negative_ttl, (prover.rdata(zone, owner),))

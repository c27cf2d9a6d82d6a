"""Where a key is in its life, by its dates, and when others may rely on it (RFC 7583).

What a resolver has in its cache counts for as long as its TTL, from the time on when the last
server of the zone has something else. Times are passed in, seconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lzc.config.policies import Policy
from lzc.dnssec.life.timing import Timing

DNSKEY_TTL: Final = 3600
"""Seconds that are assumed where no policy says it."""


class Phase(StrEnum):
    """The states of RFC 7583 §3.1, and the one of RFC 5011."""

    GENERATED = "generated"
    """Not in the zone yet."""
    PUBLISHED = "published"
    """In the DNSKEY RRset; resolvers may have one without it."""
    READY = "ready"
    """All resolvers that have a DNSKEY RRset have it in there; it does not sign yet."""
    ACTIVE = "active"
    """It signs."""
    REVOKED = "revoked"
    """It says that it is not to be trusted any more."""
    RETIRED = "retired"
    """It signs no more; resolvers may have signatures of it, or a DS."""
    DEAD = "dead"
    """Nobody needs it any more; it is still in the DNSKEY RRset."""
    REMOVED = "removed"
    """Not in the zone any more."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """How long what was published before may be around, in seconds. ``zone_propagation`` is what a
    change of the zone takes to reach all of its servers, ``parent_propagation`` what one of its DS
    takes at the parent; ``safety`` is added to all."""

    dnskey_ttl: int = DNSKEY_TTL
    max_zone_ttl: int = 86400
    ds_ttl: int = 86400
    zone_propagation: int = 300
    parent_propagation: int = 3600
    safety: int = 3600

    @classmethod
    def of(cls, policy: Policy) -> Intervals:
        """Those of a policy."""
        return cls(
            DNSKEY_TTL if policy.dnskey_ttl is None else policy.dnskey_ttl,
            policy.max_zone_ttl,
            policy.parent_ds_ttl,
            policy.zone_propagation_delay,
            policy.parent_propagation_delay,
            policy.safety,
        )

    @property
    def publication(self) -> int:
        """From the publication of a DNSKEY until it may be relied on: Ipub of RFC 7583 §3.2.1."""
        return self.zone_propagation + self.dnskey_ttl + self.safety

    def retirement(self, *, is_sep: bool) -> int:
        """From the time on when a key signs no more until it may be removed: of a ZSK, until its
        signatures are in no cache (Iret of §3.2.1); of a KSK, until the DS that named it is in
        none, which is to leave the parent when the key retires at the latest (§3.3.1)."""
        signatures = self.zone_propagation + self.max_zone_ttl + self.safety
        if not is_sep:
            return signatures
        return max(signatures, self.parent_propagation + self.ds_ttl + self.safety)


@dataclass(frozen=True, slots=True)
class Life:
    """The phase of a key, and the next one by its dates, where there is one, with its moment."""

    phase: Phase
    upcoming: Phase | None = None
    at: float | None = None


def life(timing: Timing, now: float, intervals: Intervals, *, is_sep: bool) -> Life:
    """Where a key with such dates is at ``now``. A key of whose removal nothing is said is dead in
    the end, and stays so."""
    moments = _moments(timing, intervals, is_sep)
    phase = Phase.GENERATED
    for moment, candidate in moments:
        if moment > now:
            return Life(phase, candidate, moment)
        phase = candidate
    return Life(phase)


def _moments(timing: Timing, intervals: Intervals, is_sep: bool) -> list[tuple[float, Phase]]:
    """When each phase begins, in order. One that another one overtakes is left out."""
    if timing == Timing():
        return [(float("-inf"), Phase.ACTIVE)]
    start = timing.publish if timing.publish is not None else timing.activate
    if start is None:
        return [] if timing.delete is None else [(timing.delete, Phase.REMOVED)]
    found: list[tuple[float, Phase]] = [(start, Phase.PUBLISHED)]
    ready = start + intervals.publication
    active = timing.activate
    if active is None or ready < active:
        found.append((ready, Phase.READY))
    if active is not None:
        found.append((max(active, start), Phase.ACTIVE))
    if timing.revoke is not None:
        found.append((timing.revoke, Phase.REVOKED))
    if timing.inactive is not None:
        found = [one for one in found if one[0] < timing.inactive]
        found.append((timing.inactive, Phase.RETIRED))
        found.append((timing.inactive + intervals.retirement(is_sep=is_sep), Phase.DEAD))
    if timing.delete is not None:
        found = [one for one in found if one[0] < timing.delete]
        found.append((timing.delete, Phase.REMOVED))
    return sorted(found, key=lambda one: one[0])

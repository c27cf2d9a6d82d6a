"""All that the status page is made from, and what every part of it wants to find in there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from lzc.serve.observe.seen import CheckSeen, SecondarySeen, Snapshot, ZoneSeen, ZoneThere
from lzc.serve.observe.status.health_history import HealthHistory
from lzc.serve.observe.status.rate_history import Minute, RateHistory

SOON: Final = 7 * 86400.0
"""Seconds before the keys of a zone cease to sign it from which on that is worth a word."""


@dataclass(frozen=True)
class Known:
    """Of a server: ``status`` is the answer of ``lzc ctl status``, ``counters`` is what was counted
    since the last minute of ``rates`` ended, ``host`` the name of this machine."""

    seen: Snapshot
    status: Mapping[str, Any]
    health: HealthHistory = field(default_factory=HealthHistory)
    rates: RateHistory = field(default_factory=RateHistory)
    running: Minute = field(default_factory=lambda: Minute(0.0))
    host: str = ""

    @cached_property
    def zones(self) -> Mapping[str, ZoneSeen]:
        """By name."""
        return {zone.name: zone for zone in self.seen.zones}

    @cached_property
    def kept(self) -> Mapping[str, Mapping[str, Any]]:
        """Zones whose source failed, as far as status names them."""
        return {one["zone"]: one for one in self.status["kept"]["zones"]}

    @cached_property
    def fallen(self) -> Mapping[str, Mapping[str, Any]]:
        """Zones with serials below what was served before, as far as status names them."""
        return {one["zone"]: one for one in self.status["fallen"]["zones"]}

    @cached_property
    def held(self) -> frozenset[str]:
        """Zones with code that is not run."""
        return frozenset(self.seen.held_zones)

    @cached_property
    def restless(self) -> Mapping[bytes, int]:
        """Checks by how many minutes of the last hour they changed in."""
        return self.health.restless()

    @cached_property
    def lately(self) -> Minute:
        """The last minutes, five at most, together with what runs."""
        minutes = [*self.rates.minutes()[-5:], self.running]
        return Minute(
            sum(one.seconds for one in minutes),
            *map(sum, zip(*(one[1:] for one in minutes), strict=True)),
        )

    def is_late(self, check: CheckSeen) -> bool:
        """Whether its last result is older than three runs ought to be."""
        return self.seen.health.is_late(check, self.seen.now)

    def secondaries(self) -> Sequence[tuple[Mapping[str, Any], SecondarySeen | None]]:
        """What status has of each, and the zones of those that are notified."""
        known = {(one.name, one.address): one for one in self.seen.secondaries}
        return [
            (one, known.get((one["name"], one["address"]))) for one in self.status["secondaries"]
        ]

    def has_expired(self, zone: ZoneThere, silent: float | None) -> bool:
        """Whether a secondary may have dropped a zone that it did not get for so long (RFC 1035
        §3.3.13, EXPIRE)."""
        ours = self.zones.get(zone.zone)
        # Of one that is silent nobody knows whether it reaches us.
        without = min(zone.lag, silent) if silent is not None else 0.0
        return ours is not None and without > ours.expire > 0

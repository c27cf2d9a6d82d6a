"""Checks that only answers ask for, as a query decides what they look at: how many there may be.

Clients decide how many that are, and with them how many connections go out, so they are bounded,
and so is how many begin a second, for each zone and for all. The one that was asked for longest ago
makes room: one of the zone that has its share, or else of the zone that has most, so that clients
of one zone cannot have the checks of another given up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from lzc.health_check import Check
from lzc.serve.observe.log_lines import Quiet

DEFAULT_LIMIT: Final = 2000
"""Of ``unlisted-health-checks`` in ``[lua]``."""
DEFAULT_SHARE: Final = 200
"""Of ``unlisted-health-checks-per-zone``."""
NEW_A_SECOND: Final = 50
BURST: Final = 500
"""New checks that may begin at once after a quiet time."""
ZONE_NEW_A_SECOND: Final = 10
ZONE_BURST: Final = 100
"""Likewise of one zone."""
_MOST_ALLOWANCES: Final = 1024


def report_of(check: Check, zone: bytes) -> bytes:
    """What a worker sends to the checker: the apex of the zone whose code asks, and the check."""
    return bytes((len(zone),)) + zone + check.to_json().encode()


def zone_in(report: bytes) -> bytes:
    """The apex in a report; what is no report has none."""
    return report[1 : 1 + report[0]] if report else b""


def check_in(report: bytes) -> Check:
    """The check in a report. Raises `ValueError` or `TypeError`."""
    return Check.from_json(report[1 + report[0] :].decode() if report else "")


class Allowance:
    """So many at once, and so many a second."""

    __slots__ = ("_at", "_left", "_most", "_rate")

    def __init__(self, most: int, rate: float, now: float) -> None:
        self._most = self._left = float(most)
        self._rate = rate
        self._at = now

    def admits(self, now: float) -> bool:
        """Whether one more may be taken now."""
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left >= 1

    def take(self) -> None:
        """Take one, as `admits` said."""
        self._left -= 1

    def is_whole(self, now: float) -> bool:
        """Whether it is as a new one would be."""
        self.admits(now)
        return self._left >= self._most


class Unlisted:
    """The keys of such checks, the one asked for longest ago first; of each zone ``share`` at most.
    ``now`` is monotonic time; a zone is named by anything that stands for it."""

    def __init__(self, limit: int, now: float, share: int = DEFAULT_SHARE) -> None:
        self.limit = limit
        self.share = min(share, limit)
        self._count = 0
        self._zones: dict[Hashable, OrderedDict[bytes, None]] = {}
        self._allowed = Allowance(min(BURST, limit), NEW_A_SECOND, now)
        self._zone_allowed: dict[Hashable, Allowance] = {}
        self._evicted = self._refused = 0
        self._quiet = Quiet()

    def __len__(self) -> int:
        return self._count

    def allow(self, limit: int, share: int) -> None:
        """There may be so many from now on; those beyond are for others to give up."""
        self.limit = limit
        self.share = min(share, limit)

    def remembered(self) -> int:
        """How many zones it knows of that have not all of what they are allowed a second."""
        return len(self._zone_allowed)

    def looks_at(self, zone: Hashable, now: float) -> bool:
        """Whether one more report of a zone is looked at now; that takes of what it is allowed."""
        allowed = self._zone_allowed.get(zone)
        if allowed is None:
            if len(self._zone_allowed) >= _MOST_ALLOWANCES:
                self._zone_allowed = {
                    name: one for name, one in self._zone_allowed.items() if not one.is_whole(now)
                }
            allowed = Allowance(min(ZONE_BURST, self.share), ZONE_NEW_A_SECOND, now)
            self._zone_allowed[zone] = allowed
        if not allowed.admits(now):
            return False
        allowed.take()
        return True

    def admits(self, now: float) -> bool:
        """Whether one more may begin now."""
        return self._allowed.admits(now)

    def begin(self) -> None:
        """One more begins, as `admits` said."""
        self._allowed.take()

    def crowded(self, zone: Hashable) -> Hashable | None:
        """The zone that has to give one up before ``zone`` gets one more, if any has to."""
        if len(self._zones.get(zone, ())) >= self.share:
            return zone
        return self.largest() if self._count >= self.limit else None

    def beyond(self) -> Hashable | None:
        """A zone that has more than it may have, or has the most where all together are too
        many."""
        if not self._count:
            return None
        zone = self.largest()
        return zone if self.count(zone) > self.share or self._count > self.limit else None

    def largest(self) -> Hashable:
        """The zone with most of them, if there are any."""
        return max(self._zones, key=lambda zone: len(self._zones[zone]))

    def count(self, zone: Hashable) -> int:
        """How many a zone has."""
        return len(self._zones.get(zone, ()))

    def add(self, key: bytes, zone: Hashable) -> None:
        """There is one more, asked for just now."""
        self._count += 1
        self._zones.setdefault(zone, OrderedDict())[key] = None

    def asked(self, key: bytes, zone: Hashable) -> None:
        """It was asked for just now."""
        if key in self._zones.get(zone, ()):
            self._zones[zone].move_to_end(key)

    def discard(self, key: bytes, zone: Hashable) -> None:
        """It is none of them any more."""
        if key not in self._zones.get(zone, ()):
            return
        self._count -= 1
        del self._zones[zone][key]
        if not self._zones[zone]:
            del self._zones[zone]

    def oldest(self, zone: Hashable) -> bytes:
        """The one of a zone asked for longest ago."""
        return next(iter(self._zones[zone]))

    def note(self, *, evicted: int = 0, refused: int = 0) -> None:
        """Remember what to tell."""
        self._evicted += evicted
        self._refused += refused

    def news(self, now: float) -> str:
        """What an operator should know, once in a while; else nothing."""
        if not (self._evicted or self._refused) or self._quiet.keeps(None, now):
            return ""
        text = (
            f"{self._refused} checks that no bundle lists were refused and {self._evicted} given up"
            f" for others: queries decide what they look at, {self.limit} may be there,"
            f" {self.share} of one zone, and {NEW_A_SECOND} begin a second, {ZONE_NEW_A_SECOND} of"
            " one zone; raise unlisted-health-checks in [lua], and unlisted-health-checks-per-zone,"
            " if your records need more, or have them choose from constants"
        )
        self._evicted = self._refused = 0
        self._quiet.begin(None, now)
        return text

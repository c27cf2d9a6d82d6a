"""The signatures of the next window, made before it begins.

All signatures move at one moment, Thursday 00:00 UTC (`lzc.dnssec.signing.cache.window`). Were
they made anew when they are next asked for, each hot name would be signed in the first second after
it. So a cache's are made for the next window beforehand, a few at a time; which ones are served
when is as it would be without.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lzc.dnssec.signing.cache import WEEK, SignatureCache

LEAD: Final = 2 * 3600.0
"""Seconds before the next window begins from which on its signatures are made: time enough for a
full cache of RSA at a fiftieth of a core."""
AGAIN: Final = 600.0
"""Seconds after which it is looked for what came since, which takes some milliseconds where the
cache is full."""


class Renewal:
    """Makes the signatures that a cache holds anew, for the next window. Not for several
    threads."""

    def __init__(self, cache: SignatureCache, lead: float = LEAD) -> None:
        self._cache = cache
        self._lead = lead
        self._left: Iterator[bytes] = iter(())
        self._look_at = 0.0

    def step(self, now: float, seconds: float) -> bool:
        """Make signatures for about so many ``seconds`` of the cache's clock, at least one if any
        is left; ``now`` is in seconds since the epoch. False when there is none to be made now."""
        cache = self._cache
        until = cache.valid_until
        if not until - self._lead <= now < until:
            return False
        upcoming = until + WEEK
        if cache.upcoming_until != upcoming:
            cache.begin_upcoming(upcoming)
            self._left, self._look_at = iter(()), now
        end = cache.clock() + seconds
        while True:
            key = next(self._left, None)
            if key is None:
                if now < self._look_at:
                    return False
                self._look_at = now + AGAIN
                found = cache.without_upcoming()
                if not found:
                    return False
                self._left = iter(found)
                continue
            cache.make_upcoming(key)
            if cache.clock() >= end:
                return True

"""Checks that only answers ask for, as a query decides what they look at: how many there may be.

Clients decide how many that are, and with them how many connections go out, so they are bounded,
and so is how many begin a second. The one that was asked for longest ago makes room.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

DEFAULT_LIMIT: Final = 2000
"""Of ``unlisted-health-checks`` in ``[lua]``."""
NEW_A_SECOND: Final = 50
BURST: Final = 500
"""New checks that may begin at once after a quiet time."""
_QUIET: Final = 60.0


class Unlisted:
    """The keys of such checks, the one asked for longest ago first. ``now`` is monotonic time."""

    def __init__(self, limit: int, now: float) -> None:
        self.limit = limit
        self._order: OrderedDict[bytes, None] = OrderedDict()
        self._allowed = float(min(BURST, limit))
        self._allowed_at = now
        self._evicted = self._refused = 0
        self._told_at = -_QUIET

    def __len__(self) -> int:
        return len(self._order)

    def keys(self) -> list[bytes]:
        """All of them, the one asked for longest ago first."""
        return list(self._order)

    def admits(self, now: float) -> bool:
        """Whether one more may begin now."""
        earned = (now - self._allowed_at) * NEW_A_SECOND
        self._allowed = min(float(min(BURST, self.limit)), self._allowed + earned)
        self._allowed_at = now
        return self._allowed >= 1

    def begin(self) -> None:
        """One more begins, as `admits` said."""
        self._allowed -= 1

    def add(self, key: bytes) -> None:
        """There is one more, asked for just now."""
        self._order[key] = None

    def asked(self, key: bytes) -> None:
        """It was asked for just now."""
        if key in self._order:
            self._order.move_to_end(key)

    def discard(self, key: bytes) -> None:
        """It is none of them any more."""
        self._order.pop(key, None)

    def oldest(self) -> bytes:
        """The one asked for longest ago."""
        return next(iter(self._order))

    def note(self, *, evicted: int = 0, refused: int = 0) -> None:
        """Remember what to tell."""
        self._evicted += evicted
        self._refused += refused

    def news(self, now: float) -> str:
        """What an operator should know, once in a while; else nothing."""
        if not (self._evicted or self._refused) or now - self._told_at < _QUIET:
            return ""
        text = (
            f"{self._refused} checks that no bundle lists were refused and {self._evicted} given up"
            f" for others: queries decide what they look at, {self.limit} may be there and"
            f" {NEW_A_SECOND} begin a second; raise unlisted-health-checks in [lua] if your records"
            " need more, or have them choose from constants"
        )
        self._evicted = self._refused = 0
        self._told_at = now
        return text

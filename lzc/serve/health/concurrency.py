"""A bound on how many things run at once, first come, first served."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable


class ConcurrencyLimit:
    """At most ``limit`` runs at a time. A run is begun by calling what `enter` was given, and ends
    with `leave`."""

    __slots__ = ("_running", "_waiting", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._running = 0
        self._waiting: deque[Callable[[], None]] = deque()

    def enter(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` now, or when those before have left."""
        self._waiting.append(begin)
        self._fill()

    def leave(self) -> None:
        """One run has ended."""
        self._running -= 1
        self._fill()

    def _fill(self) -> None:
        while self._waiting and self._running < self.limit:
            self._running += 1
            self._waiting.popleft()()

"""What was counted in each minute of the last hour, by all workers together."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from lzc.serve.observe.status.health_history import MINUTES

KEPT: Final = ("queries", "cache_hits", "cache_misses", "servfail", "lua", "lua_errors")


class Minute(NamedTuple):
    """How often something happened in ``seconds``, which are those between two looks. ``seconds``
    is 0 where nobody looked."""

    seconds: float
    queries: int = 0
    cache_hits: int = 0
    cache_misses: int = 0
    servfail: int = 0
    lua: int = 0
    lua_errors: int = 0

    def rate(self, name: str) -> float:
        """So many a second."""
        count: int = getattr(self, name)
        return count / self.seconds if self.seconds else 0.0


class RateHistory:
    """Of counters of `lzc.serve.ipc.scoreboard.COUNTERS`."""

    def __init__(self, minutes: int = MINUTES) -> None:
        self._minutes: deque[Minute] = deque(maxlen=minutes)
        self._before: tuple[float, tuple[int, ...]] | None = None

    def note(self, counters: Mapping[str, int], monotonic: float, missed: int = 0) -> None:
        """What is counted by now, once a minute; ``missed`` minutes before nobody looked at."""
        now = monotonic, _numbers(counters)
        if self._before is not None:
            self._minutes.extend([Minute(0.0)] * missed)
            self._minutes.append(_between(self._before, now))
        self._before = now

    def minutes(self) -> list[Minute]:
        """The oldest first."""
        return list(self._minutes)

    def running(self, counters: Mapping[str, int], monotonic: float) -> Minute:
        """What came since the last look."""
        if self._before is None:
            return Minute(0.0)
        return _between(self._before, (monotonic, _numbers(counters)))


def _numbers(counters: Mapping[str, int]) -> tuple[int, ...]:
    queries = counters["queries_udp"] + counters["queries_tcp"]
    return queries, *(counters[name] for name in KEPT[1:])


def _between(before: tuple[float, tuple[int, ...]], now: tuple[float, tuple[int, ...]]) -> Minute:
    counts = (max(0, new - old) for old, new in zip(before[1], now[1], strict=True))
    return Minute(max(0.0, now[0] - before[0]), *counts)

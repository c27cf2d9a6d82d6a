"""How much a zone, and all zones of a build together, may take: a few lines of ``$INCLUDE`` and
``$GENERATE`` ask for more than any machine has.

What is written in files costs its author as much as us, so it is bounded generously; what a line
multiplies is counted as it is made, and a ``$GENERATE`` before it makes anything.
"""

from __future__ import annotations

from collections.abc import MutableSequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

KINDS: Final = ("records", "generated", "includes", "repeated", "octets")
RECORDS, GENERATED, INCLUDES, REPEATED, OCTETS = range(5)

CODE_WEIGHT: Final = 64
"""How many octets an octet of Lua code counts as that ``$GENERATE`` makes: about what parsing and
rewriting it costs in comparison with an octet of an address."""

_WORDS: Final = (
    "{} records",
    "{} records made by $GENERATE",
    "{} files read by $INCLUDE and $FILE",
    "{} octets of files that it includes again",
    "{} octets read from files and made by $GENERATE",
)

Counts = tuple[int, ...]
"""Numbers of `KINDS`, in their order."""

OVER_LIMIT: Final = "over-limit"
"""The rule of a fault that tells of a limit."""

NOTHING: Final[Counts] = (0,) * len(KINDS)


@dataclass(frozen=True, slots=True)
class Limits:
    """What one ``zone`` and what all zones of a ``build`` may take at most. Files count each time
    they are read, records and octets of a file that is included twice do so twice."""

    zone: Counts = (5_000_000, 1_000_000, 10_000, 1 << 24, 1 << 29)
    build: Counts = (20_000_000, 5_000_000, 1_000_000, 1 << 28, 1 << 32)


class OverLimit(Exception):
    """A limit is passed: what is at fault in words, the section of the setting, and its key."""

    def __init__(self, kind: int, limit: int, *, whole: bool) -> None:
        taker = "the zones of this build take" if whole else "the zone takes"
        section = "build.total-limits" if whole else "build.zone-limits"
        super().__init__(f"{taker} more than {_WORDS[kind].format(limit)}")
        self.fix = (
            f"where this is meant, raise {KINDS[kind]} in [{section}] of lzc.toml, now {limit}"
        )


@dataclass(slots=True)
class Totals:
    """What all zones of a build took so far, in every process that reads some: ``counts`` lie in
    memory that they share, behind ``lock``."""

    counts: MutableSequence[int]
    lock: AbstractContextManager[object]

    @classmethod
    def alone(cls, before: Counts = NOTHING) -> Totals:
        """For a build in one process, in which others took something ``before``."""
        return cls(list(before), nullcontext())


class Spending:
    """What one zone took, counted as it takes it."""

    __slots__ = ("_limits", "_totals", "used")

    def __init__(self, limits: Limits, totals: Totals | None = None) -> None:
        self._limits = limits
        self._totals = totals or Totals.alone()
        self.used = [0] * len(KINDS)

    @property
    def counts(self) -> Counts:
        """What was taken so far."""
        return tuple(self.used)

    def left(self, kind: int) -> int:
        """How much of something the zone, and the build, may take yet."""
        of_build = self._limits.build[kind] - self._totals.counts[kind]
        return max(min(self._limits.zone[kind] - self.used[kind], of_build), 0)

    def take(self, kind: int, number: int) -> None:
        """Count ``number`` more. Raises `OverLimit`."""
        self.used[kind] += number
        if self.used[kind] > self._limits.zone[kind]:
            raise OverLimit(kind, self._limits.zone[kind], whole=False)
        with self._totals.lock:
            self._totals.counts[kind] += number
            whole = self._totals.counts[kind]
        if whole > self._limits.build[kind]:
            raise OverLimit(kind, self._limits.build[kind], whole=True)

    def records(self, number: int) -> None:
        """The zone has so many records by now. Raises `OverLimit`."""
        if number > self.used[RECORDS]:
            self.take(RECORDS, number - self.used[RECORDS])

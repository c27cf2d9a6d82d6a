"""Faults as they are found, and no more of them than anybody reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from lzc.faults import Fault, Place, Severity

MOST: Final = 10_000
"""Errors, and warnings, that a build tells."""


class FaultList:
    """The first faults of each severity, none of them twice; those that follow are counted."""

    def __init__(self, most: int = MOST) -> None:
        """Keep ``most`` errors and as many warnings."""
        self._most = most
        self._kept: dict[Fault, None] = {}
        self._seen = dict.fromkeys(Severity, 0)

    def add(self, faults: Iterable[Fault]) -> None:
        """Take more faults."""
        for fault in faults:
            if fault in self._kept:
                continue
            self._seen[fault.severity] += 1
            if self._seen[fault.severity] <= self._most:
                self._kept[fault] = None

    def told(self) -> list[Fault]:
        """What to tell: the faults kept, and a last one for those that were not."""
        more = {one: seen - self._most for one, seen in self._seen.items() if seen > self._most}
        if not more:
            return list(self._kept)
        left_out = " and ".join(f"{count} more {severity}s" for severity, count in more.items())
        last = Fault(
            Place("lzc"),
            "more-faults",
            f"{left_out} are not told",
            fix="correct those that are, and check again",
            severity=Severity.ERROR if Severity.ERROR in more else Severity.WARNING,
        )
        return [*self._kept, last]

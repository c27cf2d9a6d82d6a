"""How late health checks are, seen from outside: by what ``lzc ctl health`` says of each."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lzc.serve.supervise import control


@dataclass(slots=True)
class Watch:
    """Looks at all checks of a server again and again. A check that names no ``interval`` or
    ``timeout`` has the usual ones."""

    socket: Path
    interval: float = 5.0
    timeout: float = 2.0
    statuses: dict[str, int] = field(default_factory=dict)
    longest: float = 0.0
    latest: float = float("-inf")
    """Seconds that a result came after the interval and the timeout since the one before; less than
    0 when none was late."""
    runs: int = 0
    report: float = 0.0
    """Seconds the slowest report took."""
    _runs: dict[str, int] = field(default_factory=dict)

    def look(self) -> None:
        """Ask once. Of runs between two calls the last counts: call more often than checks run."""
        begin = time.monotonic()
        checks: list[dict[str, Any]] = control.ask(self.socket, "health")["checks"]
        self.report = max(self.report, time.monotonic() - begin)
        self.statuses = {}
        for one in checks:
            self.statuses[one["status"]] = self.statuses.get(one["status"], 0) + 1
            before = self._runs.get(one["key"], 0)
            if one["runs"] > before > 0:
                self._take(one["check"], one["gap"])
            self._runs[one["key"]] = one["runs"]

    def forget(self) -> None:
        """Measure from here."""
        self.longest, self.latest, self.runs, self.report = 0.0, float("-inf"), 0, 0.0

    def _take(self, check: str, gap: float) -> None:
        self.runs += 1
        self.longest = max(self.longest, gap)
        allowed = self._of(check, "interval", self.interval)
        allowed += self._of(check, "timeout", self.timeout)
        self.latest = max(self.latest, gap - allowed)

    @staticmethod
    def _of(check: str, option: str, usual: float) -> float:
        found = re.search(rf"\b{option}=(\d+)", check)
        return float(found[1]) if found else usual

"""What is right at a time: the generations that a zone may be answered from, and the serials that
went with them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from lzc.zone.serial import greater


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that must not be: ``at`` seconds after the start, during or after a fault."""

    at: float
    fault: str
    what: str


class Ledger:
    """Of each zone, the last generation acknowledged (all workers have it) and the newest that a
    build has seen: answers are right from the one to the other. Safe for threads."""

    def __init__(self, zones: Iterable[str]) -> None:
        self._lock = threading.RLock()
        self.began = time.monotonic()
        self.floor = dict.fromkeys(zones, 0)
        self.ceiling = dict(self.floor)
        self._bundles: dict[str, dict[str, int]] = {}
        self._content: dict[tuple[str, int], int] = {}
        self.highest: dict[str, int] = {}
        self.acknowledged_at: dict[str, float] = {}
        self._excused: Counter[str] = Counter()
        self._lenient = 0
        self.fault = "none"
        self.findings: list[Finding] = []
        self.counts: Counter[str] = Counter()
        self.down: list[Down] = []
        self.gone: dict[str, float] = {}
        """Targets of health checks that are down for good or for long, and since when."""

    def count(self, what: str) -> None:
        """One more of it."""
        with self._lock:
            self.counts[what] += 1

    def find(self, what: str) -> None:
        """Note a finding, and say so."""
        one = Finding(time.monotonic() - self.began, self.fault, what)
        with self._lock:
            self.findings.append(one)
            many = sum(what[:40] == other.what[:40] for other in self.findings)
        if many <= 5:
            print(f"  {one.at:6.1f} s FOUND ({one.fault}): {what}", flush=True)

    def write(self, zone: str, generation: int) -> None:
        """A zone file holds it from now on."""
        with self._lock:
            self.ceiling[zone] = generation

    def built(self, bundle: str) -> None:
        """A bundle that is live holds what the sources hold, unless it is known for long."""
        with self._lock:
            self._bundles.setdefault(bundle, dict(self.ceiling))

    def acknowledge(self, bundle: str) -> None:
        """All workers answer from it."""
        with self._lock:
            now = time.monotonic()
            for zone, generation in self._bundles[bundle].items():
                if generation > self.floor[zone]:
                    self.acknowledged_at[zone] = now
                self.floor[zone] = generation

    def lower(self, bundle: str) -> None:
        """It is about to become the live one again."""
        with self._lock:
            for zone, generation in self._bundles[bundle].items():
                self.floor[zone] = min(self.floor[zone], generation)

    def known(self) -> list[str]:
        """The bundles, in the order in which they were built."""
        return list(self._bundles)

    def contents(self, bundle: str) -> Mapping[str, int]:
        """The generations that a bundle holds."""
        return self._bundles[bundle]

    def seen(self, zone: str, serial: int, generation: int) -> str:
        """Somebody answered with this serial and content; what is wrong with that, or nothing."""
        with self._lock:
            known = self._content.setdefault((zone, serial), generation)
            if zone not in self.highest or greater(serial, self.highest[zone]):
                self.highest[zone] = serial
        if known == generation:
            return ""
        return f"{zone}: serial {serial} stands for generation {known} and for {generation}"

    @contextlib.contextmanager
    def excused(self, zones: Iterable[str]) -> Iterator[None]:
        """These may answer SERVFAIL while the block runs."""
        listed = list(zones)
        with self._lock:
            self._excused.update(listed)
        try:
            yield
        finally:
            with self._lock:
                self._excused.subtract(listed)

    def is_excused(self, zone: str) -> bool:
        """Whether it may answer SERVFAIL now."""
        return self._excused[zone] > 0

    @contextlib.contextmanager
    def lenient(self) -> Iterator[None]:
        """Builds and reloads may be refused while the block runs."""
        with self._lock:
            self._lenient += 1
        try:
            yield
        finally:
            with self._lock:
                self._lenient -= 1

    @property
    def is_lenient(self) -> bool:
        """Whether a build may be refused now."""
        return self._lenient > 0

    def was_down(self, begin: float, end: float) -> bool:
        """Whether the supervisor was being started again in this time."""
        return any(one.begin < end and (one.end is None or one.end > begin) for one in self.down)


@dataclass(slots=True)
class Down:
    """From the kill of a supervisor until its successor answers; by `time.monotonic`."""

    begin: float
    end: float | None = field(default=None)

    @property
    def seconds(self) -> float:
        """How long."""
        return (time.monotonic() if self.end is None else self.end) - self.begin

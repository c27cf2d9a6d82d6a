"""What is known of a server beside what changes under the supervisor's loop: what lies in shared
memory, and what is in the bundle. The thread that stands back completes what is seen for the status
page, and the observer does for metrics."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from lzc.serve.ipc.health_table import AUTO, DOWN, UNKNOWN, UP, Health
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.notify.message import is_current
from lzc.serve.observe.seen import CheckSeen, HealthSeen, SecondarySeen, Snapshot, ZoneThere
from lzc.serve.observe.totals import TotalsReader
from lzc.serve.supervise.bundle_contents import BundleContents, checks_of, contents_of
from lzc.wire import name as wire_name

_AT_ONCE: Final = 32
"""Checks, zones and the like that are looked at in a slice at least."""

GiveWay = Callable[[], None]
"""`lzc.serve.supervise.standing_back.Slices.give_way`, for work that takes long to call every few
hundredths of a millisecond."""


class Copied(NamedTuple):
    """A zone at a secondary as it was under the loop: ``since`` for how many seconds it has not had
    our serial; for the rest see `ZoneThere` and `ZoneAtSecondary`."""

    apex: bytes
    serial: int
    theirs: int | None
    since: float
    repeats: str
    last: Mapping[str, Any] | None
    asked: float


class Looked(NamedTuple):
    """What was seen under the loop, the zones at each secondary, and the folder of the bundle."""

    seen: Snapshot
    there: Sequence[Sequence[Copied]]
    folder: Path


class Completion:
    """Of a server whose workers have ``slots``, whose checks are what ``healths`` says of their
    keys, and which verifies bundles in ``stamps``. For one thread at a time."""

    def __init__(
        self,
        slots: Collection[Slot],
        healths: Callable[[Iterable[bytes]], Iterator[Health | None]],
        stamps: Path,
    ) -> None:
        self._totals = TotalsReader(slots)
        self._healths = healths
        self._stamps = stamps
        self._contents = BundleContents()
        self._checks: tuple[Path | None, tuple[CheckSeen, ...]] = (None, ())

    def checks(self, folder: Path) -> tuple[CheckSeen, ...]:
        """The checks of a bundle, of which nothing is known yet."""
        if self._checks[0] != folder:
            self._checks = folder, checks_of(folder)
        return self._checks[1]

    def complete(self, looked: Looked, give_way: GiveWay) -> Snapshot:
        """With what needs no loop."""
        seen, there, folder = looked
        if folder != self._contents.folder:
            self._contents = contents_of(folder, self._stamps, self.checks(folder))
        contents = self._contents
        return replace(
            seen,
            totals=self._totals.read(give_way),
            bundle=replace(seen.bundle, kept=contents.kept, left_out=contents.left_out),
            zones=contents.zones,
            health=self._look_at_checks(seen.health, give_way),
            secondaries=_with_zones(seen.secondaries, there, give_way),
        )

    def _look_at_checks(self, health: HealthSeen, give_way: GiveWay) -> HealthSeen:
        found: list[CheckSeen] = []
        forced, oldest, down = 0, 0.0, set()
        known = self._contents.checks
        there = self._healths(one.key for one in known)
        for number, (check, now) in enumerate(zip(known, there, strict=True)):
            if not number % _AT_ONCE:
                give_way()
            if now is None:
                found.append(check)
                continue
            forced += now.forced != AUTO
            if now.status == DOWN:
                down.add(check.key)
            if now.checked and (now.checked < oldest or not oldest):
                oldest = now.checked
            found.append(
                CheckSeen(
                    check.id,
                    check.target,
                    check.url,
                    None if now.status == UNKNOWN else now.status == UP,
                    now.latency,
                    now.checked,
                    now.changes,
                    check.key,
                    now.since,
                    now.forced,
                    now.found,
                    check.interval,
                )
            )
        records = self._contents.records
        without = []
        for number, one in enumerate(records):
            if not number % _AT_ONCE:
                give_way()
            if down.issuperset(one.checks):
                without.append((one.zone, one.owner, one.type))
        return replace(
            health,
            checks=found,
            forced=forced,
            oldest=oldest,
            without_target=without,
            records=records,
        )


def _with_zones(
    secondaries: Sequence[SecondarySeen], there: Sequence[Sequence[Copied]], give_way: GiveWay
) -> list[SecondarySeen]:
    found = []
    for one, copied in zip(secondaries, there, strict=True):
        zones: list[ZoneThere] = []
        for number, zone in enumerate(copied):
            if not number % _AT_ONCE:
                give_way()
            zones.append(_there(zone))
        found.append(replace(one, zones=zones))
    return found


def _there(zone: Copied) -> ZoneThere:
    current = zone.theirs is not None and is_current(zone.theirs, zone.serial)
    ahead = current and zone.theirs != zone.serial
    lag = 0.0 if current else max(zone.since, 0.0)
    name = wire_name.to_text(zone.apex)
    return ZoneThere(name, zone.theirs, lag, ahead, zone.repeats, zone.last, zone.asked)

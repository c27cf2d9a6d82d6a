"""Looks at all of a server, for its metrics and its status page, without keeping anybody waiting.

What changes under the event loop is copied there, which is quick; all else is looked at, and
written, in one thread that stands back behind those who answer.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import lzc
from lzc.serve.ipc.health_table import AUTO, DOWN, UNKNOWN, UP
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.notify.message import is_current
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.observe.seen import (
    BundleSeen,
    CheckSeen,
    GeoSeen,
    HealthSeen,
    ProcessSeen,
    SecondarySeen,
    Seen,
    ZoneThere,
)
from lzc.serve.observe.totals import Totals, TotalsReader
from lzc.serve.supervise.bundle_contents import BundleContents, checks_of, contents_of
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.control import Answer
from lzc.serve.supervise.new_settings import NewSettings
from lzc.serve.supervise.reload import Reloader
from lzc.wire import name as wire_name

FRESH: Final = 1.0
"""Seconds for which metrics are given again as they were, however many ask."""
_NICE: Final = 5
_SWITCH: Final = 0.0005
_PIECE: Final = 65536

T = TypeVar("T")


class _Copied(NamedTuple):
    """A zone at a secondary as it was under the loop: for the rest see `ZoneAtSecondary`."""

    apex: bytes
    serial: int
    theirs: int | None
    since: float


@dataclass(slots=True, eq=False)
class Seer:
    """Of a server, whose parts these are; ``slots`` are those of all workers it ever had,
    ``stamps`` is where verifications are remembered, and ``powerdns`` has its names beside ours."""

    reloader: Reloader
    checker: CheckerProcess
    settings: NewSettings
    secondaries: Secondaries
    stamps: Path
    slots: Collection[Slot]
    powerdns: bool = False
    started_at: float = field(default_factory=time.time)
    _contents: BundleContents = field(default_factory=BundleContents)
    _checks: tuple[Path | None, tuple[CheckSeen, ...]] = (None, ())
    _made: dict[str, tuple[float, bytes]] = field(default_factory=dict)
    _seen: tuple[float, Seen] | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _behind: ThreadPoolExecutor | None = None
    _totals: TotalsReader = field(init=False)

    def __post_init__(self) -> None:
        self._totals = TotalsReader(self.slots)

    async def text(self, content_type: str) -> bytes:
        """The metrics in a content type of `lzc.serve.observe.exposition`."""
        # Here, as a server whose metrics nobody asks for needs none of it; and not in the thread,
        # as a process that is forked meanwhile would find it half imported.
        from lzc.serve.observe import exposition

        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            at, made = self._made.get(content_type, (-FRESH, b""))
            if loop.time() - at < FRESH:
                return made
            seen = await self._whole()
            made = await self.behind(
                lambda: exposition.text(seen, content_type, powerdns=self.powerdns)
            )
            self._made[content_type] = loop.time(), made
            return made

    async def seen(self) -> Seen:
        """Everything, as it is, or was within the last second."""
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            if self._seen is None or loop.time() - self._seen[0] >= FRESH:
                self._seen = loop.time(), await self._whole()
            return self._seen[1]

    async def behind(self, work: Callable[[], T]) -> T:
        """Have something done in the thread that stands back; there is one."""
        if self._behind is None:
            self._behind = ThreadPoolExecutor(1, "metrics", initializer=_stand_back)

        def done() -> T:
            with _giving_way():
                return work()

        return await asyncio.get_running_loop().run_in_executor(self._behind, done)

    def checks(self, folder: Path) -> tuple[CheckSeen, ...]:
        """The checks of a bundle, of which nothing is known yet. In that thread."""
        if self._checks[0] != folder:
            self._checks = folder, checks_of(folder)
        return self._checks[1]

    async def _whole(self) -> Seen:
        totals = await self.behind(self._totals.read)
        seen, there = await self._look(totals)
        folder = self.reloader.folder
        return await self.behind(lambda: self._complete(seen, there, folder))

    async def command(self, _request: Answer) -> AsyncGenerator[bytes, None]:
        """``lzc ctl metrics``: a line of JSON in pieces."""
        from lzc.serve.observe.exposition import PLAIN

        made = await self.text(PLAIN)
        line = await asyncio.to_thread(lambda: json.dumps({"ok": True, "text": made.decode()}))
        return _pieces(line.encode() + b"\n")

    def not_ready(self) -> list[str]:
        """Why the server is not ready, in words of ours."""
        workers = self.reloader.workers
        return [f"worker {one.index} does not answer yet" for one in workers if not one.ready]

    def close(self) -> None:
        """Make no more."""
        if self._behind is not None:
            self._behind.shutdown(wait=False, cancel_futures=True)

    async def _look(self, totals: Totals) -> tuple[Seen, list[list[_Copied]]]:
        """What changes under the loop; zones at secondaries are copied one secondary after the
        other."""
        reloader, checker = self.reloader, self.checker.status()
        refused = reloader.refusal.status()
        secondaries, there = await self._copy_secondaries()
        counts = self.secondaries.transfers.counts
        seen = Seen(
            now=time.time(),
            version=lzc.__version__,
            started_at=self.started_at,
            bundle=BundleSeen(
                reloader.folder.name,
                reloader.built_at,
                reloader.loaded_at,
                max(worker.zones for worker in reloader.workers),
                None if refused is None else refused["since"],
                reloader.fallen.status()["count"],
            ),
            processes=self._processes(checker),
            totals=totals,
            reloads=dict(reloader.reloads),
            settings_pending=bool(self.settings.in_force.pending),
            geo=[
                GeoSeen(one["path"], one["read"], bool(one["error"]))
                for one in reloader.geo.report()
            ],
            keys=reloader.keys.states(),
            ends=dict(reloader.keys.ends()),
            quarantined=len(reloader.quarantine.codes),
            held_zones=sorted(map(wire_name.to_text, reloader.quarantine.zones)),
            health=HealthSeen(
                {name: value for name, value in checker.items() if type(value) is int},
                unlisted_limit=checker["unlisted_limit"],
                unsaved=bool(checker["unsaved"]),
            ),
            secondaries=secondaries,
            transfers=dict(counts.done),
            refusals=dict(counts.refused),
            tsig_failures=dict(counts.tsig),
            notify=dict(self.secondaries.counts),
        )
        return seen, there

    def _processes(self, checker: dict[str, Any]) -> list[ProcessSeen]:
        return [
            ProcessSeen("supervisor", os.getpid(), 0, True),
            ProcessSeen("checker", checker["pid"], checker["restarts"], checker["pid"] != 0),
            *(
                ProcessSeen(f"worker-{one.index}", one.pid, one.restarts, one.ready)
                for one in self.reloader.workers
            ),
        ]

    async def _copy_secondaries(self) -> tuple[list[SecondarySeen], list[list[_Copied]]]:
        now = asyncio.get_running_loop().time()
        found, there = [], []
        for one in self.secondaries.notified:
            lost = one.lost_since
            silent = None if lost is None else now - lost
            found.append(SecondarySeen(one.section.name, one.section.address, True, silent))
            there.append(
                [
                    _Copied(zone.apex, zone.serial, zone.theirs, now - zone.since)
                    for zone in one.zones.values()
                ]
            )
            await asyncio.sleep(0)
        return found, there

    def _complete(self, seen: Seen, there: list[list[_Copied]], folder: Path) -> Seen:
        """With what needs no loop."""
        if folder != self._contents.folder:
            self._contents = contents_of(folder, self.stamps, self.checks(folder))
        health = self._look_at_checks(seen.health)
        secondaries = [
            replace(one, zones=list(map(_there, zones)))
            for one, zones in zip(seen.secondaries, there, strict=True)
        ]
        zones = self._contents.zones
        return replace(seen, zones=zones, health=health, secondaries=secondaries)

    def _look_at_checks(self, health: HealthSeen) -> HealthSeen:
        found: list[CheckSeen] = []
        forced, down = 0, set()
        known = self._contents.checks
        there = self.checker.healths(one.key for one in known)
        for check, now in zip(known, there, strict=True):
            if now is None:
                found.append(check)
                continue
            forced += now.forced != AUTO
            if now.status == DOWN:
                down.add(check.key)
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
        without = [
            (one.zone, one.owner, one.type) for one in records if down.issuperset(one.checks)
        ]
        return replace(
            health,
            checks=found,
            forced=forced,
            without_target=without,
            records=records,
            interval=self.reloader.config.lua.health_check_interval,
        )


def _stand_back() -> None:
    """Have this thread alone yield to who answers."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


@contextmanager
def _giving_way() -> Iterator[None]:
    """Have the event loop wait for this thread no longer than it must: it gets the interpreter
    within half a millisecond, and no garbage is looked for among a hundred thousand samples, of
    which there is none."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        sys.setswitchinterval(before)


async def _pieces(whole: bytes) -> AsyncGenerator[bytes, None]:
    for at in range(0, len(whole), _PIECE):
        yield whole[at : at + _PIECE]


def _there(zone: _Copied) -> ZoneThere:
    current = zone.theirs is not None and is_current(zone.theirs, zone.serial)
    ahead = current and zone.theirs != zone.serial
    lag = 0.0 if current else max(zone.since, 0.0)
    return ZoneThere(wire_name.to_text(zone.apex), zone.theirs, lag, ahead)

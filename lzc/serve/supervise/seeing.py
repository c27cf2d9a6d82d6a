"""Looks at all of a server, for its metrics and its status page, without keeping anybody waiting.

What changes under the event loop is copied there, which is quick; all else is looked at, and
written, in one thread that stands back behind those who answer.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import zlib
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import lzc
from lzc.serve.ipc.health_table import AUTO, DOWN, UNKNOWN, UP
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.notify.message import is_current
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.observe.log_output import lost_lines
from lzc.serve.observe.process import cpu_of_all
from lzc.serve.observe.seen import (
    BundleSeen,
    CheckSeen,
    GeoSeen,
    HealthSeen,
    ProcessSeen,
    RecorderSeen,
    SecondarySeen,
    Seen,
    ZoneThere,
)
from lzc.serve.observe.totals import Totals, TotalsReader
from lzc.serve.supervise.bundle_contents import BundleContents, checks_of, contents_of
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.control import Answer
from lzc.serve.supervise.recorder_process import RecorderProcess
from lzc.serve.supervise.reload import Reloader
from lzc.serve.supervise.settings_in_force import SettingsInForce
from lzc.serve.supervise.standing_back import PAUSE, giving_way, stand_back
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.worker import right_time
from lzc.wire import name as wire_name

FRESH: Final = 1.0
"""Seconds for which metrics are given again as they were, however many ask."""
_GZIP: Final = 16 + zlib.MAX_WBITS
_FAST: Final = 1
_AT_ONCE: Final = 32
"""Checks, zones and the like that are looked at in a slice at least."""

T = TypeVar("T")
GiveWay = Callable[[], None]
"""`Slices.give_way`, for work that takes long to call every few hundredths of a millisecond."""


@dataclass(slots=True)
class _Made:
    """Metrics in one content type, ``at`` a time of the loop; compressed once somebody wanted
    that."""

    at: float
    pieces: list[bytes]
    compressed: list[bytes] | None = None


class _Copied(NamedTuple):
    """A zone at a secondary as it was under the loop: for the rest see `ZoneAtSecondary`."""

    apex: bytes
    serial: int
    theirs: int | None
    since: float


@dataclass(slots=True, eq=False)
class Seer:
    """Of a server, whose parts these are; ``slots`` are those of all workers it ever had,
    ``leaving`` are workers that end, ``stamps`` is where verifications are remembered, and
    ``powerdns`` has its names beside ours."""

    reloader: Reloader
    checker: CheckerProcess
    settings: SettingsInForce
    secondaries: Secondaries
    stamps: Path
    slots: Collection[Slot]
    recorder: RecorderProcess
    leaving: Iterable[WorkerProcess]
    powerdns: bool = False
    started_at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    _contents: BundleContents = field(default_factory=BundleContents)
    _checks: tuple[Path | None, tuple[CheckSeen, ...]] = (None, ())
    _made: dict[str, _Made] = field(default_factory=dict)
    _seen: tuple[float, Seen] | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _behind: ThreadPoolExecutor | None = None
    _totals: TotalsReader = field(init=False)

    def __post_init__(self) -> None:
        self._totals = TotalsReader(self.slots)

    async def pieces(self, content_type: str, compressed: bool = False) -> list[bytes]:
        """The metrics in a content type of `lzc.serve.observe.exposition`, and in gzip's format
        where that is wanted: one piece after the other."""
        # Here, as a server whose metrics nobody asks for needs none of it; and not in the thread,
        # as a process that is forked meanwhile would find it half imported.
        from lzc.serve.observe import exposition

        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            made = self._made.get(content_type)
            if made is None or loop.time() - made.at >= FRESH:
                seen = await self._whole()

                def make(give_way: GiveWay) -> list[bytes]:
                    found: list[bytes] = []
                    for piece in exposition.pieces(seen, content_type, powerdns=self.powerdns):
                        found.append(piece)
                        give_way()
                    return found

                pieces = await self._in_slices(make)
                made = self._made[content_type] = _Made(loop.time(), pieces)
            if not compressed:
                return made.pieces
            if made.compressed is None:
                made.compressed = await self._in_slices(partial(_compress, made.pieces))
            return made.compressed

    async def seen(self) -> Seen:
        """Everything, as it is, or was within the last second."""
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            if self._seen is None or loop.time() - self._seen[0] >= FRESH:
                self._seen = loop.time(), await self._whole()
            return self._seen[1]

    async def behind(self, work: Callable[[], T]) -> T:
        """Have something done in the thread that stands back; there is one."""
        return await self._in_slices(lambda _: work())

    async def _in_slices(self, work: Callable[[GiveWay], T]) -> T:
        """The same of what takes long."""
        if self._behind is None:
            self._behind = ThreadPoolExecutor(1, "metrics", initializer=stand_back)

        def done() -> T:
            with giving_way() as slices:
                return work(slices.give_way)

        return await asyncio.get_running_loop().run_in_executor(self._behind, done)

    def checks(self, folder: Path) -> tuple[CheckSeen, ...]:
        """The checks of a bundle, of which nothing is known yet. In that thread."""
        if self._checks[0] != folder:
            self._checks = folder, checks_of(folder)
        return self._checks[1]

    async def _whole(self) -> Seen:
        totals = await self._in_slices(self._totals.read)
        seen, there = await self._look(totals)
        folder = self.reloader.folder
        return await self._in_slices(partial(self._complete, seen, there, folder))

    async def command(self, _request: Answer) -> AsyncGenerator[bytes, None]:
        """``lzc ctl metrics``: a line of JSON in pieces."""
        from lzc.serve.observe.exposition import PLAIN

        return _as_json(await self.pieces(PLAIN))

    def not_ready(self) -> list[str]:
        """Why the server is not ready, in words of ours."""
        workers = self.reloader.workers
        found = [f"worker {one.index} does not answer yet" for one in workers if not one.ready]
        out = self.reloader.keys.out().values()
        if any(fault.rule == right_time.RULE for faults in out for fault in faults):
            found.append("the clock is before the bundle was built: signed zones are SERVFAIL")
        return found

    def speak(self, *, powerdns: bool) -> None:
        """Have the names of PowerDNS in it, or not."""
        if powerdns != self.powerdns:
            self.powerdns = powerdns
            self._made.clear()

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
            uptime=time.monotonic() - self.began,
            bundle=BundleSeen(
                reloader.folder.name,
                reloader.built_at,
                reloader.loaded_at,
                max(worker.zones for worker in reloader.workers),
                None if refused is None else refused["since"],
                reloader.fallen.status()["count"],
                reloader.gone,
            ),
            processes=self._processes(checker),
            cpu=cpu_of_all(self._pids()),
            totals=totals,
            lines_lost=lost_lines(),
            reloads=dict(reloader.reloads),
            settings_pending=bool(self.settings.pending),
            geo=[
                GeoSeen(one["path"], one["read"], bool(one["error"]))
                for one in reloader.geo.report()
            ],
            keys=reloader.keys.states(),
            ends=dict(reloader.keys.ends()),
            quarantined=len(reloader.quarantine.codes),
            lua_limit=reloader.config.lua.exec_limit,
            held_zones=sorted(map(wire_name.to_text, reloader.quarantine.zones)),
            health=HealthSeen(
                {name: value for name, value in checker.items() if type(value) is int},
                unlisted_limit=checker["unlisted_limit"],
                unsaved=bool(checker["unsaved"]),
            ),
            recorder=_recorder(self.recorder.status()),
            secondaries=secondaries,
            transfers=dict(counts.done),
            refusals=dict(counts.refused),
            tsig_failures=dict(counts.tsig),
            notify=dict(self.secondaries.counts),
        )
        return seen, there

    def _pids(self) -> list[int]:
        """Of our children that run."""
        workers = [one.pid for one in (*self.reloader.workers, *self.leaving)]
        return [pid for pid in (*workers, self.checker.pid, self.recorder.pid) if pid]

    def _processes(self, checker: dict[str, Any]) -> list[ProcessSeen]:
        recorder = self.recorder
        recorders = [
            ProcessSeen("recorder", recorder.pid, recorder.restarts, recorder.pid != 0),
        ]
        return [
            ProcessSeen("supervisor", os.getpid(), 0, True),
            ProcessSeen("checker", checker["pid"], checker["restarts"], checker["pid"] != 0),
            *(recorders if recorder.wanted else ()),
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
            await asyncio.sleep(PAUSE)
        return found, there

    def _complete(
        self, seen: Seen, there: list[list[_Copied]], folder: Path, give_way: GiveWay
    ) -> Seen:
        """With what needs no loop."""
        if folder != self._contents.folder:
            self._contents = contents_of(folder, self.stamps, self.checks(folder))
        health = self._look_at_checks(seen.health, give_way)
        secondaries = []
        for one, copied in zip(seen.secondaries, there, strict=True):
            zones: list[ZoneThere] = []
            for number, zone in enumerate(copied):
                if not number % _AT_ONCE:
                    give_way()
                zones.append(_there(zone))
            secondaries.append(replace(one, zones=zones))
        contents = self._contents
        bundle = replace(seen.bundle, kept=contents.kept, left_out=contents.left_out)
        return replace(
            seen, bundle=bundle, zones=contents.zones, health=health, secondaries=secondaries
        )

    def _look_at_checks(self, health: HealthSeen, give_way: GiveWay) -> HealthSeen:
        found: list[CheckSeen] = []
        forced, oldest, down = 0, 0.0, set()
        known = self._contents.checks
        there = self.checker.healths(one.key for one in known)
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
            interval=self.reloader.config.lua.health_check_interval,
        )


def _compress(pieces: list[bytes], give_way: GiveWay) -> list[bytes]:
    packer = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    found: list[bytes] = []
    for piece in pieces:
        found.append(packer.compress(piece))
        give_way()
    found.append(packer.flush())
    return [piece for piece in found if piece]


async def _as_json(pieces: list[bytes]) -> AsyncGenerator[bytes, None]:
    """A member ``text``, whatever its length without keeping the loop for long."""
    yield b'{"ok": true, "text": "'
    for at in range(0, len(pieces), _AT_ONCE):
        text = b"".join(pieces[at : at + _AT_ONCE]).decode()
        yield json.dumps(text)[1:-1].encode()
        await asyncio.sleep(0)
    yield b'"}\n'


def _recorder(status: dict[str, Any]) -> RecorderSeen:
    return RecorderSeen(
        status["dnstap"] is not None,
        status["query_log"] > 0,
        status["streaming"],
        status["counts"],
    )


def _there(zone: _Copied) -> ZoneThere:
    current = zone.theirs is not None and is_current(zone.theirs, zone.serial)
    ahead = current and zone.theirs != zone.serial
    lag = 0.0 if current else max(zone.since, 0.0)
    return ZoneThere(wire_name.to_text(zone.apex), zone.theirs, lag, ahead)

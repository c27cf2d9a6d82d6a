"""Looks at all of a server, for its metrics and its status page, without keeping anybody waiting.

What changes under the event loop is copied there, which is quick. All else is looked at, and
written, by the observer (`lzc.serve.supervise.observer`), a process that works while nobody else
does; or, for the status page and where answers take all there is, in one thread that stands back.
"""

from __future__ import annotations

import asyncio
import codecs
import json
import os
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import lzc
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.notify.secondaries import Secondaries
from lzc.serve.notify.zone_at_secondary import ZoneAtSecondary
from lzc.serve.observe.log_output import lost_lines
from lzc.serve.observe.made_metrics import MadeMetrics
from lzc.serve.observe.process import cpu_of_all
from lzc.serve.observe.seen import (
    BundleSeen,
    CheckSeen,
    FormSeen,
    GeoSeen,
    HealthSeen,
    ProcessSeen,
    RecorderSeen,
    SecondarySeen,
    Snapshot,
    TlsSeen,
)
from lzc.serve.observe.totals import NOTHING_COUNTED
from lzc.serve.observe.zone_transfers import ZoneTable
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.completing import Completion, Copied, GiveWay, Looked
from lzc.serve.supervise.control import Answer
from lzc.serve.supervise.observer_process import ObserverProcess
from lzc.serve.supervise.publisher_process import PublisherProcess
from lzc.serve.supervise.recorder_process import RecorderProcess
from lzc.serve.supervise.reload import Reloader
from lzc.serve.supervise.settings_in_force import SettingsInForce
from lzc.serve.supervise.standing_back import PAUSE, giving_way, stand_back
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.worker import right_time
from lzc.wire import name as wire_name

FRESH: Final = 1.0
"""Seconds for which metrics are given again as they were, however many ask."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Overview:
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
    publisher: PublisherProcess
    leaving: Iterable[WorkerProcess]
    observer: ObserverProcess
    powerdns: bool = False
    started_at: float = field(default_factory=time.time)
    began: float = field(default_factory=time.monotonic)
    _made: dict[tuple[str, bool], tuple[float, MadeMetrics]] = field(default_factory=dict)
    _seen: tuple[float, Snapshot] | None = None
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)
    _behind: ThreadPoolExecutor | None = None
    _completion: Completion = field(init=False)

    def __post_init__(self) -> None:
        self._completion = Completion(self.slots, self.checker.healths, self.stamps)

    async def metrics(self, content_type: str, compressed: bool = False) -> MadeMetrics:
        """The metrics in a content type of `lzc.serve.observe.exposition`, and in gzip's format
        where that is wanted."""
        # Here, as no answer waits for what it imports (`ahead`).
        from lzc.serve.supervise import observer

        loop, key = asyncio.get_running_loop(), (content_type, compressed)
        async with self._one_at_a_time:
            since = loop.time() - FRESH
            # They are megabytes each.
            self._made = {one: made for one, made in self._made.items() if made[0] > since}
            if key not in self._made:
                looked = await self._look()
                wanted = observer.Wanted(content_type, self.powerdns, compressed)
                made = await self.observer.made(wanted, looked)
                if made is None:
                    work = partial(observer.pieces, wanted, looked, self._completion)
                    made = await self._in_slices(lambda give_way: MadeMetrics.of(work(give_way)))
                self._made[key] = loop.time(), made
            return self._made[key][1]

    async def snapshot(self) -> Snapshot:
        """Everything, as it is, or was within the last second."""
        loop = asyncio.get_running_loop()
        async with self._one_at_a_time:
            if self._seen is None or loop.time() - self._seen[0] >= FRESH:
                complete = partial(self._completion.complete, await self._look())
                self._seen = loop.time(), await self._in_slices(complete)
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
        return self._completion.checks(folder)

    async def command(self, _request: Answer) -> AsyncGenerator[bytes, None]:
        """``lzc ctl metrics``: a line of JSON in pieces."""
        from lzc.serve.observe.exposition import PLAIN

        return _as_json(await self.metrics(PLAIN))

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

    async def _look(self) -> Looked:
        """What changes under the loop; zones at secondaries are copied one secondary after the
        other."""
        reloader, checker = self.reloader, self.checker.status()
        refused = reloader.refusal.status()
        secondaries, there = await self._copy_secondaries()
        counts = self.secondaries.transfers.counts
        seen = Snapshot(
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
                reloader.fallen.count,
                reloader.gone,
            ),
            processes=self._processes(checker),
            cpu=cpu_of_all(self._pids()),
            totals=NOTHING_COUNTED,
            lines_lost=lost_lines(),
            reloads=dict(reloader.reloads),
            settings_pending=bool(self.settings.pending),
            geo=[
                GeoSeen(one["path"], one["read"], bool(one["error"]))
                for one in reloader.geo.report()
            ],
            tls=_tls(reloader.tls.report()),
            keys=reloader.keys.states(),
            ends=dict(reloader.keys.ends()),
            quarantined=len(reloader.quarantine.codes),
            lua_limit=reloader.config.lua.exec_limit,
            held_zones=sorted(map(wire_name.to_text, reloader.quarantine.zones)),
            health=HealthSeen(
                {name: value for name, value in checker.items() if type(value) is int},
                unlisted_limit=checker["unlisted_limit"],
                unsaved=bool(checker["unsaved"]),
                interval=reloader.config.lua.health_check_interval,
            ),
            recorder=_recorder(self.recorder.status()),
            forms=[FormSeen(**one) for one in self.publisher.status()["forms"]],
            secondaries=secondaries,
            transfers=dict(counts.done),
            refusals=dict(counts.refused),
            tsig_failures=dict(counts.tsig),
            notify=dict(self.secondaries.counts),
            secondaries_unsaved=bool(self.secondaries.unsaved),
            last_transfers=self.secondaries.transfers.last_transfers(),
            transfer_octets=dict(counts.octets),
            transfer_seconds=dict(counts.seconds),
        )
        return Looked(seen, there, reloader.folder)

    def _pids(self) -> list[int]:
        """Of our children that run."""
        workers = [one.pid for one in (*self.reloader.workers, *self.leaving)]
        others = (self.checker.pid, self.recorder.pid, self.publisher.pid)
        return [pid for pid in (*workers, *others, *self.observer.pids) if pid]

    def _processes(self, checker: dict[str, Any]) -> list[ProcessSeen]:
        recorder = self.recorder
        recorders = [
            ProcessSeen("recorder", recorder.pid, recorder.restarts, recorder.pid != 0),
        ]
        publisher = self.publisher
        publishers = [
            ProcessSeen("publisher", publisher.pid, publisher.restarts, publisher.pid != 0),
        ]
        observer = self.observer
        observers = [ProcessSeen("observer", observer.pid, observer.restarts, True)]
        return [
            ProcessSeen("supervisor", os.getpid(), 0, True),
            ProcessSeen("checker", checker["pid"], checker["restarts"], checker["pid"] != 0),
            *(recorders if recorder.wanted else ()),
            *(publishers if publisher.wanted else ()),
            *(observers if observer.pid else ()),
            *(
                ProcessSeen(f"worker-{one.index}", one.pid, one.restarts, one.ready)
                for one in self.reloader.workers
            ),
        ]

    async def _copy_secondaries(self) -> tuple[list[SecondarySeen], list[list[Copied]]]:
        now = asyncio.get_running_loop().time()
        found, there = [], []
        for one in self.secondaries.notified:
            lost = one.lost_since
            silent = None if lost is None else now - lost
            found.append(SecondarySeen(one.section.name, one.section.address, True, silent))
            table = self.secondaries.transfers.table_of(one.section)
            there.append(
                [
                    Copied(
                        *(zone.apex, zone.serial, zone.theirs, now - zone.since),
                        *_transfers(zone, table),
                    )
                    for zone in one.zones.values()
                ]
            )
            await asyncio.sleep(PAUSE)
        return found, there


async def _as_json(made: MadeMetrics) -> AsyncGenerator[bytes, None]:
    """A member ``text``, whatever its length without keeping the loop for long."""
    yield b'{"ok": true, "text": "'
    decoder = codecs.getincrementaldecoder("utf-8")()
    for part in made.parts():
        yield json.dumps(decoder.decode(part))[1:-1].encode()
        await asyncio.sleep(0)
    yield b'"}\n'


def _recorder(status: dict[str, Any]) -> RecorderSeen:
    return RecorderSeen(
        status["dnstap"] is not None,
        status["query_log"] > 0,
        status["streaming"],
        status["counts"],
    )


def _transfers(
    zone: ZoneAtSecondary, table: ZoneTable
) -> tuple[str, Mapping[str, Any] | None, float]:
    """Why it is taken again and again, if it is, of one that is odd the last transfer, and when it
    was asked about."""
    known = table.of(zone.apex)
    if known is None:
        return "", None, 0.0
    now = time.time()
    repeats = known.hint if known.repeats(now) else ""
    odd = repeats or zone.theirs != zone.serial
    return repeats, known.to_document(now)["last"] if odd else None, known.asked


def _tls(found: dict[str, Any] | None) -> TlsSeen | None:
    if found is None:
        return None
    return TlsSeen(found["certificate"], found["expires"], bool(found["error"]))

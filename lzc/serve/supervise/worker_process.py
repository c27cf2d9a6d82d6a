"""The supervisor's side of workers: their processes, what they said, when to start one again, and
how all of them change what they answer from: all prepare it, then all switch."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from lzc.faults import Fault, Place
from lzc.serve.ipc.process import Channel, ChannelMessage
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.worker.serving import Assignment

log = logging.getLogger("lzc")

SHORT_LIFE: Final = 10.0
"""Seconds; a worker that dies younger is restarted after a pause that doubles each time."""
FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 5.0
PATIENCE: Final = 60.0
"""Seconds that workers get to open a bundle."""
_LOOK: Final = 0.05


class WorkerProcess:
    """One place for a worker, whatever process is in it at the moment (``pid`` 0: none). ``hung``:
    it did not respond, and was killed for it; ``generation`` is the switch that it began with."""

    def __init__(self, index: int, slot: Slot) -> None:
        self.index = index
        self.slot = slot
        self.pid = 0
        self.channel: Channel | None = None
        self.bundle = ""
        self.zones = 0
        self.ready = False
        self.started = 0.0
        self.restarts = 0
        self.died_young = 0
        self.hung = False
        self.generation = 0
        self._progress = (0, b"")
        self._moved = 0.0
        self._answer: asyncio.Future[ChannelMessage] | None = None

    def begin(self, pid: int, channel: Channel) -> None:
        """A process was started in this place."""
        self.pid = pid
        self.channel = channel
        self.ready = False
        self.bundle = ""
        self.hung = False
        self.started = time.monotonic()

    def end(self, how: str, crash: str = "") -> None:
        """The process is gone; ``how`` in words, ``crash`` where that is nobody's wish."""
        self.pid = 0
        self.ready = False
        self.slot.vacate()
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        why = f"worker {self.index} ended while it was loaded ({how})"
        said = {"worker": self.index, "why": why, "crash": crash, "hung": self.hung}
        self.take({"event": "ended", **said})

    def without_progress(self, now: float) -> float:
        """Seconds of the monotonic clock, up to ``now``, in which nothing got on: as far as one
        sees who asks often."""
        progress = self.slot.progress()
        if progress != self._progress:
            self._progress, self._moved = progress, now
        return now - max(self._moved, self.started)

    def pause(self) -> float:
        """Seconds until the next process may start, now that one died."""
        if time.monotonic() - self.started > SHORT_LIFE:
            self.died_young = 0
            return 0.0
        self.died_young += 1
        if self.died_young == 1:
            return 0.0
        return float(min(FIRST_PAUSE * 2.0 ** (self.died_young - 2), LONGEST_PAUSE))

    def take(self, message: ChannelMessage) -> None:
        """An answer has come from the process."""
        if message["event"] in ("ready", "committed"):
            self.ready = True
            self.bundle = message["bundle"]
            self.zones = message["zones"]
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    def tell(self, message: ChannelMessage) -> None:
        """Send a message, if there is a process."""
        if self.channel is not None:
            self.channel.send(message)

    def expect(self) -> asyncio.Future[ChannelMessage]:
        """The next thing the worker says."""
        self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    def status(self) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        return {
            "index": self.index,
            "pid": self.pid,
            "ready": self.ready,
            "bundle": self.bundle,
            "restarts": self.restarts,
            **self.slot.counters(),
        }


def faults_of(failed: ChannelMessage) -> list[Fault]:
    """What a worker said that could not start."""
    found = [Fault.from_document(fault) for fault in failed.get("faults", ())]
    return found or [Fault(Place("lzc serve"), "start", failed["why"])]


class Problem(NamedTuple):
    """Why nobody switched; ``crash`` is how a worker died over it, as it did not respond where it
    ``hung``."""

    why: str
    crash: str = ""
    hung: bool = False


@dataclass(slots=True)
class Switch:
    """Of these workers; ``answering`` is the bundle that they were told to answer from last,
    ``generation`` counts how often they were."""

    _workers: Sequence[WorkerProcess]
    answering: Path
    generation: int = 0

    async def all_to(self, assigned: Assignment, *, keep_keys: bool = False) -> Problem | None:
        """Have all answer from a bundle; with ``keep_keys``, those of the same bundle are not read
        again. A worker that somebody kills meanwhile says nothing about the bundle: its successor
        is asked, unless that is killed as well."""
        prepare = _prepare(assigned, keep_keys=keep_keys)
        prepared: set[int] = set()
        killed: set[int] = set()
        # One that started meanwhile, perhaps in the place of one that had prepared, answers from
        # what was before as well.
        while late := [one for one in self._workers if one.ready and one.pid not in prepared]:
            prepared |= {worker.pid for worker in late}
            said = await _asked_to_prepare(late, prepare)
            ends = [one for one in said if one is not None and _was_killed(one)]
            problem = _problem_in([one for one in said if one not in ends])
            again = killed.intersection(one["worker"] for one in ends)
            if again and not problem:
                problem = Problem(f"{ends[0]['why']}, and so did the one before it")
            if problem:
                for worker in self._workers:
                    worker.tell({"do": "abandon"})
                return problem
            for one in ends:
                what = "bundle %s: %s, for which another takes its place"
                log.warning(what, assigned.folder.name, one["why"])
            killed |= {one["worker"] for one in ends}
            if killed and not await self._one_is_ready():
                return Problem("no worker is left to load it")
        taking_part = [worker for worker in self._workers if worker.ready]
        self.answering = assigned.folder
        self.generation += 1
        switched = [worker.expect() for worker in taking_part]
        for worker in taking_part:
            worker.tell({"do": "commit"})
        if switched:
            await asyncio.wait(switched, timeout=PATIENCE)
        return None

    async def _one_is_ready(self) -> bool:
        """Wait for that: a bundle that none has opened may be one that none can."""
        end = time.monotonic() + PATIENCE
        # Polling, as it takes somebody who kills workers to get here.
        while not any(one.ready for one in self._workers):
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_LOOK)
        return True

    async def alone(self, worker: WorkerProcess, assigned: Assignment) -> None:
        """Bring one that has not begun to answer to what the others answer from."""
        said = await _asked_to_prepare([worker], _prepare(assigned, keep_keys=True))
        if _problem_in(said) is None:
            worker.tell({"do": "commit"})
        worker.tell({"do": "begin"})


def _prepare(assigned: Assignment, *, keep_keys: bool) -> ChannelMessage:
    return {"do": "prepare", "keep_keys": keep_keys, **assigned.to_message()}


async def _asked_to_prepare(
    workers: Sequence[WorkerProcess], prepare: ChannelMessage
) -> list[ChannelMessage | None]:
    """First half of the switch, in these workers: what each said, `None` where it was nothing."""
    answers = [worker.expect() for worker in workers]
    for worker in workers:
        worker.tell(prepare)
    await asyncio.wait(answers, timeout=PATIENCE)
    return [answer.result() if answer.done() else None for answer in answers]


def _was_killed(said: ChannelMessage) -> bool:
    """Whether a worker ended for what is not to be held against what it loaded."""
    return said["event"] == "ended" and not said["crash"]


def _problem_in(said: Sequence[ChannelMessage | None]) -> Problem | None:
    """Why not all have prepared; `None` where they have."""
    failed = [one for one in said if one is None or one["event"] != "prepared"]
    if not failed:
        return None
    why = "a worker did not answer in time" if failed[0] is None else str(failed[0]["why"])
    crashed = next((one for one in failed if one is not None and one.get("crash")), None)
    return Problem(why) if crashed is None else Problem(why, crashed["crash"], crashed["hung"])

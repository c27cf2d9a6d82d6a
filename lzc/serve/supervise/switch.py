"""Changing what all workers answer from, in two halves: all of them prepare it, then all switch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from lzc.serve.ipc.process import ChannelMessage
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.worker.serving import Assignment

PATIENCE: Final = 60.0
"""Seconds that workers get to open a bundle."""


class Problem(NamedTuple):
    """Why nobody switched; ``crash`` is how a worker died over it, as it did not respond where it
    ``hung``."""

    why: str
    crash: str = ""
    hung: bool = False


@dataclass(slots=True)
class Switch:
    """Of these workers; ``answering`` is the bundle that they were told to answer from last."""

    _workers: Sequence[WorkerProcess]
    answering: Path

    async def all_to(self, assigned: Assignment, *, keep_keys: bool = False) -> Problem | None:
        """Have all answer from a bundle; with ``keep_keys``, those of the same bundle are not read
        again."""
        prepare = _prepare(assigned, keep_keys=keep_keys)
        prepared: set[int] = set()
        # One that started meanwhile, perhaps in the place of one that had prepared, answers from
        # what was before as well.
        while late := [one for one in self._workers if one.ready and one.pid not in prepared]:
            prepared |= {worker.pid for worker in late}
            problem = await _have_prepared(late, prepare)
            if problem:
                for worker in self._workers:
                    worker.tell({"do": "abandon"})
                return problem
        taking_part = [worker for worker in self._workers if worker.ready]
        self.answering = assigned.folder
        switched = [worker.expect() for worker in taking_part]
        for worker in taking_part:
            worker.tell({"do": "commit"})
        if switched:
            await asyncio.wait(switched, timeout=PATIENCE)
        return None

    async def alone(self, worker: WorkerProcess, assigned: Assignment) -> None:
        """Bring one that has not begun to answer to what the others answer from."""
        if await _have_prepared([worker], _prepare(assigned, keep_keys=True)) is None:
            worker.tell({"do": "commit"})
        worker.tell({"do": "begin"})


def _prepare(assigned: Assignment, *, keep_keys: bool) -> ChannelMessage:
    return {"do": "prepare", "keep_keys": keep_keys, **assigned.to_message()}


async def _have_prepared(
    workers: Sequence[WorkerProcess], prepare: ChannelMessage
) -> Problem | None:
    """First half of the switch, in these workers."""
    answers = [worker.expect() for worker in workers]
    for worker in workers:
        worker.tell(prepare)
    await asyncio.wait(answers, timeout=PATIENCE)
    said = [answer.result() if answer.done() else None for answer in answers]
    failed = [one for one in said if one is None or one["event"] != "prepared"]
    if not failed:
        return None
    why = "a worker did not answer in time" if failed[0] is None else str(failed[0]["why"])
    crashed = next((one for one in failed if one is not None and one.get("crash")), None)
    return Problem(why) if crashed is None else Problem(why, crashed["crash"], crashed["hung"])

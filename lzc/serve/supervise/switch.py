"""Changing what all workers answer from, in two halves: all of them prepare it, then all switch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from lzc.serve.ipc.process import ChannelMessage
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.worker.geo_files import GeoFiles
from lzc.serve.worker.keyring import Secrets
from lzc.serve.worker.quarantine import Quarantine

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
    """Of these workers, which read the databases of ``geo``; ``answering`` is the bundle that they
    were told to answer from last."""

    _workers: Sequence[WorkerProcess]
    _geo: GeoFiles
    answering: Path

    async def all_to(
        self, folder: Path, secrets: Secrets, quarantine: Quarantine, *, keep_keys: bool = False
    ) -> Problem | None:
        """Have all answer from a bundle, with these secrets, and run no code in quarantine; with
        ``keep_keys``, those of the same bundle are not read again."""
        prepare = self._prepare(folder, secrets, quarantine, keep_keys=keep_keys)
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
        self.answering = folder
        switched = [worker.expect() for worker in taking_part]
        for worker in taking_part:
            worker.tell({"do": "commit"})
        if switched:
            await asyncio.wait(switched, timeout=PATIENCE)
        self._geo.forget_superseded()
        return None

    async def alone(
        self, worker: WorkerProcess, folder: Path, secrets: Secrets, quarantine: Quarantine
    ) -> None:
        """Bring one that has not begun to answer to what the others answer from."""
        prepare = self._prepare(folder, secrets, quarantine, keep_keys=True)
        if await _have_prepared([worker], prepare) is None:
            worker.tell({"do": "commit"})
        worker.tell({"do": "begin"})

    def _prepare(
        self, folder: Path, secrets: Secrets, quarantine: Quarantine, *, keep_keys: bool
    ) -> ChannelMessage:
        return {
            "do": "prepare",
            "folder": str(folder),
            "quarantine": quarantine.to_message(),
            "geo": [str(path) for path in self._geo.current()],
            "secrets": secrets.to_message(),
            "keep_keys": keep_keys,
        }


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

"""How many workers there are, while they answer: more, or fewer, and no query lost for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from lzc.config import MOST_WORKERS
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.supervise.leaving import Leaving
from lzc.serve.supervise.reload import Reloader
from lzc.serve.supervise.worker_process import PATIENCE, WorkerProcess
from lzc.serve.transport.sockets import SocketSet


@dataclass(frozen=True, slots=True)
class WorkerCount:
    """Changes the list of ``workers``: one that is added is begun by ``start``, one that is taken
    out is ``leaving``."""

    _workers: list[WorkerProcess]
    _leaving: Leaving
    _bound: SocketSet
    _board: Scoreboard
    _reloader: Reloader
    _start: Callable[[WorkerProcess], None]

    async def change(self, count: int) -> str:
        """Have so many, once those that are new can answer, and nothing more comes to those that
        leave. Returns why that cannot be, or nothing."""
        async with self._reloader.lock:
            return await self._change(count)

    async def _change(self, count: int) -> str:
        waits = []
        while len(self._workers) > count:
            worker = self._workers.pop()
            self._reloader.keys.forget(worker.index)
            waits.append(worker.expect())
            self._leaving.add(worker)
        problem = ""
        for index in self._free(count - len(self._workers)):
            try:
                self._bound.reopen(index)
            except OSError as error:
                problem = (
                    f"there are {len(self._workers)} workers, and no more until the server starts"
                    f" again, as its addresses cannot be had: {error.strerror}"
                )
                break
            worker = WorkerProcess(index, self._board.slot(index))
            self._workers.append(worker)
            waits.append(worker.expect())
            self._start(worker)
        if waits:
            await asyncio.wait(waits, timeout=PATIENCE)
        return problem

    def _free(self, count: int) -> list[int]:
        taken = {one.index for one in self._workers} | self._leaving.indexes()
        return list(
            islice((index for index in range(MOST_WORKERS) if index not in taken), max(count, 0))
        )

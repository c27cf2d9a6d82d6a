"""Workers that are not needed any more, until their processes have ended: first their sockets get
nothing new, then what is in these is answered, then they go."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Final

from lzc.serve.ipc.process import ended, how, kill
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.transport.sockets import SocketSet
from lzc.serve.transport.withdrawal import LINGER
from lzc.serve.worker.worker import GRACE, LONGEST_LEAVE

log = logging.getLogger("lzc")

LIMIT: Final = LINGER + LONGEST_LEAVE + GRACE + 3.0
"""Seconds after which one that has not gone is killed."""


class Leaving:
    """Those that leave; ``bound`` are the sockets of all workers."""

    def __init__(self, bound: SocketSet) -> None:
        self._bound = bound
        self._since: dict[WorkerProcess, float] = {}

    def __iter__(self) -> Iterator[WorkerProcess]:
        return iter(list(self._since))

    def indexes(self) -> set[int]:
        """The places that are not free yet."""
        return {worker.index for worker in self._since}

    def add(self, worker: WorkerProcess) -> None:
        """One is to leave; where its process died just now, others get what comes."""
        if not worker.pid:
            self._bound.forget(worker.index)
            worker.end("it had died")
            return
        self._since[worker] = time.monotonic()
        worker.tell({"do": "leave"})

    def hurry(self) -> None:
        """What they answer from is old by now: who is connected to them has to come again."""
        for worker in self._since:
            if worker.index in self._bound.closed():
                worker.tell({"do": "stop"})

    def stop(self) -> None:
        """The server ends."""
        for worker in self._since:
            worker.tell({"do": "stop"})

    def look(self) -> None:
        """See which have ended, and kill those that do not. To be called some times a second."""
        now = time.monotonic()
        for worker, since in list(self._since.items()):
            status = ended(worker.pid)
            if status is None and now - since > LIMIT:
                log.error("worker %d (pid %d) does not leave: killing it", worker.index, worker.pid)
                kill(worker.pid)
                status = 0
            if status is not None:
                if status:
                    log.error("worker %d died as it left: %s", worker.index, how(status))
                worker.end("it left")
                del self._since[worker]
                self._bound.forget(worker.index)

"""Workers that hang are killed, and what is to blame for one that died is found."""

from __future__ import annotations

import logging
import os
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lzc.serve.ipc.process import how
from lzc.serve.observe.log_format import about
from lzc.serve.supervise.bundle_trial import FROM_OUTSIDE
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.recorder_process import RecorderProcess
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.worker.quarantine import Quarantine
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.message import question_end

log = logging.getLogger("lzc")

WATCHDOG: Final = 3.0
"""Seconds with one thing, a query as a rule, after which a worker is killed and replaced. However
busy it is otherwise, it says that it gets on."""
START_LIMIT: Final = 120.0
"""Seconds a worker gets to open its bundle (it may have to be hashed)."""
LEAVING: Final = 1.0
"""As `WATCHDOG`, once the server stops."""
_OTHERS_PATIENCE: Final = 10
"""Times the watchdog's seconds: no answer waits for the checker or the recorder, whose turns may
take seconds."""
_LATE: Final = 1.0


@dataclass(slots=True)
class Watchdog:
    """Of these processes, which have ``limit`` seconds for one thing."""

    _workers: Sequence[WorkerProcess]
    _checker: CheckerProcess
    _recorder: RecorderProcess
    _limit: float
    _fair_from: float = 0.0
    _looked_at: float = 0.0

    def look(self, *, stopping: bool) -> None:
        """Kill those that hang. To be called some times a second."""
        now = time.monotonic()
        if now - self._looked_at > _LATE:
            # We were stopped ourselves, and so were they: give them time to catch up.
            self._fair_from = now
        self._looked_at = now
        for worker in self._workers:
            if not worker.pid:
                continue
            limit = self._limit if worker.slot.last_beat() else START_LIMIT
            if stopping:
                limit = min(limit, LEAVING)
            if min(worker.without_progress(now), now - self._fair_from) > limit:
                log.error(
                    "worker %d (pid %d) did not respond for %.1f s%s: killing it",
                    *(worker.index, worker.pid, limit, at_work(worker.slot.at_work())),
                    extra=about(worker=worker.index, seconds=limit),
                )
                worker.hung = True
                os.kill(worker.pid, signal.SIGKILL)
        patience = 3 * LEAVING if stopping else _OTHERS_PATIENCE * self._limit
        self._checker.watch(self._fair_from, patience)
        self._recorder.watch(self._fair_from, patience)


def at_work(query: bytes | None) -> str:
    """What a worker was doing, for the log."""
    if query is None:
        return ""
    end = question_end(query)
    if not end:
        return " (busy with a malformed query)"
    kind = rrtype.to_text(int.from_bytes(query[end - 4 : end - 2], "big"))
    return f" (busy with {wire_name.to_text(query[12 : end - 4])} {kind})"


def crash_of(worker: WorkerProcess, status: int) -> str:
    """How a worker died, by its wait status, where neither somebody outside nor a LUA record is to
    blame; empty where one is."""
    if not os.WIFSIGNALED(status) or worker.slot.running_lua() is not None:
        return ""
    if worker.hung:
        return "it did not respond"
    return "" if os.WTERMSIG(status) in FROM_OUTSIDE else how(status)


@dataclass(slots=True)
class RecordsToBlame:
    """Puts code of LUA records into ``quarantine`` that stopped one of the ``workers``."""

    _workers: Sequence[WorkerProcess]
    _quarantine: Quarantine
    _suspected: set[int] = field(default_factory=set)

    def clear(self) -> None:
        """Another bundle is served: all code may run again."""
        self._quarantine.clear()
        self._suspected.clear()

    def died(self, worker: WorkerProcess, status: int) -> bool:
        """Whether a LUA record stopped the worker, by a hang or a crash: nobody runs that any more.
        Who kills a worker from outside may meet any record at work; the same twice is no chance."""
        running = worker.slot.running_lua()
        if running is None or not os.WIFSIGNALED(status):
            return False
        if not worker.hung and os.WTERMSIG(status) in FROM_OUTSIDE:
            seen = running[0] in self._suspected
            self._suspected.add(running[0])
            if not seen:
                return False
        code, qname, apex = running
        name = wire_name.to_text(qname)
        self._quarantine.add(code, name, apex)
        log.error(
            "QUARANTINE: the LUA record that answers %s stopped worker %d; it gives SERVFAIL until"
            " the next bundle, and so does all code of zone %s that never ran to its end",
            *(name, worker.index, wire_name.to_text(apex)),
            extra=about(zone=wire_name.to_text(apex), qname=name, worker=worker.index),
        )
        for other in self._workers:
            other.tell({"do": "quarantine", "code": code, "zone": apex.hex()})
        return True

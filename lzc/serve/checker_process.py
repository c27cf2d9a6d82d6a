"""The supervisor's side of the health checker: its process, and asking it what it knows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lzc.lua.health import Check
from lzc.serve.health_table import HealthTable, TableView
from lzc.serve.process import Channel, Message, ended, fork, how

log = logging.getLogger("lzc")

PAUSE: Final = 1.0
"""Seconds until a checker that died is replaced."""
_TIMEOUT: Final = 20.0


class CheckerProcess:
    """One checker at a time, and what outlives it: the status table and the socket on which workers
    name checks. Make it before the first fork."""

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._table = HealthTable()
        # Workers put checks in on one end, the checker takes them from the other.
        self._reports_in, self._reports_out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._reports_in.setblocking(False)
        self._answer: asyncio.Future[Message] | None = None
        self._stopping = False
        self.channel: Channel | None = None
        self.pid = 0
        self.restarts = 0

    def view(self) -> TableView:
        """What a worker sees of the checks."""

        def report(check: Check) -> None:
            with contextlib.suppress(OSError):  # full: the check is named again in some seconds
                self._reports_in.send(check.to_json().encode())

        return TableView(self._table, report)

    def start(self, folder: Path, close_others: Callable[[], None]) -> None:
        """Start the process with the checks of a bundle; ``close_others`` runs first in it."""
        if self._stopping or self.pid:
            return

        def main(channel: Channel) -> int:
            close_others()
            # Here, as no answer waits for what it imports.
            from lzc.serve import checker

            return checker.run(self._table, self._reports_out, self._interval, channel)

        self.pid, self.channel = fork(main)
        self.channel.attach(asyncio.get_running_loop(), self._heard, lambda: None)
        self.load(folder)

    def load(self, folder: Path) -> None:
        """Check what this bundle lists."""
        if self.channel is not None:
            self.channel.send({"do": "load", "folder": str(folder)})

    def reap(self, start: Callable[[], None]) -> None:
        """See whether the process ended, and plan ``start``."""
        status = ended(self.pid)
        if status is None:
            return
        self.pid = 0
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if not self._stopping:
            log.error("the health checker (%s) died; starting another", how(status))
            self.restarts += 1
            asyncio.get_running_loop().call_later(PAUSE, start)

    def stop(self) -> None:
        """Have the process end."""
        self._stopping = True
        if self.channel is not None:
            self.channel.send({"do": "stop"})

    async def report(self) -> dict[str, Any]:
        """All checks: the answer of ``lzc ctl health``."""
        if self.channel is None:
            return {"ok": False, "error": "the health checker is being restarted"}
        if self._answer is None or self._answer.done():
            self._answer = asyncio.get_running_loop().create_future()
            self.channel.send({"do": "report"})
        try:
            message = await asyncio.wait_for(asyncio.shield(self._answer), _TIMEOUT)
        except TimeoutError:
            self._answer = None
            return {"ok": False, "error": "the health checker does not answer"}
        return {"ok": True, "checks": message["checks"]}

    def _heard(self, message: Message) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

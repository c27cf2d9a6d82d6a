"""The supervisor's side of the health checker: its process, and asking it what it knows."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from lzc import foreign_json
from lzc.config import Config
from lzc.health_check import Check
from lzc.serve.health.admission import CheckPolicy
from lzc.serve.health.unlisted import report_of
from lzc.serve.ipc.health_table import UNLISTED, Health, HealthTable
from lzc.serve.ipc.health_view import TableView
from lzc.serve.ipc.process import Channel, ChannelMessage, ended, fork, how
from lzc.serve.ipc.sent_settings import document_of
from lzc.serve.observe.log_format import about
from lzc.serve.supervise.silence import end_silence

log = logging.getLogger("lzc")

PAUSE: Final = 1.0
"""Seconds until a checker that died is replaced."""
_TIMEOUT: Final = 20.0
_LOADING: Final = 2.0
_LOOK: Final = 0.005
_PIECE: Final = 65536
_BUSY: Final = {"ok": False, "error": "the health checker does not answer"}
_RESTARTING: Final = {"ok": False, "error": "the health checker is being restarted"}


class CheckerProcess:
    """One checker at a time, and what outlives it: the status table and the socket on which workers
    name checks. Make it before the first fork."""

    def __init__(self, policy: CheckPolicy, file: Path, leftover: Path) -> None:
        """``leftover`` is a folder of ours, which is to go when we are killed."""
        self._policy = policy
        self._file = file
        self._leftover = leftover
        self._table = HealthTable()
        # Workers put checks in on one end, the checker takes them from the other.
        self._reports_in, self._reports_out = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._reports_in.setblocking(False)
        self._forced: asyncio.Future[ChannelMessage] | None = None
        self._forcing = asyncio.Lock()
        self._unsaved = ""
        self._asking: socket.socket | None = None
        self._stopping = False
        self.channel: Channel | None = None
        self.pid = 0
        self.restarts = 0

    def view(self) -> TableView:
        """What a worker sees of the checks."""

        def report(check: Check, zone: bytes) -> None:
            with contextlib.suppress(OSError):  # full: the check is named again in some seconds
                self._reports_in.send(report_of(check, zone))

        return TableView(self._table, report)

    def start(self, folder: Path, close_others: Callable[[], None]) -> None:
        """Start the process with the checks of a bundle; ``close_others`` runs first in it."""
        if self._stopping or self.pid:
            return
        # Reports have a line of their own: the checker's end of the other may be busy.
        ours, theirs = socket.socketpair()

        def main(channel: Channel) -> int:
            close_others()
            ours.close()
            # Here, as no answer waits for what it imports (`ahead`).
            from lzc.serve.health.checker_main import serve

            files = self._file, self._leftover
            return asyncio.run(
                serve(channel, self._table, self._reports_out, theirs, self._policy, *files)
            )

        self._table.beat(0)
        self.pid, self.channel = fork(main, orphan=True)
        theirs.close()
        self.channel.attach(asyncio.get_running_loop(), self._heard, lambda: None)
        ours.setblocking(False)
        self._asking = ours
        self.load(folder)

    def take_settings(self, config: Config) -> None:
        """Go by other settings, from the next `load` on."""
        self._policy = CheckPolicy.from_config(config)
        if self.channel is not None:
            self.channel.send({"do": "policy", "config": document_of(config)})

    def load(self, folder: Path) -> None:
        """Check what this bundle lists."""
        if self.channel is not None:
            self.channel.send({"do": "load", "folder": str(folder)})

    def watch(self, fair_from: float, limit: float) -> None:
        """Kill a process whose event loop has not turned for ``limit`` seconds, which is replaced
        then; ``fair_from`` is when we were stopped ourselves."""
        end_silence("health checker", self.pid, self._table, fair_from, limit)

    def reap(self, start: Callable[[], None]) -> None:
        """See whether the process ended, and plan ``start``."""
        status = ended(self.pid)
        if status is None:
            return
        self.pid = 0
        for channel in (self.channel, self._asking):
            if channel is not None:
                channel.close()
        self.channel = self._asking = None
        if self._forced is not None and not self._forced.done():
            self._forced.set_result(_RESTARTING)
        if not self._stopping:
            what = "the health checker (%s) died; starting another"
            log.error(what, how(status), extra=about(reason=how(status)))
            self.restarts += 1
            asyncio.get_running_loop().call_later(PAUSE, start)

    def stop(self) -> None:
        """Have the process end."""
        self._stopping = True
        if not self._table.last_beat():
            # One that is starting has no more time to end than others.
            self._table.beat(time.monotonic())
        if self.channel is not None:
            self.channel.send({"do": "stop"})

    async def open_when_known(self, grace: float) -> None:
        """Let workers answer as soon as there is a first result of every check, or after ``grace``
        seconds."""
        begin = time.monotonic()
        while not self._table.complete():
            # What was known before a restart is there with the checks: even no grace waits for it.
            limit = grace if self._table.is_loaded() else max(grace, _LOADING)
            if time.monotonic() - begin >= limit:
                break
            await asyncio.sleep(_LOOK)
        self._table.open()

    def open(self) -> None:
        """Let workers answer at once."""
        self._table.open()

    def status(self) -> dict[str, Any]:
        """What ``lzc ctl status`` says of it."""
        return {
            "pid": self.pid,
            "restarts": self.restarts,
            "unsaved": self._unsaved,
            **self._table.counts(),
            "unlisted_limit": self._policy.unlisted,
            "unlisted_share": self._policy.share,
        }

    def healths(self, keys: Iterable[bytes]) -> Iterator[Health | None]:
        """What is known of the checks with these keys, `None` for those without a slot. In any
        thread."""
        table = self._table
        for key in keys:
            offset = table.find(key)
            yield table.read(offset) if offset >= 0 else None

    async def report(self) -> dict[str, Any] | AsyncGenerator[bytes, None]:
        """All checks, the answer of ``lzc ctl health``: a line of JSON in pieces, as it may be
        megabytes; or why there is none."""
        if self._asking is None:
            return _RESTARTING
        ours = self._ask(b"?")
        if ours is None:
            return _BUSY
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            first = await asyncio.wait_for(reader.read(_PIECE), _TIMEOUT)
        except TimeoutError:
            first = b""
        if not first:
            writer.close()
            return _BUSY
        return _pieces(first, reader, writer)

    async def report_on(
        self, keys: Sequence[bytes], seconds: float
    ) -> Mapping[bytes, dict[str, Any]] | None:
        """What `report` has of these checks, `MOST_NAMED` at most, by key; `None` where it is not
        told in so many seconds."""
        checks = await self._told(b"?" + b"".join(keys), seconds)
        return None if checks is None else {bytes.fromhex(one["key"]): one for one in checks}

    async def report_on_unlisted(self, seconds: float) -> list[dict[str, Any]] | None:
        """What `report` has of the checks that no bundle lists, or likewise `None`."""
        return await self._told(UNLISTED, seconds)

    async def _told(self, what: bytes, seconds: float) -> list[dict[str, Any]] | None:
        ours = self._ask(what) if self._asking is not None else None
        if ours is None:
            return None
        reader, writer = await asyncio.open_connection(sock=ours)
        try:
            whole = await asyncio.wait_for(reader.read(-1), seconds)
            found = foreign_json.parse(whole)["checks"]
            return found if isinstance(found, list) else None
        except (OSError, TimeoutError, ValueError, KeyError, TypeError):
            return None
        finally:
            writer.close()

    def _ask(self, what: bytes) -> socket.socket | None:
        """Where the checker writes its answer to; nothing where it takes no more questions."""
        assert self._asking is not None, "it runs"
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                socket.send_fds(self._asking, [what], [theirs.fileno()])
            except OSError:
                ours.close()
                return None
        return ours

    async def force(self, target: str, state: str, seconds: float, anyway: bool) -> dict[str, Any]:
        """Have a target be up, down or drained by hand: the answer of ``lzc ctl health force``."""
        async with self._forcing:
            if self.channel is None:
                return _RESTARTING
            self._forced = asyncio.get_running_loop().create_future()
            said = {"target": target, "state": state, "seconds": seconds, "anyway": anyway}
            self.channel.send({"do": "force", **said})
            try:
                message = await asyncio.wait_for(self._forced, _TIMEOUT)
            except TimeoutError:
                return _BUSY
        return {name: value for name, value in message.items() if name != "event"}

    def _heard(self, message: ChannelMessage) -> None:
        if message["event"] == "saving":
            self._unsaved = message["why"]
        elif self._forced is not None and not self._forced.done():
            self._forced.set_result(message)


async def _pieces(
    first: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> AsyncGenerator[bytes, None]:
    """This and what comes until the other end is closed. Raises `TimeoutError`."""
    piece = first
    try:
        while piece:
            yield piece
            piece = await asyncio.wait_for(reader.read(_PIECE), _TIMEOUT)
    finally:
        writer.close()

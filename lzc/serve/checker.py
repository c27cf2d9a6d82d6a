"""The checker process: runs every health check on its own timer and publishes what it finds.

It shares nothing with the workers but the status table it writes and a datagram socket on which
they name checks that no bundle announced. However slow its targets are, no answer waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import random
import resource
import signal
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from lzc.bundle.manifest import CHECKS
from lzc.lua.health import Check
from lzc.serve.health_table import DOWN, UNKNOWN, UP, HealthTable
from lzc.serve.lane import Lane
from lzc.serve.mishaps import Mishaps
from lzc.serve.probes import TIMED_OUT, HttpProbes, TcpProbe, connection_of
from lzc.serve.process import Channel, Message

log = logging.getLogger("lzc")

EXPIRE: Final = 3600.0
"""Seconds after which a check that no bundle lists and no answer asks for is given up
(lua-health-checks-expire-delay)."""
SECOND_LOOK: Final = 30.0
"""Seconds between asking workers whether they still need a check and giving it up."""
CONCURRENT: Final = 8192
"""Connections tried at once, at most."""
REQUESTS: Final = 500
"""HTTP requests at once, at most: more would only time out for want of our own processor."""
_SPARE_FILES: Final = 128
_DATAGRAM: Final = 65536
_JITTER: Final = 0.1
_LINES_A_SECOND: Final = 20
_STARTS_A_SECOND: Final = 10_000
"""First runs after a bundle was loaded: ten thousand at once would be one long pause."""
_NICE: Final = 5
STATUS: Final = ("unknown", "up", "down")


@dataclass(slots=True, eq=False)
class Entry:
    """A check that is run: its slot, when it was last asked for, and how its last run went."""

    check: Check
    key: bytes
    offset: int
    listed: bool
    asked: float
    problem: str = ""
    started: float = 0.0
    asked_around: bool = False
    dropped: bool = False
    timer: asyncio.TimerHandle | None = None


class Checker:
    """All checks and their timers. ``interval`` is the seconds between two runs of a check that
    names none; ``reports`` is where workers send checks they miss."""

    def __init__(
        self,
        table: HealthTable,
        reports: socket.socket,
        interval: float,
        *,
        expire: float = EXPIRE,
        concurrent: int = CONCURRENT,
    ) -> None:
        self._table = table
        self._reports = reports
        self._interval = interval
        self._expire = expire
        self._connections = Lane(concurrent)
        self._requests = Lane(min(concurrent, REQUESTS))
        self._slow_requests = Lane(min(concurrent, 4 * REQUESTS))
        self._entries: dict[bytes, Entry] = {}
        self._http = HttpProbes()
        self._mishaps = Mishaps()
        self._lines = 0
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        reports.setblocking(False)
        self._loop.add_reader(reports, self._take_reports)
        self._tick()

    def load(self, checks: Iterable[Check]) -> None:
        """Run exactly these checks, and those that answers asked for of their own."""
        wanted = {check.key(): check for check in checks}
        for entry in list(self._entries.values()):
            if entry.listed and entry.key not in wanted:
                self._drop(entry)
        begun = 0
        for key, check in wanted.items():
            known = self._entries.get(key)
            if known is not None:
                known.listed = True
            else:
                self._add(check, key, listed=True, delay=begun / _STARTS_A_SECOND)
                begun += 1
        # A checker that died left slots of checks which only answers had asked for; given up, they
        # are asked for again, where they would say forever what was true then.
        for key in self._table.in_use():
            if key not in self._entries:
                self._table.remove(key)

    def report(self) -> list[dict[str, Any]]:
        """All checks with what is known of them, for ``lzc ctl health``."""
        found = []
        for entry in self._entries.values():
            health = self._table.read(entry.offset)
            found.append(
                {
                    "check": show(entry.check),
                    "key": entry.key.hex(),
                    "status": STATUS[health.status],
                    "since": health.since,
                    "checked": health.checked,
                    "latency": round(health.latency, 6),
                    "error": entry.problem,
                    "listed": entry.listed,
                }
            )
        return sorted(found, key=lambda one: str(one["check"]))

    async def close(self) -> None:
        """Stop all checks."""
        self._loop.remove_reader(self._reports)
        for entry in list(self._entries.values()):
            entry.dropped = True
            if entry.timer is not None:
                entry.timer.cancel()
        for task in self._tasks:
            task.cancel()
        await self._http.close()

    def _add(self, check: Check, key: bytes, *, listed: bool, delay: float = 0.0) -> None:
        offset = self._table.add(key)
        if offset < 0:
            self._mishaps.note(f"checking {show(check)}", OverflowError("too many health checks"))
            return
        entry = Entry(check, key, offset, listed, time.monotonic())
        self._entries[key] = entry
        entry.timer = self._loop.call_later(delay, self._due, entry)

    def _drop(self, entry: Entry) -> None:
        entry.dropped = True
        if entry.timer is not None:
            entry.timer.cancel()
        del self._entries[entry.key]
        self._table.remove(entry.key)

    def _take_reports(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                text = self._reports.recv(_DATAGRAM)
                try:
                    check = Check.from_json(text.decode())
                except (ValueError, TypeError) as error:
                    self._mishaps.note("reading a health check from a worker", error)
                    continue
                if check.key() not in self._entries:
                    self._add(check, check.key(), listed=False)

    def _due(self, entry: Entry) -> None:
        """Begin a run. A target of HTTP that was not up is first asked for a connection alone: that
        is how thousands of them fail, at a fraction of what a request costs."""
        entry.timer = None
        check = entry.check
        target: Check | None = check
        if check.url:
            up = self._table.read(entry.offset).status == UP
            target = None if up else connection_of(check)
        if target is not None:
            self._connections.enter(partial(self._connect, entry, target))
        else:
            self._enter_requests(entry)

    def _connect(self, entry: Entry, target: Check) -> None:
        entry.started = time.monotonic()

        def done(up: bool, latency: float, problem: str) -> None:
            self._connections.leave()
            if up and entry.check.url:
                self._enter_requests(entry)
            else:
                self._done(entry, up, latency, problem)

        TcpProbe(target, self._loop, done)

    def _enter_requests(self, entry: Entry) -> None:
        # Targets that leave requests unanswered wait for each other, not the others for them.
        lane = self._slow_requests if entry.problem == TIMED_OUT else self._requests

        def begin() -> None:
            entry.started = time.monotonic()
            task = self._loop.create_task(self._request(entry, lane))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        lane.enter(begin)

    async def _request(self, entry: Entry, lane: Lane) -> None:
        try:
            result = await self._http.run(entry.check)
        except asyncio.CancelledError:
            return
        except Exception as error:  # one odd target must not end the others' checks
            self._mishaps.note(f"checking {show(entry.check)}", error)
            result = (False, 0.0, str(error))
        lane.leave()
        self._done(entry, *result)

    def _done(self, entry: Entry, up: bool, latency: float, problem: str) -> None:
        if entry.dropped:
            return
        entry.problem = problem
        before = self._table.read(entry.offset)
        now = time.time()
        if self._table.set(entry.offset, UP if up else DOWN, latency, now):
            self._tell(entry, before.status, now - before.since)
        self._plan(entry)

    def _plan(self, entry: Entry) -> None:
        """Set the timer of the next run, or give the check up when nobody needs it."""
        now = time.monotonic()
        if self._table.take_asked(entry.offset):
            entry.asked = now
            entry.asked_around = False
        if not entry.listed and now - entry.asked > self._expire:
            if entry.asked_around:
                if now - entry.asked > self._expire + min(SECOND_LOOK, self._expire):
                    self._drop(entry)
                    return
            else:
                # Workers keep what they read until something changes: make them look again.
                entry.asked_around = True
                self._table.ask_around()
        interval = entry.check.interval or self._interval
        interval *= 1 + random.uniform(-_JITTER, _JITTER)
        delay = max(0.0, entry.started + interval - now)
        entry.timer = self._loop.call_later(delay, self._due, entry)

    def _tell(self, entry: Entry, before: int, lasted: float) -> None:
        """Log a change, but not ten thousand of them when a data centre goes."""
        if before == UNKNOWN and not entry.problem:
            return
        self._lines += 1
        if self._lines > _LINES_A_SECOND:
            return
        status = STATUS[self._table.read(entry.offset).status]
        reason = f" ({entry.problem})" if entry.problem else ""
        was = f", was {STATUS[before]} for {lasted:.0f} s" if before else ""
        log.info("health: %s is %s%s%s", show(entry.check), status, reason, was)

    def _tick(self) -> None:
        if self._lines > _LINES_A_SECOND:
            log.info("health: %d more changes in a second", self._lines - _LINES_A_SECOND)
        self._lines = 0
        self._loop.call_later(1.0, self._tick)


def show(check: Check) -> str:
    """A check in a line of text: what it looks for, where, and what is particular to it."""
    if check.url:
        text = f"{check.url} at {check.address}" if check.address else check.url
    else:
        host = f"[{check.address}]" if ":" in check.address else check.address
        text = f"{host}:{check.port}"
    usual = Check(check.address)
    if check.stringmatch:
        text += f" with {check.stringmatch!r}"
    for name in ("source", "timeout", "interval", "httpcode", "byteslimit", "useragent"):
        if getattr(check, name) != getattr(usual, name):
            text += f" {name}={getattr(check, name)}"
    return text


def read_checks(folder: Path) -> list[Check]:
    """The checks of a bundle. Raises `OSError`, `ValueError` or `TypeError`."""
    return [Check(**document) for document in json.loads((folder / CHECKS).read_bytes())]


def run(table: HealthTable, reports: socket.socket, interval: float, channel: Channel) -> int:
    """The checker process: obey the supervisor until it says stop or is gone."""
    os.nice(_NICE)
    return asyncio.run(_serve(table, reports, interval, channel))


async def _serve(
    table: HealthTable, reports: socket.socket, interval: float, channel: Channel
) -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    room = CONCURRENT if soft == resource.RLIM_INFINITY else max(16, soft - _SPARE_FILES)
    checker = Checker(table, reports, interval, concurrent=min(CONCURRENT, room))
    stop = asyncio.Event()

    def on_message(message: Message) -> None:
        match message.get("do"):
            case "load":
                try:
                    checker.load(read_checks(Path(message["folder"])))
                except (OSError, ValueError, TypeError) as error:
                    log.error("health checks of the bundle cannot be read: %s", error)
            case "report":
                channel.send({"event": "health", "checks": checker.report()})
            case "stop":
                stop.set()

    channel.attach(asyncio.get_running_loop(), on_message, stop.set)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await checker.close()
    return 0

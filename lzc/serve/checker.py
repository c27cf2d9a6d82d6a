"""The checker process: runs every health check on its own timer and publishes what it finds.

It shares nothing with the workers but the status table it writes and a datagram socket on which
they name checks that no bundle announced. However slow its targets are, no answer waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import socket
import time
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from lzc.lua.health import Check
from lzc.serve import health_state
from lzc.serve.health_force import force_of, target_of, targets_of, within
from lzc.serve.health_state import Force, Known, State
from lzc.serve.health_table import AUTO, DOWN, FORCES, STATUS, UNKNOWN, UP, HealthTable
from lzc.serve.http_probe import HttpProbe, request_of
from lzc.serve.lane import Lane
from lzc.serve.mishaps import Mishaps
from lzc.serve.outcome import TIMED_OUT, Outcome
from lzc.serve.probes import HttpProbes, TcpProbe, connection_of

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
_DATAGRAM: Final = 65536
_JITTER: Final = 0.1
_LINES_A_SECOND: Final = 20
MAX_FORCE: Final = 366 * 86400.0
"""Seconds an operator's word holds at most, unless it is for good."""
_STARTS_A_SECOND: Final = 5_000
"""First runs after a bundle was loaded: ten thousand at once would be one long pause."""
_SAVE: Final = 10.0
"""Seconds between two looks whether what is known has to be saved."""
_REPORTS_AT_ONCE: Final = 64
_SHOWN: Final = (
    *("source", "timeout", "interval", "httpcode", "byteslimit", "useragent"),
    *("minimum_failures", "headers"),
)


@dataclass(slots=True, eq=False)
class Entry:
    """A check that is run: its slot, when it was last asked for, and how its last run went; ``gap``
    is the seconds between the last two results."""

    check: Check
    key: bytes
    offset: int
    listed: bool
    asked: float
    problem: str = ""
    failures: int = 0
    force: Force | None = None
    request: tuple[int, bytes] | None = None
    started: float = 0.0
    finished: float = 0.0
    gap: float = 0.0
    runs: int = 0
    asked_around: bool = False
    dropped: bool = False
    timer: asyncio.TimerHandle | None = None


class Checker:
    """All checks and their timers. ``interval`` is the seconds between two runs of a check that
    names none; ``reports`` is where workers send checks they miss; ``file`` is where what is known
    is kept for the next start."""

    def __init__(
        self,
        table: HealthTable,
        reports: socket.socket,
        interval: float,
        *,
        expire: float = EXPIRE,
        concurrent: int = CONCURRENT,
        file: Path | None = None,
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
        self._file = file
        before = health_state.load(file, time.time()) if file is not None else State()
        self._remembered = dict(before.known)
        self._forced: dict[str, Force] = {}
        self._expiries: dict[str, asyncio.TimerHandle] = {}
        for target, force in before.forced.items():
            self._hold(target, force)
        self._saving = asyncio.Lock()
        self._saved: tuple[int, ...] = ()
        self._forces = 0
        reports.setblocking(False)
        self._loop.add_reader(reports, self._take_reports)
        self._tick()
        if file is not None:
            self._start(self._keep_saving())

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
        # Not those a bundle listed before: they were dropped.
        for key, past in self._remembered.items():
            if past.check is not None and key not in self._entries:
                self._add(past.check, key, listed=False, delay=begun / _STARTS_A_SECOND)
                begun += 1
        self._remembered.clear()
        # A checker that died left slots of checks which only answers had asked for; given up, they
        # are asked for again, where they would say forever what was true then.
        for key in self._table.in_use():
            if key not in self._entries:
                self._table.remove(key)
        self._table.loaded()

    def report(self) -> list[dict[str, Any]]:
        """All checks with what is known of them, for ``lzc ctl health``. May be called in any
        thread."""
        found = []
        now = time.time()
        for entry in list(self._entries.values()):
            health = self._table.read(entry.offset)
            found.append(
                {
                    "check": show(entry.check),
                    "key": entry.key.hex(),
                    "status": STATUS[health.status],
                    "found": STATUS[health.found],
                    "forced": entry.force.state if entry.force else None,
                    "forced_for": entry.force.remaining(now) if entry.force else None,
                    "since": health.since,
                    "checked": health.checked,
                    "latency": round(health.latency, 6),
                    "weight": health.weight,
                    "failures": entry.failures,
                    "runs": entry.runs,
                    "gap": round(entry.gap, 3),
                    "error": entry.problem,
                    "listed": entry.listed,
                }
            )
        return sorted(found, key=lambda one: str(one["check"]))

    async def force(self, text: str, state: str, seconds: float) -> dict[str, Any]:
        """Let a target be ``state`` (one of `FORCES`) whatever its checks find, for ``seconds`` or,
        with 0, until it is taken back with ``auto``. Returns the answer of ``lzc ctl``."""
        if state not in FORCES or not 0 <= seconds <= MAX_FORCE:
            return {"ok": False, "error": f"expected one of {', '.join(FORCES)}, and seconds"}
        try:
            target = target_of(text, self._entries)
        except ValueError as error:
            return {"ok": False, "error": str(error)}
        if state == FORCES[AUTO]:
            for one in within(target, self._forced):
                self._lift(one)
        else:
            until = time.time() + seconds if seconds else 0.0
            self._hold(target, Force(state, until, seconds))
        about = self._apply_forces(target)
        length = f" for {seconds:.0f} s" if seconds else ""
        log.info("health: %s is forced to %s by hand%s", target, state, length)
        self._forces += 1
        await self._save()
        return {"ok": True, "target": target, "state": state, "seconds": seconds, "checks": about}

    def _hold(self, target: str, force: Force) -> None:
        self._lift(target)
        self._forced[target] = force
        left = force.remaining(time.time())
        if left is not None:
            self._expiries[target] = self._loop.call_later(left, self._expired, target)

    def _lift(self, target: str) -> None:
        self._forced.pop(target, None)
        expiry = self._expiries.pop(target, None)
        if expiry is not None:
            expiry.cancel()

    def _expired(self, target: str) -> None:
        self._lift(target)
        self._forces += 1
        self._apply_forces(target)
        log.info("health: %s is no longer forced", target)

    def _apply_forces(self, target: str) -> int:
        """Look again what counts for each check; how many a target is about."""
        about = 0
        for entry in self._entries.values():
            about += target in targets_of(entry.check, entry.key)
            self._apply_force(entry)
        return about

    def _apply_force(self, entry: Entry) -> None:
        entry.force = force_of(entry.check, entry.key, self._forced)
        code = FORCES.index(entry.force.state) if entry.force else AUTO
        self._table.force(entry.offset, code, time.time())

    def _state(self) -> State:
        entries = list(self._entries.values())
        known = {}
        for entry in entries:
            health = self._table.read(entry.offset)
            if health.found != UNKNOWN and not entry.dropped:
                check = None if entry.listed else entry.check
                known[entry.key] = Known(health, entry.problem, entry.failures, check)
        return State(known, dict(self._forced))

    def _mark(self) -> tuple[int, ...]:
        return (self._table.generation(), len(self._entries), self._forces)

    async def _save(self) -> None:
        """Save what changed since the last time; not in the loop, which has others to serve."""
        if self._file is None:
            return
        async with self._saving:
            try:
                await asyncio.to_thread(self._write, self._file)
            except OSError as error:
                self._mishaps.note("saving what is known of health", error)

    def _write(self, file: Path) -> None:
        mark = self._mark()
        if mark != self._saved:
            state = self._state()
            if state.known or state.forced or file.exists():
                health_state.save(file, state)
            self._saved = mark
        elif file.exists():
            health_state.touch(file)

    async def _keep_saving(self) -> None:
        while True:
            await asyncio.sleep(_SAVE)
            await self._save()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Save what is known and stop all checks."""
        self._loop.remove_reader(self._reports)
        await self._save()
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
        entry.request = request_of(check)
        self._entries[key] = entry
        known = self._remembered.get(key)
        if known is not None:
            entry.problem, entry.failures = known.problem, known.failures
            if self._table.read(offset).found == UNKNOWN:
                self._table.restore(offset, known.health)
        self._apply_force(entry)
        entry.timer = self._loop.call_later(delay, self._due, entry)

    def _drop(self, entry: Entry) -> None:
        entry.dropped = True
        if entry.timer is not None:
            entry.timer.cancel()
        del self._entries[entry.key]
        self._table.remove(entry.key)

    def _take_reports(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_REPORTS_AT_ONCE):
                text = self._reports.recv(_DATAGRAM)
                try:
                    check = Check.from_json(text.decode())
                except (ValueError, TypeError) as error:
                    self._mishaps.note("reading a health check from a worker", error)
                    continue
                if check.key() not in self._entries:
                    self._add(check, check.key(), listed=False)

    def _due(self, entry: Entry) -> None:
        """Begin a run. For what is not plain HTTP, and was not up, a connection alone comes first:
        that is how thousands of targets fail, at a fraction of what a request costs."""
        entry.timer = None
        check = entry.check
        if entry.request is not None:
            self._connections.enter(partial(self._get, entry, *entry.request))
            return
        target: Check | None = check
        if check.url:
            up = self._table.read(entry.offset).found == UP
            target = None if up else connection_of(check)
        if target is not None:
            self._connections.enter(partial(self._connect, entry, target))
        else:
            self._enter_requests(entry)

    def _get(self, entry: Entry, port: int, request: bytes) -> None:
        entry.started = time.monotonic()

        def done(outcome: Outcome | None) -> None:
            self._connections.leave()
            if outcome is None:
                entry.request = None  # nor the next time
                self._enter_requests(entry)
            else:
                self._done(entry, outcome)

        HttpProbe(entry.check, port, request, self._loop, done)

    def _connect(self, entry: Entry, target: Check) -> None:
        entry.started = time.monotonic()

        def done(outcome: Outcome) -> None:
            self._connections.leave()
            if outcome.up and entry.check.url:
                self._enter_requests(entry)
            else:
                self._done(entry, outcome)

        TcpProbe(target, self._loop, done)

    def _enter_requests(self, entry: Entry) -> None:
        # Targets that leave requests unanswered wait for each other, not the others for them.
        lane = self._slow_requests if entry.problem == TIMED_OUT else self._requests

        def begin() -> None:
            entry.started = time.monotonic()
            self._start(self._request(entry, lane))

        lane.enter(begin)

    async def _request(self, entry: Entry, lane: Lane) -> None:
        try:
            result = await self._http.run(entry.check)
        except asyncio.CancelledError:
            return
        except Exception as error:  # one odd target must not end the others' checks
            self._mishaps.note(f"checking {show(entry.check)}", error)
            result = Outcome(False, 0.0, str(error))
        lane.leave()
        self._done(entry, result)

    def _done(self, entry: Entry, outcome: Outcome) -> None:
        if entry.dropped:
            return
        done = time.monotonic()
        entry.gap = done - entry.finished if entry.runs else 0.0
        entry.finished = done
        entry.runs += 1
        entry.problem = outcome.problem
        entry.failures = 0 if outcome.up else entry.failures + 1
        before = self._table.read(entry.offset)
        now = time.time()
        patient = before.found == UP and entry.failures < entry.check.minimum_failures
        found = UP if outcome.up or patient else DOWN
        weight = outcome.weight if outcome.up else None
        if self._table.set(entry.offset, found, outcome.latency, now, weight):
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
    for name in _SHOWN:
        if getattr(check, name) != getattr(usual, name):
            text += f" {name}={getattr(check, name)}"
    return text

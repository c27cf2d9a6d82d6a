"""How a check is run: which probe looks, how many do at once, and how long they may take."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from lzc.health_check import Check
from lzc.lua.health.reach import CheckReach
from lzc.serve.health.http_probe import HttpProbe, Request
from lzc.serve.health.outcome import TIMED_OUT, CheckResult, without_password
from lzc.serve.health.probes import HttpProbes, TcpProbe, connection_of
from lzc.serve.observe.error_log import ErrorLog


@dataclass(slots=True)
class ConcurrencyLimit:
    """At most ``limit`` runs at a time. A run is begun by calling what `enter` was given, and ends
    with `leave`."""

    limit: int
    _running: int = 0
    _waiting: deque[Callable[[], None]] = field(default_factory=deque)

    def enter(self, begin: Callable[[], None]) -> None:
        """Call ``begin`` now, or when those before have left."""
        self._waiting.append(begin)
        self._fill()

    def leave(self) -> None:
        """One run has ended."""
        self._running -= 1
        self._fill()

    def _fill(self) -> None:
        while self._waiting and self._running < self.limit:
            self._running += 1
            self._waiting.popleft()()


CONCURRENT: Final = 8192
"""Connections tried at once, at most."""
REQUESTS: Final = 500
"""Requests over TLS, or of a whole client, at once at most: more would only time out for want of
our own processor."""
SLOW_REQUESTS: Final = 2000
"""Those to targets that left the one before unanswered; they cost little."""

ALL_FILES: Final = CONCURRENT + REQUESTS + SLOW_REQUESTS
_LONGEST: Final = 86400
"""Seconds of a timeout: records may say any number."""

LOOKUPS: Final = 64
"""Hosts of URLs looked up at once: each takes a thread, for as long as resolvers do not answer."""

Done = Callable[["CheckRun", CheckResult], None]


class _Lookups(ThreadPoolExecutor):
    """The threads in which the event loop looks up hosts. Its end does not wait for resolvers."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True, eq=False)
class CheckRun:
    """One run of a check. ``was_up`` and ``problem`` are of the run before; ``request`` is what
    `request_of` says; ``listed`` tells that the bundle lists it. ``started`` (monotonic seconds) is
    when it began to look, ``spent`` the seconds its probes took so far."""

    check: Check
    request: Request | None
    was_up: bool
    problem: str
    done: Done
    listed: bool = False
    started: float = 0.0
    spent: float = 0.0

    def left(self) -> float:
        """Seconds that remain of the timeout, which is for all that a run does."""
        return min(self.check.timeout, _LONGEST) - self.spent


class Runs:
    """Runs checks in the running event loop, of addresses that may be reached; ``reach`` is asked
    where hosts are looked up, and redirects followed. ``files`` is how many may be open for that,
    from 16 on."""

    def __init__(self, errors: ErrorLog, reach: CheckReach, files: int = ALL_FILES) -> None:
        self._errors = errors
        requests, slow = min(REQUESTS, files // 4), min(SLOW_REQUESTS, files // 4)
        self._connections = ConcurrencyLimit(min(CONCURRENT, files - requests - slow))
        self._requests = ConcurrencyLimit(requests)
        self._slow_requests = ConcurrencyLimit(slow)
        self._http = HttpProbes(reach)
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(_Lookups(LOOKUPS, "lookup"))
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, run: CheckRun) -> None:
        """Run it now, or when others have ended. For what is not plain HTTP, and was not up, a
        connection alone comes first: that is how thousands of targets fail, at a fraction of what a
        request costs."""
        if run.request is not None and not run.request.tls:
            self._connections.enter(lambda: self._get(run, self._connections))
            return
        check = run.check
        target: Check | None = check
        if check.url:
            target = None if run.was_up else connection_of(check)
        if target is None:
            self._enter_requests(run)
        else:
            self._connections.enter(lambda: self._connect(run, target))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await self._http.close()

    def _connect(self, run: CheckRun, target: Check) -> None:
        run.started = time.monotonic()

        def done(outcome: CheckResult) -> None:
            self._connections.leave()
            run.spent += outcome.latency
            if outcome.up and run.check.url:
                self._enter_requests(run)
            else:
                run.done(run, outcome)

        TcpProbe(target, self._loop, done, timeout=run.left())

    def _enter_requests(self, run: CheckRun) -> None:
        # Targets that leave requests unanswered wait for each other, not the others for them.
        limit = self._slow_requests if run.problem == TIMED_OUT else self._requests
        if run.request is None:
            limit.enter(lambda: self._fetch(run, limit))
        else:
            limit.enter(lambda: self._get(run, limit))

    def _get(self, run: CheckRun, limit: ConcurrencyLimit) -> None:
        begun = time.monotonic()
        run.started = run.started or begun
        request = run.request
        assert request is not None

        def done(outcome: CheckResult | None) -> None:
            limit.leave()
            if outcome is not None:
                run.done(run, outcome._replace(latency=run.spent + outcome.latency))
                return
            run.spent += time.monotonic() - begun
            run.request = None
            self._enter_requests(run)

        tls = self._http.context() if request.tls else None
        HttpProbe(run.check, request, self._loop, done, timeout=run.left(), tls=tls)

    def _fetch(self, run: CheckRun, limit: ConcurrencyLimit) -> None:
        run.started = run.started or time.monotonic()
        task = self._loop.create_task(self._fetched(run, limit))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetched(self, run: CheckRun, limit: ConcurrencyLimit) -> None:
        try:
            outcome = await self._http.run(run.check, run.left(), listed=run.listed)
        except asyncio.CancelledError:
            return
        except Exception as error:  # one odd target must not end the others' checks
            self._errors.note(f"checking {without_password(run.check.url)}", error)
            outcome = CheckResult(False, 0.0, str(error) or type(error).__name__)
        limit.leave()
        run.done(run, outcome._replace(latency=run.spent + outcome.latency))

"""How a check is run: which probe looks, how many do at once, and how long they may take."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from lzc.health_check import Check, Endpoint
from lzc.lua.health.reach import CheckReach
from lzc.serve.health.http_client import HttpClient
from lzc.serve.health.outcome import TIMED_OUT, CheckResult, without_password
from lzc.serve.health.probes import HttpProbe, TcpProbe
from lzc.serve.health.scheduled_check import ScheduledCheck
from lzc.serve.observe.log_lines import ErrorLog


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

Done = Callable[[ScheduledCheck, CheckResult], None]


class _Lookups(ThreadPoolExecutor):
    """The threads in which the event loop looks up hosts. Its end does not wait for resolvers."""

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        super().shutdown(wait=False, cancel_futures=True)


class Runs:
    """Runs checks in the running event loop, of addresses that may be reached; ``reach`` is asked
    where hosts are looked up, and redirects followed. ``done`` is called at the end of each run.
    ``files`` is how many may be open for that, from 16 on."""

    def __init__(
        self, errors: ErrorLog, reach: CheckReach, done: Done, files: int = ALL_FILES
    ) -> None:
        self._errors = errors
        self._done = done
        requests, slow = min(REQUESTS, files // 4), min(SLOW_REQUESTS, files // 4)
        self.connections = ConcurrencyLimit(min(CONCURRENT, files - requests - slow))
        self.requests = ConcurrencyLimit(requests)
        self.slow_requests = ConcurrencyLimit(slow)
        self._http = HttpClient(reach)
        self._loop = asyncio.get_running_loop()
        self._loop.set_default_executor(_Lookups(LOOKUPS, "lookup"))
        self._tasks: set[asyncio.Task[None]] = set()

    def take_reach(self, reach: CheckReach) -> None:
        """Other addresses may be reached, from the next look-up on."""
        self._http.take_reach(reach)

    def begin(self, entry: ScheduledCheck, *, was_up: bool) -> None:
        """Run it now, or when others have ended. For what is not plain HTTP, and was not up, a
        connection alone comes first: that is how thousands of targets fail, at a fraction of what a
        request costs."""
        entry.started = entry.spent = 0.0
        if entry.request is not None and not entry.request.tls:
            self.connections.enter(lambda: self._get(entry, self.connections))
            return
        check = entry.check
        target = None if check.url and was_up else connection_of(check)
        if target is None:
            self._enter_requests(entry)
        else:
            self.connections.enter(lambda: self._connect(entry, target))

    async def close(self) -> None:
        """Give up what is under way."""
        for task in self._tasks:
            task.cancel()
        await self._http.close()

    def _connect(self, entry: ScheduledCheck, target: Endpoint) -> None:
        entry.started = time.monotonic()

        def done(outcome: CheckResult) -> None:
            self.connections.leave()
            entry.spent += outcome.latency
            if outcome.up and entry.check.url:
                self._enter_requests(entry)
            else:
                self._done(entry, outcome)

        TcpProbe(target, entry.check.source, self._loop, done, timeout=_left(entry))

    def _enter_requests(self, entry: ScheduledCheck) -> None:
        # Targets that leave requests unanswered wait for each other, not the others for them.
        limit = self.slow_requests if entry.problem == TIMED_OUT else self.requests
        if entry.request is None:
            limit.enter(lambda: self._fetch(entry, limit))
        else:
            limit.enter(lambda: self._get(entry, limit))

    def _get(self, entry: ScheduledCheck, limit: ConcurrencyLimit) -> None:
        begun = time.monotonic()
        entry.started = entry.started or begun
        request = entry.request
        assert request is not None

        def done(outcome: CheckResult) -> None:
            limit.leave()
            self._done(entry, outcome._replace(latency=entry.spent + outcome.latency))

        def elsewhere() -> None:
            limit.leave()
            entry.spent += time.monotonic() - begun
            entry.request = None
            self._enter_requests(entry)

        tls = self._http.tls if request.tls else None
        HttpProbe(entry.check, request, self._loop, done, elsewhere, timeout=_left(entry), tls=tls)

    def _fetch(self, entry: ScheduledCheck, limit: ConcurrencyLimit) -> None:
        entry.started = entry.started or time.monotonic()
        task = self._loop.create_task(self._fetched(entry, limit))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _fetched(self, entry: ScheduledCheck, limit: ConcurrencyLimit) -> None:
        check = entry.check
        try:
            outcome = await self._http.run(check, _left(entry), listed=entry.listed)
        except asyncio.CancelledError:
            return
        except Exception as error:  # one odd target must not end the others' checks
            self._errors.note(f"checking {without_password(check.url)}", error)
            outcome = CheckResult(False, 0.0, str(error) or type(error).__name__)
        limit.leave()
        self._done(entry, outcome._replace(latency=entry.spent + outcome.latency))


def connection_of(check: Check) -> Endpoint | None:
    """The connection that a check begins with; `None` where a URL does not tell, or its host has to
    be looked up."""
    port = check.endpoint().port
    if port is None or (check.url and not check.address):
        return None
    return Endpoint(check.address, port)


def _left(entry: ScheduledCheck) -> float:
    """Seconds that remain of the timeout, which is for all that a run does."""
    return min(entry.check.timeout, _LONGEST) - entry.spent

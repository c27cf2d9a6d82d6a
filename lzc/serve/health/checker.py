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
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from lzc.bundle.check_list import CheckList
from lzc.foreign_text import shown
from lzc.health_check import Check
from lzc.serve.health import saved_state as health_state
from lzc.serve.health.admission import Admission, CheckPolicy
from lzc.serve.health.forces import OperatorsWord
from lzc.serve.health.outcome import CheckResult
from lzc.serve.health.probes import request_of
from lzc.serve.health.runs import ALL_FILES, Runs
from lzc.serve.health.saved_state import Known, SavedHealth, Saving
from lzc.serve.health.scheduled_check import ScheduledCheck, report, show
from lzc.serve.ipc.health_table import AUTO, DOWN, FORCES, STATUS, UNKNOWN, UP, HealthTable
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import ErrorLog, LineLimit

log = logging.getLogger("lzc")

EXPIRE: Final = 3600.0
"""Seconds after which a check that no bundle lists and no answer asks for is given up
(lua-health-checks-expire-delay)."""
SECOND_LOOK: Final = 30.0
"""Seconds between asking workers whether they still need a check and giving it up."""
_DATAGRAM: Final = 65536
_JITTER: Final = 0.1
"""Of the interval, by which a run may come earlier: the interval itself is a promise."""
_LONGEST: Final = 366 * 86400
"""Seconds between two runs: records may say any number."""
_STARTS_A_SECOND: Final = 5_000
"""First runs after a bundle was loaded: ten thousand at once would be one long pause."""
_TELL: Final = 0.25
"""Seconds between telling workers of news that no bundle lists: each time they look at all anew."""
_REPORTS_AT_ONCE: Final = 64


class Checker:
    """All checks and their timers. ``reports`` is where workers send checks they miss; ``policy``
    says how many of these there may be, and which checks are made at all; ``files`` is how many
    connections there may be; ``file`` is where what is known is kept for the next start, and
    ``tell_saving`` is told why that fails, and with an empty text that it does no longer."""

    def __init__(
        self,
        table: HealthTable,
        reports: socket.socket,
        policy: CheckPolicy,
        *,
        expire: float = EXPIRE,
        files: int = ALL_FILES,
        file: Path | None = None,
        tell_saving: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._table = table
        self._reports = reports
        self._interval = policy.interval
        self._expire = expire
        self._entries: dict[bytes, ScheduledCheck] = {}
        self.errors = ErrorLog()
        self._admission = Admission(policy, table, self.errors, show, time.monotonic())
        self._unlisted = self._admission.unlisted
        self.runs = Runs(self.errors, policy.rules.reach, self._done, files)
        self._lines = LineLimit("health: %d more changes in a second", logging.INFO)
        self._loop = asyncio.get_running_loop()
        before = health_state.load(file, time.time()) if file is not None else SavedHealth()
        self._remembered = dict(before.known)
        self._loaded = False
        self._word = OperatorsWord(self._entries, table, before.forced)
        self._saving = Saving(file, self.saved, self._mark, tell_saving)
        reports.setblocking(False)
        self._loop.add_reader(reports, self._take_reports)
        self._tick()
        self._tell_workers()
        self._keeping = self._loop.create_task(self._saving.keep())

    def take_policy(self, policy: CheckPolicy) -> None:
        """Go by other settings: timers at once, and for what may be checked from the next `load`
        on."""
        self._admission.take_policy(policy)
        self.runs.take_reach(policy.rules.reach)
        if policy.interval != self._interval:
            self._interval = policy.interval
            for entry in self.scheduled():
                if entry.timer is not None and entry.runs:
                    entry.timer.cancel()
                    self._plan(entry)
        while (zone := self._unlisted.beyond()) is not None:
            self._evict(zone)

    def load(self, listed: CheckList) -> None:
        """Run exactly these checks, and those that answers asked for of their own."""
        wanted = self._admission.load(listed)
        for entry in self.scheduled():
            if entry.key in wanted:
                continue
            if entry.listed or self._admission.refusal(entry.check, entry.zone):
                self._drop(entry)
        self._forget_others(wanted)
        begun = missing = 0
        for key, check in wanted.items():
            known = self._entries.get(key)
            if known is not None:
                known.listed = True
                self._unlisted.discard(key, known.zone)
            elif self._add(check, key, None, delay=begun / _STARTS_A_SECOND):
                begun += 1
            else:
                missing += 1
        if missing:
            what = "health: %d checks of the bundle are not made, as the table is full"
            log.error(what, missing, extra=about(checks=missing))
        # Not those a bundle listed before: they were dropped.
        zones = [one.zone for one in self._entries.values() if not one.listed]
        for key, check, zone in self._admission.asked_before(
            self._remembered, self._entries, zones
        ):
            begun += self._add(check, key, zone, delay=begun / _STARTS_A_SECOND)
        self._remembered.clear()
        self._loaded = True
        self._table.count_unlisted(len(self._unlisted))
        self._table.loaded()

    def _forget_others(self, wanted: Collection[bytes]) -> None:
        """A checker that died left slots of checks which only answers had asked for; given up, they
        are asked for again, where they would say forever what was true then."""
        if self._loaded or not self._table.is_loaded():
            return
        for key in self._table.in_use():
            past = self._remembered.get(key)
            if key not in wanted and key not in self._entries and (not past or not past.check):
                self._table.remove(key)

    def report(self) -> Iterator[dict[str, Any]]:
        """All checks as `lzc.serve.health.scheduled_check.report` has them. May be called in any
        thread."""
        return report(self.scheduled(), self._admission.barred.all(), self._table, time.time())

    def report_on(self, keys: Iterable[bytes]) -> Iterator[dict[str, Any]]:
        """Those of these checks that there are. May be called in any thread."""
        entries = [entry for key in keys if (entry := self._entries.get(key)) is not None]
        return report(entries, (), self._table, time.time())

    def report_on_unlisted(self) -> Iterator[dict[str, Any]]:
        """Those that no bundle lists. May be called in any thread."""
        entries = [entry for entry in self.scheduled() if not entry.listed]
        return report(entries, (), self._table, time.time())

    async def force(
        self, text: str, state: str, seconds: float, *, anyway: bool = False
    ) -> dict[str, Any]:
        """As `OperatorsWord.force`; it is no success either where it would not be kept."""
        answer = self._word.force(text, state, seconds, anyway=anyway)
        if not answer["ok"]:
            return answer
        await self._saving.save()
        if self._saving.problem:
            answer["ok"] = False
            answer["error"] = (
                f"{answer['target']} is {'left to its checks' if state == FORCES[AUTO] else state}"
                " now, but the server will have forgotten that when it starts again:"
                f" {self._saving.problem}"
            )
        return answer

    def scheduled(self) -> list[ScheduledCheck]:
        """All checks, each with its timer."""
        return list(self._entries.values())

    def saved(self) -> SavedHealth:
        """What the next start is to know."""
        # Those asked for latest come last: where there are too many, they are the ones to keep.
        entries = self.scheduled()
        entries.sort(key=lambda entry: 0.0 if entry.listed else entry.asked)
        known = {}
        for entry in entries:
            health = self._table.read(entry.offset)
            if health.found != UNKNOWN and not entry.dropped:
                check = None if entry.listed else entry.check
                known[entry.key] = Known(health, entry.problem, entry.failures, check, entry.zone)
        return SavedHealth(known, dict(self._word.forced))

    def _mark(self) -> tuple[int, ...]:
        return (self._table.generation(), len(self._entries), self._word.changes)

    async def close(self) -> None:
        """Save what is known and stop all checks."""
        self._loop.remove_reader(self._reports)
        await self._saving.save()
        for entry in self.scheduled():
            entry.dropped = True
            if entry.timer is not None:
                entry.timer.cancel()
        self._keeping.cancel()
        await self.runs.close()

    def _add(self, check: Check, key: bytes, zone: bytes | None, delay: float = 0.0) -> bool:
        """Begin to check what the bundle lists (``zone`` is `None`), or the code of a zone asks
        for; False when there is no room, which the former gets before the latter."""
        listed = zone is None
        offset = self._table.add(key)
        while offset < 0 and listed and len(self._unlisted):
            self._evict(self._unlisted.largest())
            offset = self._table.add(key)
        if offset < 0:
            return False
        entry = ScheduledCheck(check, key, offset, listed, time.monotonic(), zone or b"")
        entry.request = request_of(check)
        self._entries[key] = entry
        if not listed:
            self._unlisted.add(key, entry.zone)
            self._table.count_unlisted(len(self._unlisted))
        known = self._remembered.get(key)
        if known is not None:
            entry.problem, entry.failures = known.problem, known.failures
            if self._table.read(offset).found == UNKNOWN:
                self._table.restore(offset, known.health)
        self._word.apply(entry)
        entry.timer = self._loop.call_later(delay, self._due, entry)
        return True

    def add_unlisted(self, check: Check, key: bytes, zone: bytes) -> None:
        """Begin to check what code of a zone asks for, which no bundle lists."""
        crowded = self._unlisted.crowded(zone)
        if crowded is not None:
            self._evict(crowded)
        self._unlisted.begin()
        if not self._add(check, key, zone):
            self._admission.count(refused=1)

    def _evict(self, zone: Hashable) -> None:
        """Give up the check of a zone that no answer asked for longest."""
        now = time.monotonic()
        for _ in range(self._unlisted.count(zone)):
            entry = self._entries[self._unlisted.oldest(zone)]
            if not self._was_asked(entry, now):
                break
        self._drop(self._entries[self._unlisted.oldest(zone)])
        self._admission.count(evicted=1)

    def _was_asked(self, entry: ScheduledCheck, now: float) -> bool:
        """Whether an answer asked for it since this was called last."""
        if not self._table.take_asked(entry.offset):
            return False
        entry.asked = now
        entry.asked_around = False
        self._unlisted.asked(entry.key, entry.zone)
        return True

    def _drop(self, entry: ScheduledCheck) -> None:
        entry.dropped = True
        if entry.timer is not None:
            entry.timer.cancel()
        del self._entries[entry.key]
        self._unlisted.discard(entry.key, entry.zone)
        self._table.remove(entry.key, tell=entry.listed)
        self._table.count_unlisted(len(self._unlisted))

    def _take_reports(self) -> None:
        with contextlib.suppress(BlockingIOError):
            for _ in range(_REPORTS_AT_ONCE):
                report = self._reports.recv(_DATAGRAM)
                asked = self._admission.asked(report, time.monotonic(), self._entries)
                if asked is not None:
                    self.add_unlisted(asked.check, asked.key, asked.zone)

    def _due(self, entry: ScheduledCheck) -> None:
        entry.timer = None
        self.runs.begin(entry, was_up=self._table.read(entry.offset).found == UP)

    def _done(self, entry: ScheduledCheck, outcome: CheckResult) -> None:
        if entry.dropped:
            return
        if outcome.ours:
            # It says nothing of the target, whose status stays what it was.
            self.errors.note("health checks", OSError(f"{outcome.problem}; see ulimit -n"))
            self._plan(entry)
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
        latency, listed = outcome.latency, entry.listed
        if self._table.set(entry.offset, found, latency, now, weight, tell=listed):
            self._tell(entry, before.status, max(0.0, now - before.since))
        self._plan(entry)

    def _plan(self, entry: ScheduledCheck) -> None:
        """Set the timer of the next run, or give the check up when nobody needs it."""
        now = time.monotonic()
        self._was_asked(entry, now)
        if not entry.listed and now - entry.asked > self._expire:
            if entry.asked_around:
                if now - entry.asked > self._expire + min(SECOND_LOOK, self._expire):
                    self._drop(entry)
                    return
            else:
                # Workers keep what they read until something changes: make them look again.
                entry.asked_around = True
                self._table.ask_around()
        own = entry.check.interval
        interval = float(min(own, _LONGEST)) if own > 0 else self._interval
        interval *= 1 - random.uniform(0, _JITTER)
        delay = max(0.0, entry.started + interval - now)
        entry.timer = self._loop.call_later(delay, self._due, entry)

    def _tell(self, entry: ScheduledCheck, before: int, lasted: float) -> None:
        """Log a change, but not ten thousand of them when a data centre goes."""
        if before == UNKNOWN and not entry.problem:
            return
        if not self._lines.admits(time.monotonic()):
            return
        status = STATUS[self._table.read(entry.offset).status]
        reason = f" ({shown(entry.problem)})" if entry.problem else ""
        was = f", was {STATUS[before]} for {lasted:.0f} s" if before else ""
        check = entry.check
        log.info(
            "health: %s is %s%s%s",
            *(show(check), status, reason, was),
            extra=about(
                check=show(check), address=check.address, state=status, reason=entry.problem
            ),
        )

    def _tell_workers(self) -> None:
        """Of checks that only answers ask for workers hear some times a second, however many come
        and go: each time, they ask again for all they use."""
        if self._table.untold:
            self._table.ask_around()
        self._loop.call_later(_TELL, self._tell_workers)

    def _tick(self) -> None:
        now = time.monotonic()
        self._table.beat(now)
        self._lines.look(now)
        self.errors.look(now)
        self._admission.tell(now)
        self._loop.call_later(1.0, self._tick)

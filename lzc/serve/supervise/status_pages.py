"""The status page of a server: what it is made from, and the last hour, which is looked at every
minute whether or not anybody reads it.

As with metrics, one thread does the work that stands back behind those who answer
(`lzc.serve.supervise.seeing`).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lzc.foreign_text import shown
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.observe.process import use_of
from lzc.serve.observe.seen import Snapshot
from lzc.serve.observe.status.health_history import HealthHistory
from lzc.serve.observe.status.rate_history import RateHistory
from lzc.serve.observe.status.request import Asked
from lzc.serve.supervise.checker_process import CheckerProcess
from lzc.serve.supervise.control import Answer
from lzc.serve.supervise.seeing import Overview

if TYPE_CHECKING:
    from lzc.serve.observe.http import Document
    from lzc.serve.observe.status.known import Known
    from lzc.serve.observe.status.page import StatusPage, Told
    from lzc.serve.observe.status.unlisted_checks import Report

log = logging.getLogger("lzc")

MINUTE: Final = 60.0
REASONS: Final = 1.0
"""Seconds that the checker has to say why checks are down."""
_KEPT: Final = 32
"""Pages that are kept for a second."""


@dataclass(slots=True, eq=False)
class StatusPages:
    """Of the server that ``overview`` is of; ``status`` is the command ``lzc ctl status``,
    ``slots`` are those of all workers it ever had."""

    overview: Overview
    checker: CheckerProcess
    status: Callable[[Answer], Awaitable[Answer]]
    slots: Collection[Slot]
    minute: float = field(default_factory=lambda: MINUTE)
    _health: HealthHistory = field(default_factory=HealthHistory)
    _rates: RateHistory = field(default_factory=RateHistory)
    _followed: Path | None = None
    _page: StatusPage | None = None
    _known: Known | None = None
    _made: dict[Asked, bytes] = field(default_factory=dict)
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def watch(self) -> None:
        """Remember each minute; never returns."""
        last = time.monotonic()
        await self.overview.behind(self._follow)
        self._rates.note(self._counters(), last)
        while True:
            await asyncio.sleep(max(0.0, last + self.minute - time.monotonic()))
            now = time.monotonic()
            # Whoever was stopped for an hour has not seen what was in it.
            missed = max(0, round((now - last) / self.minute) - 1)
            last = now
            try:
                await self.overview.behind(lambda: self._note(missed))  # noqa: B023 - it is awaited
            except Exception as error:  # what is wrong with one minute is not with the next
                log.error("the last minute cannot be remembered: %s", shown(repr(error)))

    async def page(self, asked: Asked) -> Document:
        """A page of it."""
        # Here, as no answer waits for what it imports (`ahead`).
        from lzc.serve.observe.http import Document
        from lzc.serve.observe.status.page import StatusPage

        async with self._one_at_a_time:
            if self._page is None:
                self._page = await self.overview.behind(StatusPage)
            page = self._page
            known = await self._look()
            made = self._made.get(asked)
            if made is None:
                told = await self._told(page, known, asked)
                report = await self._unlisted(known, asked)
                made = await self.overview.behind(
                    lambda: page.make(known, asked, told, _used(known.seen), report)
                )
                if len(self._made) >= _KEPT:
                    self._made.clear()
                self._made[asked] = made
            return Document(made, page.policy)

    async def _look(self) -> Known:
        """What is known now, or was within the last second."""
        from lzc.serve.observe.status.known import Known

        seen = await self.overview.snapshot()
        if self._known is None or self._known.seen is not seen:
            self._made.clear()
            status = await self.status({})
            await self.overview.behind(self._follow)
            running = self._rates.running(self._counters(), time.monotonic())
            self._known = Known(
                seen, status, self._health, self._rates, running, socket.gethostname()
            )
        return self._known

    async def _told(self, page: StatusPage, known: Known, asked: Asked) -> Told:
        keys = await self.overview.behind(lambda: page.checks(known, asked))
        return await self.checker.report_on(keys, REASONS) if keys else {}

    async def _unlisted(self, known: Known, asked: Asked) -> Report:
        if asked.section not in ("", "health") or not known.seen.health.counts.get("unlisted"):
            return ()
        return await self.checker.report_on_unlisted(REASONS)

    def _follow(self) -> None:
        """The history is one of the checks of the bundle that is served."""
        folder = self.overview.reloader.folder
        if folder != self._followed:
            self._health.follow(check.key for check in self.overview.checks(folder))
            self._followed = folder

    def _note(self, missed: int) -> None:
        self._follow()
        self._health.note(self.checker.healths(self._health.keys), time.time(), missed)
        self._rates.note(self._counters(), time.monotonic(), missed)

    def _counters(self) -> Mapping[str, int]:
        total: Counter[str] = Counter()
        for slot in tuple(self.slots):
            total.update(slot.counters())
        return total


def _used(seen: Snapshot) -> dict[str, Any]:
    """What each process takes."""
    found = {one.name: use_of(one.pid) for one in seen.processes if one.pid}
    return {name: use for name, use in found.items() if use is not None}

"""Which health checks the checker makes: those of the bundle that may be made, and of the others
that answers ask for as many as there may be."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final, NamedTuple

from lzc.bundle.check_list import CheckList
from lzc.foreign_text import shown
from lzc.health_check import Check
from lzc.lua.health.reach import Refusal
from lzc.serve.health.barred import Barred
from lzc.serve.health.policy import CheckPolicy
from lzc.serve.health.saved_state import Known
from lzc.serve.health.unlisted import Unlisted, check_in, zone_in
from lzc.serve.ipc.health_table import HealthTable
from lzc.serve.observe.error_log import ErrorLog
from lzc.serve.transport.own_address import own_address_refusal

log = logging.getLogger("lzc")

_TOO_MANY: Final = "too many"
_BARRED: Final = "barred"
_COMPUTED: Final = "computed"


SETTLED: Final = 3.0
"""Seconds until what was refused counts: workers ask for what a new bundle lists somewhat before
the checker has read that."""


class Asked(NamedTuple):
    """A check that the code of a zone (its apex) asks for, and no bundle lists."""

    key: bytes
    check: Check
    zone: bytes


class Admission:
    """Decides by ``policy``; ``show`` gives a check as logs have it. ``now`` is monotonic time."""

    def __init__(
        self,
        policy: CheckPolicy,
        table: HealthTable,
        errors: ErrorLog,
        show: Callable[[Check], str],
        now: float,
    ) -> None:
        self._rules = policy.rules
        self._table = table
        self._errors = errors
        self._show = show
        self._fresh: Counter[str] = Counter()
        self._waiting: deque[tuple[float, Counter[str]]] = deque()
        self.barred = Barred()
        self.unlisted = Unlisted(policy.unlisted, now, policy.share)

    def load(self, listed: CheckList) -> dict[bytes, Check]:
        """Go by another bundle from now on. Returns those of its checks that may be made, by their
        keys."""
        self._rules = replace(self._rules, constants=listed.constants)
        self.barred.forget()
        self._fresh.clear()
        self._waiting.clear()
        wanted = {}
        for check in listed.checks:
            refusal = self._rules.of_listed(check)
            if refusal is None:
                wanted[check.key()] = check
            else:
                self.barred.listed[check.key()] = check, refusal
                self._table.count_barred(1, 0)
        if self.barred.listed:
            check, refusal = next(iter(self.barred.listed.values()))
            log.error(
                "health: %d of the bundle's checks may not be made, such as %s, %s",
                *(len(self.barred.listed), self._show(check), shown(refusal)),
            )
        return wanted

    def refusal(self, check: Check, zone: bytes) -> Refusal | None:
        """Why a check that no bundle lists may not be made, or `None`."""
        return self._rules.of_unlisted(check, zone) or own_address_refusal(
            check.address, self._rules.reach
        )

    def asked(self, report: bytes, now: float, known: Collection[bytes]) -> Asked | None:
        """What a worker's report asks for, if that is to begin now and not ``known``."""
        zone = zone_in(report)
        if not self.unlisted.admits(now) or not self.unlisted.looks_at(zone, now):
            self._fresh[_TOO_MANY] += 1  # before any work is done for it
            return None
        try:
            check = check_in(report)
            key = check.key()
        except (ValueError, TypeError) as error:
            self._errors.note("reading a health check from a worker", error)
            return None
        if key in known or key in self.barred.listed:
            return None
        refusal = self.refusal(check, zone)
        if refusal is None:
            return Asked(key, check, zone)
        self.barred.note(key, check, refusal)
        self._fresh[_COMPUTED if refusal.computed else _BARRED] += 1
        return None

    def asked_before(
        self, remembered: Mapping[bytes, Known], known: Collection[bytes], zones: Iterable[bytes]
    ) -> list[Asked]:
        """What answers asked for before a restart: as many as there may be besides those of
        ``zones``, of those that were asked for last."""
        found: list[Asked] = []
        counts = Counter(zones)
        for key, one in reversed(list(remembered.items())):
            if counts.total() >= self.unlisted.limit:
                break
            if one.check is None or key in known or counts[one.zone] >= self.unlisted.share:
                continue
            if self.refusal(one.check, one.zone) is None:
                counts[one.zone] += 1
                found.append(Asked(key, one.check, one.zone))
        return found[::-1]

    def refuse(self, number: int = 1) -> None:
        """So many more were too many."""
        self.unlisted.note(refused=number)
        self._table.count_unlisted(len(self.unlisted), refused=number)

    def gave_up(self) -> None:
        """One more was given up for another."""
        self.unlisted.note(evicted=1)
        self._table.count_unlisted(len(self.unlisted), evicted=1)

    def tell(self, now: float) -> None:
        """Count what was refused, and log what an operator should know, once in a while. To be
        called each second."""
        if self._fresh:
            self._waiting.append((now, self._fresh))
            self._fresh = Counter()
        while self._waiting and self._waiting[0][0] <= now - SETTLED:
            _, counts = self._waiting.popleft()
            self.refuse(counts[_TOO_MANY])
            self._table.count_barred(counts[_BARRED], counts[_COMPUTED])
            self.barred.count(counts[_BARRED] + counts[_COMPUTED])
        news = self.unlisted.news(now)
        if news:
            log.warning("health: %s", news)
        barred = self.barred.news(now)
        if barred is not None:
            times, check, refusal = barred
            log.warning(
                "health: answers asked %d times for checks that are not made; the last was %s, %s",
                *(times, self._show(check), shown(refusal)),
            )

"""Which health checks the checker makes: those of the bundle that may be made, and of the others
that answers ask for as many as there may be."""

from __future__ import annotations

import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from lzc.bundle.check_list import CheckList
from lzc.config import Config
from lzc.foreign_text import shown
from lzc.health_check import Check
from lzc.lua.health.reach import CheckReach, CheckRules, Refusal
from lzc.serve.health.saved_state import Known
from lzc.serve.health.unlisted import DEFAULT_LIMIT, DEFAULT_SHARE, Unlisted, check_in, zone_in
from lzc.serve.ipc.health_table import HealthTable
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import ErrorLog, Quiet
from lzc.serve.transport.sockets import own_address_refusal


@dataclass(frozen=True, slots=True)
class CheckPolicy:
    """``interval`` is the seconds between two runs of a check that names none. There may be
    ``unlisted`` checks that no bundle lists, ``share`` of them of one zone. ``rules`` say which
    checks are made, those of the bundle's zones yet to be filled in."""

    interval: float = 5.0
    unlisted: int = DEFAULT_LIMIT
    share: int = DEFAULT_SHARE
    rules: CheckRules = field(default_factory=CheckRules)

    @classmethod
    def from_config(cls, config: Config) -> CheckPolicy:
        """What ``[lua]`` and ``[health]`` say."""
        lua, health = config.lua, config.health
        return cls(
            float(lua.health_check_interval),
            lua.unlisted_health_checks,
            min(lua.unlisted_health_checks_per_zone, lua.unlisted_health_checks),
            CheckRules(CheckReach.from_config(health), frozenset(health.computed)),
        )


_RECENT: Final = 100
"""Checks that no bundle lists of which it is known why they were refused last."""


class Refused(NamedTuple):
    """A check that is not made, and why; ``listed`` tells that the bundle lists it."""

    key: bytes
    check: Check
    refusal: Refusal
    listed: bool


class Barred:
    """Those that the bundle lists, by their key, and the last ones that it does not. ``now`` is
    monotonic time."""

    def __init__(self) -> None:
        self.listed: dict[bytes, Refused] = {}
        self._recent: OrderedDict[bytes, Refused] = OrderedDict()
        self._times = 0
        self._last: Refused | None = None
        self._quiet = Quiet()

    def note(self, one: Refused) -> None:
        """An answer asked for this one."""
        self._last = self._recent[one.key] = one
        self._recent.move_to_end(one.key)
        if len(self._recent) > _RECENT:
            self._recent.popitem(last=False)

    def count(self, times: int) -> None:
        """So many times answers asked for one of them, that being certain."""
        self._times += times

    def forget(self) -> None:
        """Other rules hold from now on."""
        self.listed.clear()
        self._recent.clear()
        self._times, self._last = 0, None

    def all(self) -> list[Refused]:
        """All that are known."""
        return [*self.listed.values(), *self._recent.values()]

    def news(self, now: float) -> tuple[int, Refused] | None:
        """What an operator should know, once in a while: how many times answers asked for such, and
        the last one."""
        if self._last is None or not self._times or self._quiet.keeps(None, now):
            return None
        times, self._times = self._times, 0
        self._quiet.begin(None, now)
        return times, self._last


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

    def take_policy(self, policy: CheckPolicy) -> None:
        """Decide by another policy, from the next `load` on."""
        self._rules = policy.rules
        self.unlisted.allow(policy.unlisted, policy.share)

    def load(self, listed: CheckList) -> dict[bytes, Check]:
        """Go by another bundle from now on. Returns those of its checks that may be made, by their
        keys."""
        self._rules = replace(self._rules, constants=listed.constants)
        self.barred.forget()
        self._fresh.clear()
        self._waiting.clear()
        wanted = {}
        for check in listed.checks:
            key, refusal = check.key(), self._rules.of_listed(check)
            if refusal is None:
                wanted[key] = check
            else:
                self.barred.listed[key] = Refused(key, check, refusal, True)
                self._table.count_barred(1, 0)
        if self.barred.listed:
            one = next(iter(self.barred.listed.values()))
            log.error(
                "health: %d of the bundle's checks may not be made, such as %s, %s",
                *(len(self.barred.listed), self._show(one.check), shown(one.refusal)),
                extra=about(check=self._show(one.check), reason=str(one.refusal)),
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
        self.barred.note(Refused(key, check, refusal, False))
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

    def count(self, *, evicted: int = 0, refused: int = 0) -> None:
        """So many more were given up for others, or were too many."""
        self.unlisted.note(evicted=evicted, refused=refused)
        self._table.count_unlisted(len(self.unlisted), evicted, refused)

    def tell(self, now: float) -> None:
        """Count what was refused, and log what an operator should know, once in a while. To be
        called each second."""
        if self._fresh:
            self._waiting.append((now, self._fresh))
            self._fresh = Counter()
        while self._waiting and self._waiting[0][0] <= now - SETTLED:
            _, counts = self._waiting.popleft()
            self.count(refused=counts[_TOO_MANY])
            self._table.count_barred(counts[_BARRED], counts[_COMPUTED])
            self.barred.count(counts[_BARRED] + counts[_COMPUTED])
        news = self.unlisted.news(now)
        if news:
            log.warning("health: %s", news, extra=about(unlisted=len(self.unlisted)))
        barred = self.barred.news(now)
        if barred is not None:
            times, last = barred
            log.warning(
                "health: answers asked %d times for checks that are not made; the last was %s, %s",
                *(times, self._show(last.check), shown(last.refusal)),
                extra=about(check=self._show(last.check), reason=str(last.refusal), more=times),
            )

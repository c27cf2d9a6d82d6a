"""Health checks that are not made for what they would reach, or because a query made them up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import Final, NamedTuple

from lzc.health_check import Check
from lzc.lua.health.reach import Refusal

_RECENT: Final = 100
"""Checks that no bundle lists of which it is known why they were refused last."""
_QUIET: Final = 60.0


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
        self.listed: dict[bytes, tuple[Check, Refusal]] = {}
        self._recent: OrderedDict[bytes, tuple[Check, Refusal]] = OrderedDict()
        self._times = 0
        self._last: tuple[Check, Refusal] | None = None
        self._told_at = -_QUIET

    def note(self, key: bytes, check: Check, refusal: Refusal) -> None:
        """An answer asked for this one."""
        self._last = check, refusal
        self._recent[key] = self._last
        self._recent.move_to_end(key)
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

    def all(self) -> Iterator[Refused]:
        """All that are known."""
        for listed, found in ((True, self.listed), (False, self._recent)):
            for key, (check, refusal) in list(found.items()):
                yield Refused(key, check, refusal, listed)

    def news(self, now: float) -> tuple[int, Check, Refusal] | None:
        """What an operator should know, once in a while: how many times answers asked for such, and
        the last one."""
        if self._last is None or not self._times or now - self._told_at < _QUIET:
            return None
        told = (self._times, *self._last)
        self._times = 0
        self._told_at = now
        return told

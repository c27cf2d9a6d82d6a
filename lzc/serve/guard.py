"""Watches LUA records at work, so that one that never ends can be named and kept from running.

LuaJIT can spend seconds in a C function (a pathological pattern) where no instruction limit
applies. The worker is stuck then; the supervisor reads from the scoreboard which code it was in,
replaces the process, and tells the successor not to run that code again.

Code that merely took all the time or memory it may have rests for a moment after it, so that
whoever asks for it again and again does not keep other names from being answered.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection
from typing import Final, Protocol

from lzc.lua.engine import Include, LuaFailure, QueryContext
from lzc.serve.scoreboard import Slot

_CODES: Final = 65536

REST: Final = 1.0
"""Seconds that code does not run after it hit the limit of time or memory: each such execution may
take a tenth of a second."""

LIMITS: Final = ("instructions", "memory", "time", "quarantine")
"""Kinds of `LuaFailure` that are counted apart, as ``lua_…`` in `lzc.serve.scoreboard.COUNTERS`."""


class Evaluator(Protocol):
    """The part of `lzc.lua.engine.Engine` that answers use."""

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """Presentation-form contents; raises `LuaFailure`."""


def code_id(code: bytes) -> int:
    """A number from 1 to 2**64 - 1 that stands for a record's joined code."""
    return int.from_bytes(hashlib.blake2b(code, digest_size=8).digest(), "big") or 1


class GuardedEngine:
    """An engine that notes on the scoreboard what it runs, and refuses quarantined code."""

    __slots__ = (
        "_clock",
        "_enter",
        "_evaluate",
        "_ids",
        "_leave",
        "_quarantine",
        "_resting",
        "failures",
        "kinds",
        "runs",
    )

    def __init__(
        self,
        engine: Evaluator,
        slot: Slot,
        quarantine: Collection[int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._evaluate = engine.evaluate
        self._enter = slot.enter_lua
        self._leave = slot.leave_lua
        self._quarantine = set(quarantine)
        self._resting: dict[int, float] = {}
        self._ids: dict[bytes, int] = {}
        self.kinds: Counter[str] = Counter()
        self.runs = 0
        self.failures = 0

    def quarantine(self, ident: int) -> None:
        """Do not run this code any more."""
        self._quarantine.add(ident)

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `lzc.lua.engine.Engine.evaluate`; `LuaFailure` for code in quarantine or at rest."""
        ident = self._ids.get(code)
        if ident is None:
            if len(self._ids) >= _CODES:
                self._ids.clear()
            ident = self._ids[code] = code_id(code)
        if ident in self._quarantine:
            raise self._failed(LuaFailure("quarantine", "quarantined: it stopped a worker"))
        if self._resting and self._clock() < self._resting.get(ident, 0.0):
            raise self._failed(
                LuaFailure("quarantine", "resting: it took too much time or memory just now")
            )
        self.runs += 1
        self._enter(ident, query[0])
        try:
            return self._evaluate(code, query, include)
        except LuaFailure as failure:
            if failure.kind in ("time", "memory"):
                self._rest(ident)
            self._failed(failure)
            raise
        finally:
            self._leave()

    def _failed(self, failure: LuaFailure) -> LuaFailure:
        self.failures += 1
        self.kinds[failure.kind] += 1
        return failure

    def _rest(self, ident: int) -> None:
        now = self._clock()
        self._resting = {code: end for code, end in self._resting.items() if end > now}
        self._resting[ident] = now + REST

"""Watches LUA records at work, so that one that never ends can be named and kept from running.

LuaJIT can spend seconds in a C function (a pathological pattern) where no instruction limit
applies. The worker is stuck then; the supervisor reads from the scoreboard which code it was in,
replaces the process, and tells the successor not to run that code again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Final, Protocol

from lzc.lua.engine import Include, LuaFailure, QueryContext
from lzc.serve.scoreboard import Slot

_CODES: Final = 65536


class Evaluator(Protocol):
    """The part of `lzc.lua.engine.Engine` that answers use."""

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """Presentation-form contents; raises `LuaFailure`."""


def code_id(code: bytes) -> int:
    """A number from 1 to 2**64 - 1 that stands for a record's joined code."""
    return int.from_bytes(hashlib.blake2b(code, digest_size=8).digest(), "big") or 1


class GuardedEngine:
    """An engine that notes on the scoreboard what it runs, and refuses quarantined code."""

    __slots__ = ("_enter", "_evaluate", "_ids", "_leave", "_quarantine", "failures", "runs")

    def __init__(self, engine: Evaluator, slot: Slot, quarantine: Collection[int]) -> None:
        self._evaluate = engine.evaluate
        self._enter = slot.enter_lua
        self._leave = slot.leave_lua
        self._quarantine = set(quarantine)
        self._ids: dict[bytes, int] = {}
        self.runs = 0
        self.failures = 0

    def quarantine(self, ident: int) -> None:
        """Do not run this code any more."""
        self._quarantine.add(ident)

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `lzc.lua.engine.Engine.evaluate`; `LuaFailure` for quarantined code."""
        ident = self._ids.get(code)
        if ident is None:
            if len(self._ids) >= _CODES:
                self._ids.clear()
            ident = self._ids[code] = code_id(code)
        if ident in self._quarantine:
            self.failures += 1
            raise LuaFailure("runtime", "quarantined: it stopped a worker")
        self.runs += 1
        self._enter(ident, query[0])
        try:
            return self._evaluate(code, query, include)
        except LuaFailure:
            self.failures += 1
            raise
        finally:
            self._leave()

"""Which health checks a record needs, found by running it.

The checker must know them before the first query does. A record is run with every candidate down
and with every candidate up, and along each way its conditions on the client (country, netmask …)
may take, so that checks behind an ``if`` are found too.
"""

from __future__ import annotations

from dataclasses import replace

from lzc.lua.engine import Engine, EngineSettings, Include, LuaFailure, QueryContext
from lzc.lua.health import Check

MAX_WAYS = 256
"""Runs of a record at most; one with more conditions is explored that far."""

_SEED = 1


class _Recorder:
    """A health view in which all is ``up``, or nothing; it writes down what it is asked."""

    def __init__(self, up: bool, found: dict[Check, None]) -> None:
        self._up = up
        self._found = found
        self._runs = 0

    def status(self, check: Check) -> bool | None:
        self._found[check] = None
        return self._up

    def generation(self) -> int:
        self._runs += 1
        return self._runs


class _Ways:
    """Answers yes or no to each condition, such that successive runs take every way."""

    def __init__(self) -> None:
        self._plan: list[bool] = []
        self._taken: list[bool] = []

    def decide(self) -> bool:
        place = len(self._taken)
        answer = self._plan[place] if place < len(self._plan) else True
        self._taken.append(answer)
        return answer

    def next(self) -> bool:
        """Turn the last yes into a no; False when there is none left."""
        taken = self._taken
        while taken and not taken[-1]:
            taken.pop()
        if not taken:
            return False
        self._plan = [*taken[:-1], False]
        self._taken = []
        return True


class Discovery:
    """Runs records to learn their checks; one for a whole build, as Lua states cost time."""

    def __init__(self, settings: EngineSettings) -> None:
        self._found: dict[Check, None] = {}
        self._ways = _Ways()
        isolated = replace(settings, mode="isolated")
        self._engines = [
            Engine(isolated, None, _Recorder(up, self._found), _SEED, conditions=self._decide)
            for up in (False, True)
        ]

    def _decide(self) -> bool:
        return self._ways.decide()

    def checks(self, code: bytes, query: QueryContext, include: Include) -> list[Check]:
        """The checks that a record's joined ``code`` asks for, in the order it does; ``query``
        gives its name and zone. Code that fails on some way contributes what it asked before."""
        self._found.clear()
        for engine in self._engines:
            self._ways = _Ways()
            for _ in range(MAX_WAYS):
                try:
                    engine.evaluate(code, query, include)
                except LuaFailure as failure:
                    if failure.kind == "syntax":
                        return []
                if not self._ways.next():
                    break
        return list(self._found)

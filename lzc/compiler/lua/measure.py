"""How many instructions a record takes at most, found by running it.

Every instruction is counted, as a server does that has a limit: along each way that the conditions
on the client may take, with all health checks up and with all of them down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from lzc.compiler.lua.discover import Branches
from lzc.health_check import Check
from lzc.lua.engine.engine import Engine, EngineSettings, Include, LuaFailure, QueryContext
from lzc.lua.lint.straight import FACTOR

MAX_WAYS: Final = 64
"""Ways of a record that are counted at most, for each client and each state of health."""

_SEED: Final = 1


class _Health:
    """A health view in which all is up, or nothing."""

    def __init__(self, up: bool) -> None:
        self._up = up

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        return self._up

    def weight(self, check: Check) -> int:
        return 1

    def generation(self) -> int:
        return 0


class Meter:
    """Counts the instructions of records; one for a whole build, as Lua states cost time.
    ``begin``, which may be set, is called before each run."""

    def __init__(self, limit: int, memory_limit: int) -> None:
        self.begin: Callable[[], None] = lambda: None
        self._ways = Branches()
        self._ceiling = limit * FACTOR
        settings = EngineSettings(exec_limit=self._ceiling, memory_limit=memory_limit)
        self._engines = [
            Engine(settings, None, _Health(up), _SEED, conditions=self._decide, count=True)
            for up in (False, True)
        ]

    def _decide(self) -> bool:
        return self._ways.decide()

    def worst(self, code: bytes, queries: Sequence[QueryContext], include: Include) -> int:
        """The most instructions that a record's joined ``code`` took for any of the queries, as far
        as the ceiling; what fails counts until it does."""
        worst = 0
        for engine in self._engines:
            # The count must not depend on the records that were run before.
            engine.reseed(_SEED)
            for query in queries:
                self._ways = Branches()
                for _ in range(MAX_WAYS):
                    self.begin()
                    try:
                        engine.evaluate(code, query, include)
                    except LuaFailure as failure:
                        if failure.kind == "syntax":
                            return 0
                    worst = max(worst, engine.instructions or 0)
                    if worst >= self._ceiling:
                        return worst
                    if not self._ways.next():
                        break
        return worst

"""What is found out of a record by running it: which health checks it needs, as the checker must
know them before the first query does, how many instructions it takes at most, and what it answers.

A record is run with every candidate down and with every candidate up, and along each way its
conditions on the client (country, netmask …) may take, so that checks behind an ``if`` are found
too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, NamedTuple

from lzc.health_check import Check
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import (
    EngineSettings,
    Include,
    LuaFailure,
    QueryContext,
    StoredRecords,
)
from lzc.powerdns_versions import Version

MAX_WAYS: Final = 256
"""Runs of a record at most; one with more conditions is explored that far."""
MAX_COUNTED: Final = 64
"""Ways of a record that are counted at most, for each client and each state of health."""

MAX_ANSWERED: Final = 64
"""Ways of a record that are compared between versions at most, for each seed."""

_SEED: Final = 1
_SEEDS: Final = 6


class Exploration(NamedTuple):
    """What running a record showed: its checks in the order it asked for them; the ``ways`` it was
    run along; and those that failed (one failure for each different message)."""

    checks: tuple[Check, ...]
    ways: int
    failed: int
    failures: tuple[LuaFailure, ...]


class _Health:
    """A health view in which all is ``up``, or nothing, or nothing known."""

    def __init__(self, up: bool | None) -> None:
        self._up = up

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        return self._up

    def weight(self, check: Check) -> int:
        return 1

    def generation(self) -> int:
        return 0


class _Recorder(_Health):
    """One that writes down what it is asked."""

    def __init__(self, up: bool, found: dict[Check, None]) -> None:
        super().__init__(up)
        self._found = found
        self._runs = 0

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        self._found[check] = None
        return super().status(check, zone)

    def generation(self) -> int:
        self._runs += 1
        return self._runs


class Branches:
    """Answers yes or no to each condition, such that successive runs take every way, and to the
    same one in a run as before."""

    def __init__(self) -> None:
        self._plan: list[bool] = []
        self._taken: list[bool] = []
        self._given: dict[bytes, bool] = {}

    def decide(self, asked_for: bytes | None) -> bool:
        """The answer to the next condition; `None`: it may be any."""
        if asked_for in self._given:
            return self._given[asked_for]
        place = len(self._taken)
        answer = self._plan[place] if place < len(self._plan) else True
        self._taken.append(answer)
        if asked_for is not None:
            self._given[asked_for] = answer
        return answer

    def taken(self) -> tuple[bool, ...]:
        """The answers so far."""
        return tuple(self._taken)

    def next(self) -> bool:
        """Turn the last yes into a no; False when there is none left."""
        self._given = {}
        taken = self._taken
        while taken and not taken[-1]:
            taken.pop()
        if not taken:
            return False
        self._plan = [*taken[:-1], False]
        self._taken = []
        return True


class Discovery:
    """Runs records to learn their checks; one for a whole build, as Lua states cost time.
    ``begin``, which may be set, is called before each run."""

    def __init__(self, settings: EngineSettings) -> None:
        self.begin: Callable[[], None] = lambda: None
        self._found: dict[Check, None] = {}
        self._ways = Branches()
        isolated = replace(settings, mode="isolated")
        self._engines = [
            Engine(isolated, None, health, _SEED, conditions=lambda what: self._ways.decide(what))
            for health in (_Recorder(False, self._found), _Recorder(True, self._found))
        ]

    def look_in(self, lookup: StoredRecords) -> None:
        """What ``dblookup`` asks from now on."""
        for engine in self._engines:
            engine.lookup = lookup

    def explore(self, code: bytes, query: QueryContext, include: Include) -> Exploration:
        """Run a record's joined ``code``; ``query`` gives its name and zone. What fails on some way
        contributes the checks it asked for before."""
        self._found.clear()
        ways = failed = 0
        failures: dict[str, LuaFailure] = {}
        for engine in self._engines:
            # What a record shows must not depend on those that were run before it.
            engine.reseed(_SEED)
            self._ways = Branches()
            for _ in range(MAX_WAYS):
                ways += 1
                self.begin()
                try:
                    engine.evaluate(code, query, include)
                except LuaFailure as failure:
                    failed += 1
                    failures.setdefault(str(failure), failure)
                    if failure.kind == "syntax":
                        return Exploration((), ways, ways, (failure,))
                if not self._ways.next():
                    break
        return Exploration(tuple(self._found), ways, failed, tuple(failures.values()))


Outcome = tuple[bytes, ...] | None
"""What a record gives, or `None` where it fails."""

Circumstance = tuple[str, tuple[bool, ...]]
"""What health checks say, and whether each condition on the client holds."""


class Answers:
    """Finds out what records answer as a version of PowerDNS: before any check, with all up, with
    all down, along the ways of their conditions. ``begin``, which may be set, is called before each
    run."""

    def __init__(self, settings: EngineSettings) -> None:
        self.begin: Callable[[], None] = lambda: None
        self._ways = Branches()
        isolated = replace(settings, mode="isolated")
        self._engines = {
            name: Engine(
                isolated, None, health, _SEED, conditions=lambda what: self._ways.decide(what)
            )
            for name, health in (
                ("before any check", _Health(None)),
                ("all up", _Health(True)),
                ("all down", _Health(False)),
            )
        }

    def look_in(self, lookup: StoredRecords) -> None:
        """What ``dblookup`` asks from now on."""
        for engine in self._engines.values():
            engine.lookup = lookup

    def of(
        self, code: bytes, query: QueryContext, include: Include, *, checks: bool
    ) -> dict[Circumstance, frozenset[Outcome]]:
        """All outcomes by what they depend on; chance is given some seeds. ``checks``: the code may
        ask for the results of checks."""
        found: dict[Circumstance, set[Outcome]] = {}
        for name, engine in self._engines.items():
            if name != "before any check" and not checks:
                continue
            for seed in range(_SEEDS):
                self._ways = Branches()
                for _ in range(MAX_ANSWERED):
                    engine.reseed(seed)
                    self.begin()
                    outcome: Outcome
                    try:
                        outcome = tuple(engine.evaluate(code, query, include))
                    except LuaFailure:
                        outcome = None
                    found.setdefault((name, self._ways.taken()), set()).add(outcome)
                    if not self._ways.next():
                        break
        return {where: frozenset(outcomes) for where, outcomes in found.items()}


class Meter:
    """Counts every instruction of records, as a server does that has a limit, but for one of
    ``ceiling``; one for a whole build, as Lua states cost time. ``begin``, which may be set, is
    called before each run."""

    def __init__(self, ceiling: int, memory_limit: int, version: Version) -> None:
        self.begin: Callable[[], None] = lambda: None
        self._ways = Branches()
        self._ceiling = ceiling
        settings = EngineSettings(exec_limit=ceiling, memory_limit=memory_limit, powerdns=version)
        self._engines = [
            Engine(
                settings,
                None,
                _Health(up),
                _SEED,
                conditions=lambda what: self._ways.decide(what),
                count=True,
            )
            for up in (False, True)
        ]

    def worst(self, code: bytes, queries: Sequence[QueryContext], include: Include) -> int:
        """The most instructions that a record's joined ``code`` took for any of the queries, as far
        as the ceiling; what fails counts until it does."""
        worst = 0
        for engine in self._engines:
            # The count must not depend on the records that were run before.
            engine.reseed(_SEED)
            for query in queries:
                self._ways = Branches()
                for _ in range(MAX_COUNTED):
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

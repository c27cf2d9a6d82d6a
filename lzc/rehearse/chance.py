"""Chance in answers, which a seed brings again."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Final

from lzc.lua.engine.engine import Engines
from lzc.lua.engine.execution import Counted, Include, LuaFailure, QueryContext
from lzc.rehearse.watch import Watch

_STEP: Final = 1_000_003


class Chance:
    """The random choices in answers, which start from a seed with each query.

    ``drawn`` tells that a number was drawn, so that another seed may bring another answer;
    ``in_question`` that it is to be found out whether records that run draw any.
    """

    def __init__(self) -> None:
        self.drawn = False
        self.in_question = True
        self.start(0)

    def start(self, seed: int) -> None:
        """A new query comes."""
        self._seed = seed
        self._executions = 0
        self._numbers: random.Random | None = None

    def execution_seed(self) -> int:
        """The seed of the next execution among those that one query causes."""
        seed = (self._seed + self._executions * _STEP) % 2**32
        self._executions += 1
        return seed

    def random(self) -> float:
        """A number from 0 up to 1, for a plan."""
        self.drawn = True
        if self._numbers is None:
            self._numbers = random.Random(self._seed)
        return self._numbers.random()


class SeededEngine:
    """An engine whose every execution starts from a seed of its own."""

    def __init__(
        self, engine: Engines, chance: Chance, begin: Callable[[], None], watch: Watch | None
    ) -> None:
        self._engine = engine
        self._chance = chance
        self._begin = begin
        self._watch = watch

    @property
    def swept(self) -> float:
        """As `Engine.swept`."""
        return self._engine.swept

    def sample(self, each: int, counted: Counted) -> None:
        """Nothing: here all executions are counted, or none."""

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `Engine.evaluate`."""
        engine, watch = self._engine, self._watch
        seed = self._chance.execution_seed()
        engine.reseed(seed)
        self._begin()
        try:
            if watch is not None:
                return watch.run(engine, code, query, include)
            return engine.evaluate(code, query, include)
        finally:
            if self._chance.in_question and draws(engine, query, seed):
                self._chance.drawn = True
                if watch is not None:
                    watch.draw()


def draws(engine: Engines, query: QueryContext, seed: int) -> bool:
    """Whether the execution before drew a random number, the engine having been set to ``seed``
    for it: then the next number is not the first that the seed gives. Without one, no seed makes a
    difference to that execution."""

    def draw() -> list[bytes]:
        return engine.evaluate(b"pdnsrandom()", query, lambda _name: None)

    try:
        following = draw()
        engine.reseed(seed)
        return following != draw()
    except LuaFailure:
        # A limit too small for even this; or a record in shared mode has its own pdnsrandom.
        return True

"""Answers without a server, under circumstances that are assumed.

The answer is made by the `Responder` that the server has, over an engine that starts each execution
of a LUA record from a seed, so that a random choice can be had again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lzc.answer.responder import Responder
from lzc.answer.settings import ResponderSettings
from lzc.answer.stored import stored_contents
from lzc.answer.zone import Signer, SigningFailure
from lzc.bundle.reader import Bundle
from lzc.health_check import HealthView
from lzc.lua.engine.engine import (
    Engine,
    EngineSettings,
    GeoView,
    Include,
    Log,
    LuaFailure,
    QueryContext,
)
from lzc.rehearse.assumed import (
    AssumedHealth,
    AssumedPlace,
    Circumstances,
    RefusalOf,
    never_refused,
)
from lzc.wire import message
from lzc.wire import name as wire_name

MAX_RUNS: Final = 10_000
"""Runs at most in search of what chance can bring."""

IDLE_RUNS: Final = 1_000
"""Runs in a row without news that end the search: a choice of 1 in 100 is missed once in 20,000
times."""

_STEP: Final = 1_000_003

_CHUNK: Final = re.compile(r'\[string ".*?"\]:(\d+): ', re.DOTALL)
"""How Lua starts a message: the name of the chunk, which is its code, and the line."""


def seed_of(seed: int, execution: int) -> int:
    """The seed of one execution (from 0) among those that one query causes."""
    return (seed + execution * _STEP) % 2**32


@dataclass(frozen=True, slots=True)
class Staging:
    """All that an answer needs but the query and its circumstances. ``lua`` is `None` where LUA is
    off; ``geo`` is what databases know; ``log`` takes what records log; ``refusal`` says which
    checks a server does not make; ``begin`` is called before each execution of a record."""

    bundle: Bundle
    settings: ResponderSettings
    lua: EngineSettings | None
    signers: Mapping[bytes, Signer]
    geo: GeoView | None
    log: Log | None = None
    refusal: RefusalOf = never_refused
    begin: Callable[[], None] = lambda: None

    def places(self, circumstances: Circumstances) -> GeoView | None:
        """Where addresses are, the client's being as assumed."""
        if circumstances.place is None:
            return self.geo
        client = circumstances.located(self.settings.edns_client_subnet)
        return AssumedPlace(self.geo, client, circumstances.place)

    def engine(
        self,
        circumstances: Circumstances,
        geo: GeoView | None,
        health: HealthView,
        log: Log | None,
    ) -> Engine | None:
        """An engine that sees the circumstances' time, with ``geo`` and ``health`` as given.

        It counts instructions, as it would otherwise run a long record twice, which takes other
        random numbers.
        """
        if self.lua is None:
            return None
        now = circumstances.now if circumstances.clock_set else None
        lookup = stored_contents(self.bundle)
        return Engine(self.lua, geo, health, 0, log, now=now, count=True, lookup=lookup)


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer in wire format. ``seed`` is the one it was made with; ``reasons`` say why it is
    SERVFAIL, if it is; ``chance`` tells that another seed may give another answer."""

    wire: bytes
    tcp: bool
    seed: int
    reasons: tuple[str, ...]
    chance: bool


class Scene:
    """One set of circumstances, to be asked questions in. Not for several threads."""

    def __init__(self, staging: Staging, circumstances: Circumstances) -> None:
        self.circumstances = circumstances
        self._reasons: list[str] = []
        engine = staging.engine(
            circumstances,
            staging.places(circumstances),
            AssumedHealth(dict(circumstances.health), staging.refusal),
            staging.log,
        )
        self._engine = None if engine is None else SeededEngine(engine, staging.begin)
        signers = staging.signers if circumstances.dnssec else {}
        self._responder = Responder(
            staging.bundle, staging.settings, signers, self._engine, self._report
        )

    def ask(self, qname: bytes, qtype: int, seed: int) -> Answer | None:
        """The answer to a question; `None` where a server keeps silent.

        An answer truncated over UDP is asked for again over TCP, as a resolver does.
        """
        if self._engine is not None:
            self._engine.chance = False
        return self._ask(qname, qtype, seed)

    def _ask(self, qname: bytes, qtype: int, seed: int) -> Answer | None:
        circumstances, engine = self.circumstances, self._engine
        query = circumstances.message(qname, qtype)
        tcp = circumstances.tcp
        while True:
            self._reasons.clear()
            if engine is not None:
                engine.start(seed)
            response = self._responder.respond(
                query, circumstances.client.packed, circumstances.now, tcp=tcp
            )
            if response is None:
                return None
            if tcp or not response.wire[2] << 8 & message.TC:
                break
            tcp = True
        chance = engine is not None and engine.chance
        return Answer(response.wire, tcp, seed, tuple(self._reasons), chance)

    def ask_often(self, qname: bytes, qtype: int, seed: int) -> Iterator[Answer]:
        """The answers that chance can bring, each as often as it comes: one where chance has no
        part in it, and else with the seeds from ``seed`` on until there are no news."""
        seen: set[bytes] = set()
        idle = 0
        for run in range(MAX_RUNS):
            ask = self._ask if run else self.ask
            answer = ask(qname, qtype, (seed + run) % 2**32)
            if answer is None:
                return
            yield answer
            if not answer.chance and not run:
                return
            idle = idle + 1 if answer.wire in seen else 0
            seen.add(answer.wire)
            if idle >= IDLE_RUNS:
                return

    def _report(self, _: bytes, error: Exception) -> None:
        if isinstance(error, SigningFailure):
            zone = wire_name.to_text(error.args[0])
            self._reasons.append(f"zone {zone} is signed, but none of its keys is usable here")
        elif isinstance(error, LuaFailure):
            self._reasons.append(place_of(error)[0])
        else:
            self._reasons.append(str(error))


class SeededEngine:
    """An engine whose every execution starts from a seed of its own. ``chance`` turns true with the
    first that draws a random number."""

    def __init__(self, engine: Engine, begin: Callable[[], None] = lambda: None) -> None:
        self._engine = engine
        self._begin = begin
        self._seed = 0
        self._executions = 0
        self.chance = False

    def start(self, seed: int) -> None:
        """A new query comes."""
        self._seed = seed
        self._executions = 0

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `Engine.evaluate`."""
        seed = seed_of(self._seed, self._executions)
        self._executions += 1
        self._engine.reseed(seed)
        self._begin()
        try:
            return self._engine.evaluate(code, query, include)
        finally:
            if not self.chance:
                self.chance = draws(self._engine, query, seed)


def draws(engine: Engine, query: QueryContext, seed: int) -> bool:
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


def place_of(error: LuaFailure) -> tuple[str, int]:
    """Message and line of a failure; the line counts from 1, and is 0 where Lua tells none."""
    found = _CHUNK.match(error.message)
    message = _CHUNK.sub("", error.message)
    return f"{error.kind}: {message}", int(found[1]) if found else 0

"""Answers without a server, under circumstances that are assumed.

They are made by what answers in a worker (`lzc.serve.worker.answering`), plans included. All chance
in an answer comes from a seed, so that it can be had again.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from lzc.answer.responder import UNWATCHED
from lzc.answer.settings import ResponderSettings
from lzc.answer.zone import SigningFailure
from lzc.bundle.reader import Bundle
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.lua.engine.engine import Engines
from lzc.lua.engine.execution import EngineSettings, Log, LuaFailure
from lzc.lua.engine.geo import GeoView
from lzc.lua.plan import Planner
from lzc.rehearse.assumed import (
    Address,
    AssumedHealth,
    AssumedPlace,
    Circumstances,
    RefusalOf,
)
from lzc.rehearse.chance import Chance, SeededEngine
from lzc.rehearse.execution import place_of
from lzc.rehearse.watch import Watch
from lzc.rehearse.watched import WatchedGeo, WatchedHealth, WatchedPlanner, watched_parts
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.worker.answering import answering, lua_parts
from lzc.wire import message

MAX_RUNS: Final = 10_000
"""Runs at most in search of what chance can bring."""

IDLE_RUNS: Final = 1_000
"""Runs in a row without news that end the search: a choice of 1 in 100 is missed once in 20,000
times."""

SignersAt = Callable[[float], tuple[Mapping[bytes, ZoneSigner], Container[bytes]]]
"""The signers at a time, by apex, and the zones that are out of service for want of one."""


@dataclass(frozen=True, slots=True)
class Staging:
    """All that an answer needs but the query and its circumstances. ``lua`` is `None` where LUA is
    off; ``geo`` is what databases know; ``log`` takes what records log; ``refusal`` says which
    checks a server does not make; ``begin`` is called before each answer, and in it before each
    execution of a record; queries come to one of the addresses ``listen``."""

    bundle: Bundle
    settings: ResponderSettings
    lua: EngineSettings | None
    signers: SignersAt = lambda _now: ({}, ())
    geo: GeoView | None = None
    log: Log | None = None
    refusal: RefusalOf = lambda _check, _zone: None
    begin: Callable[[], None] = lambda: None
    listen: tuple[Address, ...] = ()


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
    """One set of circumstances, to be asked questions in, and a ``watch`` of what the last one
    caused, if there is to be one. Not for several threads."""

    def __init__(
        self, staging: Staging, circumstances: Circumstances, watch: Watch | None = None
    ) -> None:
        self.circumstances = circumstances
        self._watch = watch
        self._begin = staging.begin
        self._chance = Chance()
        self._reasons: list[str] = []
        self._local = circumstances.reached(staging.listen)
        engine: SeededEngine | None = None
        planner: Planner | None = None
        if staging.lua is not None:
            plain, planner = self._lua_parts(staging, staging.lua)
            engine = SeededEngine(plain, self._chance, staging.begin, watch)
        signers, out = staging.signers(circumstances.now)
        self._responder, self._guard = answering(
            staging.bundle,
            staging.settings,
            signers,
            out,
            Scoreboard(1).slot(0),
            self._report,
            engine=engine,
            planner=planner,
            shares=staging.lua is not None and staging.lua.time_limit > 0,
            parts=UNWATCHED if watch is None else watched_parts(watch),
        )

    def _lua_parts(
        self, staging: Staging, settings: EngineSettings
    ) -> tuple[Engines, Planner | None]:
        """Instructions are counted, as an engine would otherwise run a long record twice, which
        takes other random numbers."""
        circumstances, watch = self.circumstances, self._watch
        geo = staging.geo
        if circumstances.place is not None:
            client = circumstances.located(staging.settings.edns_client_subnet)
            geo = AssumedPlace(geo, client, circumstances.place)
        health = AssumedHealth(dict(circumstances.health), staging.refusal)
        if watch is not None:
            settings = replace(settings, geo_memory=0)
            geo = WatchedGeo(watch, geo)
            health = WatchedHealth(watch, dict(circumstances.health), staging.refusal)

        def log(text: str, level: int) -> None:
            if staging.log is not None and self._chance.in_question:
                staging.log(text, level)

        return lua_parts(
            settings,
            staging.bundle,
            geo,
            health,
            log,
            0,
            self._chance.random,
            now=circumstances.now if circumstances.clock_set else None,
            count=True,
            planner=Planner if watch is None else partial(WatchedPlanner, watch),
        )

    def ask(self, qname: bytes, qtype: int, seed: int) -> Answer | None:
        """The answer to a question; `None` where a server keeps silent.

        An answer truncated over UDP is asked for again over TCP, as a resolver does.
        """
        self._chance.drawn = False
        self._chance.in_question = True
        return self._ask(qname, qtype, seed)

    def _ask(self, qname: bytes, qtype: int, seed: int) -> Answer | None:
        circumstances, chance = self.circumstances, self._chance
        query = circumstances.message(qname, qtype)
        tcp = circumstances.tcp
        self._begin()
        while True:
            self._reasons.clear()
            chance.start(seed)
            if self._guard is not None:
                self._guard.forgive()
            wire = self._respond(query, qname, tcp)
            if wire is None:
                return None
            if tcp or not wire[2] << 8 & message.TC:
                break
            tcp = True
        return Answer(wire, tcp, seed, tuple(self._reasons), chance.drawn)

    def _respond(self, query: bytes, qname: bytes, tcp: bool) -> bytes | None:
        """What `Responder.respond` gives, in its two steps, the watch being told of each."""
        circumstances, responder, watch = self.circumstances, self._responder, self._watch
        asked = query, circumstances.client.packed, circumstances.now, tcp, self._local
        if watch is not None:
            watch.begin()
        found = responder.quick(*asked)
        if watch is not None and found is not None:
            watch.answered_at_once(qname)
        elif watch is not None:
            watch.begin()
        if found is None:
            found = responder.any_query(*asked)
        return None if found is None else found[0]

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
            self._chance.in_question = False
            idle = idle + 1 if answer.wire in seen else 0
            seen.add(answer.wire)
            if idle >= IDLE_RUNS:
                return

    def _report(self, _: bytes, error: Exception) -> None:
        if isinstance(error, LuaFailure):
            self._reasons.append(place_of(error)[0])
        elif isinstance(error, SigningFailure):
            self._reasons.append(str(error))
        else:
            self._reasons.append(f"the bundle is damaged: {error}")

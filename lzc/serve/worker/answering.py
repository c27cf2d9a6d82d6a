"""What answers from a bundle, put together in one way: for a worker, and for who wants to know what
a worker would answer (`lzc.rehearse`)."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import partial

from lzc.answer.refusal import Report
from lzc.answer.responder import UNWATCHED, Parts, Responder
from lzc.answer.settings import ResponderSettings
from lzc.answer.stored import stored_contents
from lzc.answer.transfer_kinds import SentReport, unsent
from lzc.bundle.reader import Bundle
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.health_check import HealthView
from lzc.lua.engine.engine import Engine, Engines
from lzc.lua.engine.execution import EngineSettings, Log
from lzc.lua.engine.geo import GeoView
from lzc.lua.plan import Planner
from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.worker.guard import GuardedEngine, MeasuredEvaluator
from lzc.serve.worker.quarantine import Marks, Quarantine

MakePlanner = Callable[[GeoView | None, HealthView, Callable[[], float]], Planner]


def lua_parts(
    settings: EngineSettings,
    bundle: Bundle,
    geo: GeoView | None,
    health: HealthView,
    log: Log | None,
    seed: int,
    random: Callable[[], float],
    *,
    now: float | None = None,
    count: bool = False,
    planner: MakePlanner = Planner,
) -> tuple[Engines, Planner | None]:
    """What answers the LUA records of a bundle: a planner those that have a plan, engines the
    others. In shared mode there is no planner, as what one record leaves behind may change what
    another does. ``random`` gives the planner numbers from 0 up to 1; for the rest see `Engine`."""
    make = partial(
        Engine,
        geo=geo,
        health=health,
        seed=seed,
        log=log,
        now=now,
        count=count,
        lookup=stored_contents(bundle),
    )
    engines = Engines(settings, make)
    return engines, planner(geo, health, random) if settings.mode == "isolated" else None


def answering(
    bundle: Bundle,
    settings: ResponderSettings,
    signers: Mapping[bytes, ZoneSigner],
    out: Container[bytes],
    slot: Slot,
    report: Callable[[bytes, Exception], None],
    *,
    engine: MeasuredEvaluator | None = None,
    planner: Planner | None = None,
    shares: bool = True,
    quarantine: Quarantine | None = None,
    proven: Marks | None = None,
    refused: Report | None = None,
    parts: Parts = UNWATCHED,
    sent: SentReport = unsent,
) -> tuple[Responder, GuardedEngine | None]:
    """What answers queries from a bundle, and the guard before its engine, `None` where LUA is off:
    without an ``engine``. ``slot`` is told what that runs. For ``shares`` and ``proven`` see
    `GuardedEngine`, for the rest `Responder`."""
    guard = None
    if engine is not None:
        barred = quarantine or Quarantine()
        guard = GuardedEngine(
            engine, slot, barred.codes, shares=shares, held=barred.zones, proven=proven
        )
    meter = guard.meter if guard is not None else None
    responder = Responder(
        bundle, settings, signers, guard, report, planner, meter, out, refused, parts, sent
    )
    return responder, guard

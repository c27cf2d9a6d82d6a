"""Parts of the answer path that tell a `Watch` what they are asked.

The path knows nothing of it: a responder is put together from subclasses of its parts
(`lzc.answer.responder.Parts`), and asks health, geo databases and a planner that are watched.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

from lzc import foreign_json
from lzc.answer.lookup import AnswerLookup
from lzc.answer.lua_answer import LuaAnswers, Snippets
from lzc.answer.responder import Parts
from lzc.answer.zone import ServedZone, ServedZones
from lzc.bundle.reader import ZoneView
from lzc.health_check import Check, HealthView
from lzc.lua.engine.geo import GeoFields, GeoView
from lzc.lua.plan import Plan, Planner
from lzc.lua.plan.format import Outcome
from lzc.rehearse.assumed import AssumedHealth
from lzc.rehearse.watch import Visit, Watch


def watched_parts(watch: Watch) -> Parts:
    """What a responder is put together from, to be watched."""
    lookup = partial(WatchedLookup, watch)
    return Parts(partial(WatchedZones, watch), partial(WatchedLua, watch), lookup)


class _Watched:
    """What is made with a watch, and with the arguments of the part that is watched."""

    def __init__(self, watch: Watch, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._watch = watch


class WatchedZones(_Watched, ServedZones):
    """Zones that cannot be asked unseen."""

    def of(self, view: ZoneView) -> ServedZone:
        """As `ServedZones.of`."""
        watch = self._watch
        watch.first = watch.first or view.info
        watch.served = super().of(view)
        return watch.served


class WatchedLua(_Watched, LuaAnswers):
    """LUA records that cannot be asked unseen."""

    def at(self, zone: ServedZone, key: bytes, node: bytes) -> dict[int, Snippets]:
        """As `LuaAnswers.at`."""
        found = super().at(zone, key, node)
        self._watch.records = zone, key, found
        return found

    def contents(
        self, zone: ServedZone, snippets: Snippets, context: tuple[Any, ...]
    ) -> list[bytes]:
        """As `LuaAnswers.contents`."""
        self._watch.run_records(snippets)
        return super().contents(zone, snippets, context)


class WatchedLookup(_Watched, AnswerLookup):
    """A look-up that tells of each name before it goes on."""

    def _step(self, zone: ServedZone, qname: bytes, name: bytes) -> bytes | None:
        visit = Visit(zone, name)
        self._watch.visits.append(visit)
        visit.target = super()._step(zone, qname, name)
        return visit.target


class WatchedPlanner(Planner):
    """A planner whose plans do not choose unseen, and ask anew each time."""

    def __init__(
        self, watch: Watch, geo: GeoView | None, health: HealthView, random: Callable[[], float]
    ) -> None:
        def draw() -> float:
            watch.draw()
            return random()

        super().__init__(geo, health, draw, forgets=True)
        self._watch = watch

    def load(self, encoded: bytes) -> Plan:
        """As `Planner.load`."""
        plan = super().load(encoded)
        choose, watch = plan.select, self._watch
        operation: str = (foreign_json.parse(encoded)["do"] or ["lua"])[0]

        def select(who: bytes, qname: bytes, apex: bytes) -> Outcome | None:
            return watch.choose(plan, operation, lambda: choose(who, qname, apex), qname)

        plan.select = select
        return plan


class WatchedHealth(_Watched, AssumedHealth):
    """Health whose statuses are not asked for unseen. Whoever remembers one has to ask again."""

    _generations = itertools.count()

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        """As `AssumedHealth.status`."""
        status = super().status(check, zone)
        self._watch.checked(check, zone, status)
        return status

    def generation(self) -> int:
        """Another number each time."""
        return next(self._generations)


class WatchedGeo:
    """Geo databases, if there are any, that cannot be asked unseen."""

    def __init__(self, watch: Watch, geo: GeoView | None) -> None:
        self._watch = watch
        self._geo = geo

    def lookup(self, address: bytes) -> GeoFields:
        """As of the databases that are watched."""
        fields = self._geo.lookup(address) if self._geo is not None else {}
        self._watch.located(address, fields)
        return fields

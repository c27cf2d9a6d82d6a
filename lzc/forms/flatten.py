"""What the LUA records of a zone give one client, in place of the records themselves.

Each is evaluated for its owner, a wildcard for the asterisk, for every type that it covers. What
gives nothing is not there. Where it is chosen by chance, the choice is the same each time: it goes
by zone and owner.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import sha256
from ipaddress import ip_address
from typing import Final, Protocol
from zlib import crc32

from lzc.answer.lua_answer import LuaAnswers, Plans
from lzc.answer.stored import stored_contents
from lzc.answer.zone import ServedZone
from lzc.bundle.node import DELEGATION, HAS_LUA, OCCLUDED
from lzc.bundle.reader import Bundle, ZoneView
from lzc.config import View
from lzc.forms.source import Found
from lzc.health_check import Check, HealthView
from lzc.lua.engine.engine import Engine, Engines
from lzc.lua.engine.execution import EngineSettings, Include, LuaFailure, QueryContext
from lzc.lua.engine.geo import GeoView
from lzc.lua.plan import Planner
from lzc.wire.name import relative_of_key

ALL_UP: Final = "all-up"

Values = dict[bytes, tuple[Found, ...]]
"""By node key what the LUA records there gave."""


class AllUp:
    """Health as if every target were up."""

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        """Up."""
        return True

    def weight(self, check: Check) -> int:
        """As where no number was fetched."""
        return 1

    def generation(self) -> int:
        """Nothing changes."""
        return 0


class Told(Protocol):
    """Is told of LUA records that failed."""

    def __call__(self, owner: bytes, rrtype: int, why: str) -> None:
        """``owner`` is a wire name."""


class _Fixed:
    """An engine whose every execution starts with the same choices for the same owner."""

    def __init__(self, engines: Engines) -> None:
        self._engines = engines
        self.seed = 0

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `Engine.evaluate`."""
        self._engines.reseed(self.seed)
        return self._engines.evaluate(code, query, include)

    def random(self) -> float:
        """A number from 0 up to 1."""
        return random.Random(self.seed).random()


class Evaluation:
    """Evaluates LUA records of the zones of a bundle, for one view."""

    def __init__(
        self,
        bundle: Bundle,
        settings: EngineSettings,
        view: View,
        geo: GeoView | None,
        health: HealthView,
    ) -> None:
        if view.health == ALL_UP:
            health = AllUp()
        self._client = ip_address(view.client).packed
        make = partial(
            Engine, geo=geo, health=health, seed=0, log=None, lookup=stored_contents(bundle)
        )
        self._engine = engine = _Fixed(Engines(settings, make))
        plans = None
        if settings.mode == "isolated":
            plans = Plans(Planner(geo, health, engine.random), bundle.plan)
        self._answers = LuaAnswers(engine, plans)

    def of(
        self, zone: ZoneView, owners: Mapping[bytes, bytes], before: Values, told: Told
    ) -> Values:
        """What the LUA records give at their ``owners``, node keys with the nodes. One that fails
        gives what it gave ``before``, and it is told."""
        served = ServedZone(zone, None)
        found: Values = {}
        for key, node in owners.items():
            owner = relative_of_key(key) + zone.apex
            self._engine.seed = crc32(owner + zone.apex)
            given = []
            for covered, snippets in sorted(self._answers.at(served, key, node).items()):
                asker = QueryContext(owner, zone.apex, self._client)
                try:
                    rrset = self._answers.rrset(served, owner, covered, snippets, asker)
                except LuaFailure as error:
                    told(owner, covered, str(error))
                    given += [one for one in before.get(key, ()) if one[0] == covered]
                    continue
                if rrset is not None:
                    given.append((covered, rrset.ttl, tuple(sorted(rrset.rdatas))))
            found[key] = tuple(given)
        return found


def lua_owners(zone: ZoneView) -> Iterator[tuple[bytes, bytes]]:
    """Keys and nodes of the names that have LUA records which may answer."""
    for key, node in zone.nodes():
        if node[0] & HAS_LUA and (not node[0] & (OCCLUDED | DELEGATION) or not key):
            yield key, node


def mark(values: Values) -> str:
    """A hash of what LUA records gave."""
    return sha256(repr(sorted(values.items())).encode()).hexdigest()


__all__ = ["AllUp", "Evaluation", "Values", "lua_owners", "mark"]

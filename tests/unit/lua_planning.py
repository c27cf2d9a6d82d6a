"""What the tests of plans share: one record answered by its plan and by running it."""

from __future__ import annotations

import ipaddress
import random
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from lzc.answer.lua_answer import rdatas_of
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import LuaFailure, QueryContext
from lzc.lua.engine.geo import GeoFields
from lzc.lua.plan import Planner
from lzc.lua.program import Program
from lzc.lua.recognition.recogniser import recognise
from lzc.powerdns_versions import LATEST, Version
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from tests.unit.lua_running import Health, unhurried

Outcome = tuple[bytes, ...] | None
"""RDATA in the order of the answer; `None` for a failure, which is left to Lua to report."""

_QNAME = wire_name.from_text("www.example.org.")
_ZONE = wire_name.from_text("example.org.")
_COUNTRIES = (("US", "NA"), ("CA", "NA"), ("DE", "EU"), ("FR", "EU"), ("JP", "AS"), None)


class World:
    """Gives every network of 8 bits a place of its own, some of them none."""

    def lookup(self, address: bytes) -> GeoFields:
        country = _COUNTRIES[address[0] % len(_COUNTRIES)]
        if country is None:
            return {}
        return {
            "country": country[0],
            "continent": country[1],
            "region": f"R{address[0] % 4}",
            "latitude": float(address[0] * 37 % 180 - 90),
            "longitude": float(address[0] * 101 % 360 - 180),
            "asn": 64500 + address[0] % 8,
            "city": f"City-{address[0] % 5}",
            "name": "AS Ltd",
        }


def clients(count: int, seed: int = 1) -> list[bytes]:
    """Addresses of both families, and the networks that come with ECS, of every length."""
    rng = random.Random(seed)
    found = []
    for number in range(count):
        width = 4 if number % 2 else 16
        bits = number // 2 % (width * 8 + 1) if number % 3 else width * 8
        value = rng.getrandbits(width * 8) >> width * 8 - bits << width * 8 - bits
        found.append(value.to_bytes(width, "big"))
    return found


def plan_of(
    code: bytes,
    covered: int,
    include: Callable[[bytes], bytes | None] | None = None,
    version: Version = LATEST,
    encloser: int = 0,
) -> bytes | None:
    """The plan of a record's joined code; ``include`` gives that of another by its name."""

    def program(name: bytes) -> Program | None:
        found = None if include is None else include(name)
        return None if found is None else Program(found, rrtype.LUA)

    return recognise(Program(code, covered), version, program, encloser=encloser)


class Record:
    """A record, ``code`` being joined as before version 5.0, with its plan beside it."""

    def __init__(
        self,
        code: str,
        covered: str = "A",
        health: Health | None = None,
        *,
        apex: bytes = _ZONE,
        included: dict[str, str] | None = None,
    ) -> None:
        self.apex = apex
        self.encloser = len(wire_name.labels_of(apex))
        self.included = {name: text.encode() for name, text in (included or {}).items()}
        self.code = code.encode() + b" "
        self.covered = rrtype.from_text(covered)
        self.health = health or Health(True)
        self.plan_health = Health(True)
        self.plan_health.states = self.health.states
        self.plan_health.weights = self.health.weights
        self.plan_health.otherwise = self.health.otherwise
        encoded = plan_of(
            self.code,
            self.covered,
            lambda name: self.included.get(name.decode().removesuffix(".")),
            encloser=self.encloser,
        )
        assert encoded is not None, code
        # Long lists are no matter of the limit here.
        settings = unhurried(exec_limit=0)
        self.engine = Engine(settings, World(), self.health, 5)
        planner = Planner(World(), self.plan_health, random.Random(5).random)
        self.plan = planner.load(encoded)

    def planned(self, who: bytes, qname: bytes = _QNAME) -> Outcome:
        """What the plan gives for a client."""
        outcome = self.plan.select(who, qname, self.apex)
        if outcome is None:
            return None
        rdatas = self.plan.rdatas
        return tuple(place if isinstance(place, bytes) else rdatas[place] for place in outcome)

    def run(self, who: bytes, qname: bytes = _QNAME) -> Outcome:
        """What the code gives."""
        query = QueryContext(qname, self.apex, who, encloser=self.encloser)
        try:
            return tuple(
                rdatas_of(self.covered, self.engine.evaluate(self.code, query, self.find), LATEST)
            )
        except LuaFailure:
            return None

    def find(self, name: bytes) -> bytes | None:
        relative = wire_name.to_text(name).removesuffix("." + wire_name.to_text(self.apex))
        return self.included.get(relative)

    def instructions(self) -> int:
        """How many the code takes, for some client."""
        counting = unhurried(exec_limit=10**6)
        engine = Engine(counting, World(), self.health, 5, count=True)
        with suppress(LuaFailure):
            engine.evaluate(self.code, QueryContext(_QNAME, self.apex, bytes(4)), self.find)
        assert engine.instructions is not None
        return engine.instructions

    def agree(self, asking: Iterable[bytes], qname: bytes = _QNAME) -> None:
        """Both give the same to each client."""
        for who in asking:
            assert self.planned(who, qname) == self.run(who, qname), (
                self.code,
                ipaddress.ip_address(who),
                qname,
            )

    def counts(
        self, who: bytes, turns: int, qname: bytes = _QNAME
    ) -> tuple[Counter[Outcome], Counter[Outcome]]:
        """What many draws of the plan, and of the code, come to."""
        planned = Counter(self.planned(who, qname) for _ in range(turns))
        return planned, Counter(self.run(who, qname) for _ in range(turns))


def chi_square(one: Counter[Outcome], other: Counter[Outcome]) -> float:
    """How far two samples of the same size are apart, in standard deviations of what two of the
    same distribution are: about 0, rarely over 4."""
    outcomes = one.keys() | other.keys()
    value = sum((one[key] - other[key]) ** 2 / (one[key] + other[key]) for key in outcomes)
    freedom = max(len(outcomes) - 1, 1)
    return float((value - freedom) / (2 * freedom) ** 0.5)

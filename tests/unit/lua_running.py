"""What the tests of LUA records share: an engine over health and places set by hand."""

from __future__ import annotations

import ipaddress
from typing import Any

from lzc.health_check import Check
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings, QueryContext
from lzc.lua.engine.geo import GeoFields
from lzc.wire import name as wire_name


class Health:
    """Statuses by address, or by URL where no address is checked; what is not named is
    ``otherwise``."""

    def __init__(self, otherwise: bool | None = None) -> None:
        self.otherwise = otherwise
        self.states: dict[str, bool] = {}
        self.weights: dict[str, int] = {}
        self.asked: list[Check] = []
        self.changes = 0

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        self.asked.append(check)
        return self.states.get(check.address or check.url, self.otherwise)

    def weight(self, check: Check) -> int:
        return self.weights.get(check.address, 1)

    def generation(self) -> int:
        return self.changes

    def set(self, address: str, up: bool) -> None:
        self.states[address] = up
        self.changes += 1


class Places:
    """Fields by address."""

    def __init__(self, known: dict[str, GeoFields]) -> None:
        self.known = {ipaddress.ip_address(text).packed: place for text, place in known.items()}
        self.lookups = 0

    def lookup(self, address: bytes) -> GeoFields:
        self.lookups += 1
        return self.known.get(address, {})


def query(
    qname: str = "www.example.org.", client: str = "192.0.2.10", subnet: str | None = None
) -> QueryContext:
    network = ipaddress.ip_network(subnet) if subnet else None
    return QueryContext(
        wire_name.from_text(qname),
        wire_name.from_text("example.org."),
        ipaddress.ip_address(client).packed,
        (network.network_address.packed, network.prefixlen) if network else None,
        encloser=2,
    )


def unhurried(**options: Any) -> EngineSettings:
    """Settings for tests that are not about time: code takes as long as it takes here."""
    return EngineSettings(time_limit=1000.0, **options)


class Runner:
    """Evaluates code given as text, and gives text back; by default in as much time as it takes."""

    def __init__(
        self,
        settings: EngineSettings | None = None,
        places: Places | None = None,
        health: Health | None = None,
        seed: int = 1,
    ) -> None:
        self.logged: list[tuple[str, int]] = []
        self.included: dict[str, str] = {}
        self.health = health or Health()
        self.engine = Engine(
            settings or unhurried(),
            places,
            self.health,
            seed,
            lambda message, level: self.logged.append((message, level)),
        )

    def include(self, name: bytes) -> bytes | None:
        code = self.included.get(wire_name.to_text(name))
        return None if code is None else code.encode()

    def __call__(self, code: str, asked: QueryContext | None = None) -> list[str]:
        found = self.engine.evaluate(code.encode(), asked or query(), self.include)
        return [content.decode() for content in found]

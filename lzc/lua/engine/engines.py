"""One engine for each version of PowerDNS that zones answer as."""

from __future__ import annotations

from collections.abc import Callable

from lzc.lua.engine.engine import Engine, Include, QueryContext
from lzc.powerdns_versions import Version


class Engines:
    """Runs each record in the engine of its zone's version, which is made when it is first needed,
    as a Lua state takes milliseconds."""

    def __init__(self, make: Callable[[Version], Engine]) -> None:
        self._engines = _Made(make)
        self._last: Engine | None = None

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `Engine.evaluate`."""
        engine = self._last = self._engines[query[12]]
        return engine.evaluate(code, query, include)

    @property
    def swept(self) -> float:
        """As `Engine.swept`, of all."""
        return sum([engine.swept for engine in self._engines.values()])

    @property
    def instructions(self) -> int | None:
        """As `Engine.instructions`, of the last execution."""
        return None if self._last is None else self._last.instructions

    def reseed(self, seed: int) -> None:
        """As `Engine.reseed`, of all."""
        self._engines.seed = seed
        for engine in self._engines.values():
            engine.reseed(seed)


class _Made(dict[Version, Engine]):
    """Engines by version, made when one is asked for, to go on with ``seed`` where there is one."""

    def __init__(self, make: Callable[[Version], Engine]) -> None:
        super().__init__()
        self._make = make
        self.seed: int | None = None

    def __missing__(self, version: Version) -> Engine:
        engine = self[version] = self._make(version)
        if self.seed is not None:
            engine.reseed(self.seed)
        return engine

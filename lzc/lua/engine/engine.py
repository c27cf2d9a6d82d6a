"""Runs LUA records: code and a query in, presentation-form contents out.

One `Engine` lives as long as its worker process. Executions share its Lua state but nothing else:
each sees a fresh global environment and leaves nothing behind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lupa.luajit21 as lupa

from lzc.health_check import Check, HealthView
from lzc.lua import address
from lzc.lua.engine.execution import (
    Counted,
    EngineSettings,
    Include,
    Log,
    LuaFailure,
    QueryContext,
    StoredRecords,
)
from lzc.lua.engine.geo import GeoView
from lzc.lua.engine.ring import Rings
from lzc.lua.engine.state import LuaState
from lzc.lua.health.options import OF_CHECKS_IN
from lzc.powerdns_versions import Version
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata

MAX_STRING = 2**20
"""Octets of a string that ``string.rep`` makes at most."""

MAX_LOOKED_UP = 4096
"""Records that ``dblookup`` gives at most; more do not fit into a message of 64 KB."""

MAX_STRIKES = 3
"""How often a record is run a second time, to count its instructions alone, before it is run so at
once: at first much is not known yet that our functions look up once."""

MAX_LOGGED = 1000
"""Characters of what a record logs that are kept."""

_GEO_FIELDS = ("country", "continent", "region", "latitude", "longitude", "asn", "city", "name")
"""In the order in which ``api/geo.lua`` takes them."""


class Engine:
    """One Lua state with the PowerDNS API in it. Not thread-safe; use one per process.

    ``seed`` starts the random choices: engines with the same seed and the same questions make the
    same ones. With ``conditions``, that is what country, netmask and their like return, wherever
    the client is (`lzc.compiler.lua.discover`). ``now`` (seconds since the epoch) is what records
    see for the time; `None` for the clock. ``count`` has `instructions` counted, which is slow.
    ``lookup`` is what ``dblookup`` asks, and may be set at any time; without it that finds
    nothing. ``swept`` are the seconds that were spent, in executions, on garbage that others left.
    """

    def __init__(
        self,
        settings: EngineSettings,
        geo: GeoView | None,
        health: HealthView,
        seed: int,
        log: Log | None = None,
        conditions: Callable[[bytes | None], bool] | None = None,
        *,
        now: float | None = None,
        count: bool = False,
        lookup: StoredRecords | None = None,
    ) -> None:
        self._settings = settings
        self._geo = geo
        self._health = health
        self._seed = seed
        self._log = log
        self._conditions = conditions
        self._now = now
        self._count = count
        self._exact = count or settings.mode == "shared"
        self._include: Include = lambda _name: None
        self._zone = b""
        self.lookup = lookup
        self._sample: tuple[int, Counted] | None = None
        self.swept = 0.0
        self._options = OF_CHECKS_IN[settings.powerdns]
        self._rings: Rings | None = None
        self._programs: dict[bytes, tuple[Callable[..., Any], int]] = {}
        self._strikes: dict[int, int] = {}
        self._generation = health.generation()
        self._worn_out = False
        self._state = self._new_state()

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """The contents that a record's joined ``code`` gives for a query, in presentation form
        (for TXT without the quotes around it); an empty list means NODATA. Raises `LuaFailure`."""
        program = self._programs.get(code)
        if program is None:
            program = self._compile(code)
        generation = self._health.generation()
        if generation != self._generation:
            self._generation = generation
            self._state.forget_health()
        self._include = include
        # All by name: with a star the call takes 0.2 µs more.
        # fmt: off
        (
            qname, zone, who, subnet, local, tcp, dnssec_ok, size, flags, ident, zone_id, encloser,
            _,
        ) = query
        # fmt: on
        self._zone = zone
        network, prefix = subnet or (None, 0)
        run, slot = program
        try:
            # fmt: off
            result = run(
                slot, qname, zone, who, network, prefix, local, tcp, dnssec_ok, size, flags, ident,
                zone_id, encloser,
            )
            # fmt: on
            if type(result) is bytes:
                return [result]
            if result is None:
                return []
            if result[0] is None and result[1] == b"instructions" and run is self._state.run:
                # Our own functions ran on the record's budget too; count again, without them.
                if code not in self._programs:
                    # It was given up, to make room.
                    _, slot = self._compile(code)
                run = self._state.run_exact
                self._strikes[slot] = strikes = self._strikes.get(slot, 0) + 1
                if strikes >= MAX_STRIKES:
                    self._programs[code] = (run, slot)
                result = run(slot, qname, zone, who, network, prefix, *query[4:-1])
        except (lupa.LuaMemoryError, lupa.LuaError, MemoryError) as error:
            self._rebuild()
            raise LuaFailure("memory", str(error)) from error
        return self._contents(result)

    def sample(self, each: int, counted: Counted) -> None:
        """Tell ``counted`` of one in ``each`` executions from now on, by chance, of the first ones
        of code that is met from now on, and of those that ran into the limit. To count takes time:
        this is to be called some times a second, and where executions become many between two
        calls, fewer of them are counted. No record can tell whether it is."""
        self._sample = each, counted
        self._state.sample(each)

    def reseed(self, seed: int) -> None:
        """Go on with the random choices that an engine made with this seed starts with."""
        self._seed = seed
        self._state.reseed(seed)

    @property
    def instructions(self) -> int | None:
        """VM instructions of the last execution, as far as the limit; `None` where they are not
        counted: without ``count``, or without a limit."""
        counted = self._count and self._settings.exec_limit > 0
        return self._state.instructions() if counted else None

    def octets(self, *, collected: bool = False) -> float:
        """Octets that Lua has in use; with ``collected``, without garbage."""
        return self._state.octets(collected)

    def _contents(self, result: Any) -> list[bytes]:
        if type(result) is bytes:
            return [result]
        if result is None:
            return []
        if result[0] is not None:
            joined, count = result
            contents: list[bytes] = joined.split(b"\0")
            if len(contents) != count:
                raise LuaFailure("result", "a result holds a zero octet")
            return contents
        kind, message = result[1].decode(), result[2].decode("utf-8", "backslashreplace")
        if kind == "memory":
            self._recover()
        raise LuaFailure(kind, message)

    def _compile(self, code: bytes) -> tuple[Callable[..., Any], int]:
        if self._worn_out:
            self._rebuild()
        if len(self._programs) >= self._settings.chunks:
            self._programs.clear()
            self._strikes.clear()
            self._state.forget_programs()
        slot = len(self._programs) + 1
        try:
            message = self._state.compile(slot, code)
        except (lupa.LuaMemoryError, lupa.LuaError, MemoryError) as error:
            self._rebuild()
            raise LuaFailure("memory", str(error)) from error
        if message is not None:
            raise LuaFailure("syntax", message.decode("utf-8", "backslashreplace"))
        # In shared mode too: running a record twice would show in globals that live on.
        program = (self._state.run_exact if self._exact else self._state.run, slot)
        self._programs[code] = program
        return program

    def _new_state(self) -> LuaState:
        settings = self._settings
        clock = {} if self._now is None else {b"now": int(self._now)}
        state = LuaState(
            {
                **clock,
                b"seed": self._seed,
                b"exec_limit": settings.exec_limit,
                b"time_limit": settings.time_limit,
                b"max_string": min(MAX_STRING, settings.memory_limit // 4),
                b"shared_mode": settings.mode == "shared",
                b"counted": self._count,
                b"collect_at": settings.memory_limit // 2048,
                b"geo_size": settings.geo_memory,
                b"version": 100 * settings.powerdns[0] + settings.powerdns[1],
                b"check_options": b" ".join(option.name.encode() for option in self._options),
                b"explore": self._conditions is not None,
            },
            {
                b"python_parse": address.parse,
                b"python_text": address.to_text,
                b"python_geo": self._geo_fields,
                b"python_status": self._status,
                b"python_include": self._included,
                b"python_lookup": self._look_up,
                b"python_content": _content,
                b"python_owner": self._owner,
                b"python_log": self._write_log,
                b"python_decide": self._conditions or bool,
                b"python_crowded": self._crowded,
                b"python_swept": self._count_swept,
                b"python_counted": self._tell_counted,
            },
            settings.memory_limit,
            self._report,
        )
        if self._sample is not None:
            state.sample(self._sample[0])
        return state

    def _report(self, error: Exception) -> None:
        """Log what failed on our side of a call, such as a damaged geo database."""
        self._write_log(f"{type(error).__name__}: {error}".encode(), 3)

    def _recover(self) -> None:
        try:
            in_use = self._state.recover()
        except lupa.LuaError:
            self._rebuild()
            return
        # In shared mode globals may hold it.
        if in_use > self._settings.memory_limit / 2:
            self._rebuild()

    def _crowded(self, worn_out: bool) -> None:
        """The state gave up all programs, to make room; ``worn_out``: in vain."""
        self._programs.clear()
        self._strikes.clear()
        self._worn_out = worn_out

    def _count_swept(self, seconds: float) -> None:
        self.swept += seconds

    def _tell_counted(self, instructions: float, executions: float) -> None:
        if self._sample is not None:
            self._sample[1](self._zone, int(instructions), int(executions))

    def _rebuild(self) -> None:
        self._worn_out = False
        self._programs.clear()
        self._strikes.clear()
        self._state = self._new_state()

    def _geo_fields(self, packed: bytes) -> tuple[Any, ...]:
        fields = self._geo.lookup(packed) if self._geo is not None else {}
        values = map(fields.get, _GEO_FIELDS)
        return tuple(value.encode() if isinstance(value, str) else value for value in values)

    def _included(self, name: bytes) -> bytes | None:
        try:
            return self._include(wire_name.below(name, self._zone))
        except wire_name.InvalidName:
            return None

    def _look_up(self, name: bytes, rrtype: float) -> Any:
        found = self.lookup(name, int(rrtype)) if self.lookup is not None else ()
        if len(found) > MAX_LOOKED_UP or sum(map(len, found)) > MAX_STRING:
            return -1
        # A tuple becomes several results.
        return tuple(found) or None

    def _owner(self, key: bytes, position: float) -> int | bytes:
        if self._rings is None:
            self._rings = Rings()
        try:
            return self._rings.owner(key, int(position))
        except ValueError as error:
            return str(error).encode()

    def _status(self, kind: bytes, target: Any, candidate: bytes, *options: Any) -> Any:
        try:
            given = zip(self._options, options, strict=True)
            settings = {option.field: value for option, value in given}
            check = Check.of_call(kind, target, candidate, settings)
        except (ValueError, TypeError, OverflowError) as error:
            return f"bad option of a health check: {error}".encode()
        status = self._health.status(check, self._zone)
        if status is None:
            return -1
        if status and kind == b"weight ":
            return self._health.weight(check)
        return int(status)

    def _write_log(self, message: bytes, level: float) -> None:
        if self._log is not None:
            text = message[:MAX_LOGGED].decode("utf-8", "backslashreplace")
            self._log(text, int(level) if 0 <= level <= 8 else 4)


class Engines:
    """Runs each record in the engine of its zone's version, made by the ``settings`` with that
    version when it is first needed, as a Lua state takes milliseconds."""

    def __init__(self, settings: EngineSettings, make: Callable[[EngineSettings], Engine]) -> None:
        self._engines = _Made(settings, make)
        self._last: Engine | None = None

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `Engine.evaluate`."""
        engine = self._last = self._engines[query[12]]
        return engine.evaluate(code, query, include)

    def sample(self, each: int, counted: Counted) -> None:
        """As `Engine.sample`, of all."""
        self._engines.sample = each, counted
        for engine in self._engines.values():
            engine.sample(each, counted)

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
    """Engines by version, made when one is asked for, to go on with ``seed`` where there is one,
    and with ``sample``, what `Engine.sample` was told last."""

    def __init__(self, settings: EngineSettings, make: Callable[[EngineSettings], Engine]) -> None:
        super().__init__()
        self._settings = settings
        self._make = make
        self.seed: int | None = None
        self.sample: tuple[int, Counted] | None = None

    def __missing__(self, version: Version) -> Engine:
        engine = self[version] = self._make(replace(self._settings, powerdns=version))
        if self.seed is not None:
            engine.reseed(self.seed)
        if self.sample is not None:
            engine.sample(*self.sample)
        return engine


def _content(rrtype: float, text: bytes) -> bytes | None:
    """As a record of a type is written, or `None` for what is no content of it."""
    try:
        rdata = wire_rdata.from_presentation(int(rrtype), text, wire_name.ROOT)
        return wire_rdata.to_text(int(rrtype), rdata).encode()
    except (wire_rdata.InvalidRdata, ValueError, OverflowError):
        return None

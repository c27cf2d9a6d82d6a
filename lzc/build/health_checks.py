"""The health checks that a zone's LUA records ask for, and whether their code compiles.

Checks are found by running each record and noting what it asks. They go into the bundle, so that
the server knows every status before the first query needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lzc.config import LuaSection
from lzc.lua.health import Check
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord, Record, Zone
from lzc.zone.place import Fault

if TYPE_CHECKING:
    from lzc.lua.discover import Discovery
    from lzc.lua.engine import Engine

_CLIENT: Final = b"\x7f\x00\x00\x01"


class _Unknown:
    """A health view that knows nothing: the code is only run to see that it compiles."""

    def status(self, check: Check) -> bool | None:
        return None

    def generation(self) -> int:
        return 0


def discover(
    zone: Zone, lua_records: Sequence[Record], settings: LuaSection
) -> tuple[frozenset[Check], list[Fault]]:
    """The checks of a zone, and a fault for each of its LUA records that does not compile."""
    # Projects without LUA records need not wait for the Lua runtime to be loaded.
    from lzc.lua.engine import LuaFailure, QueryContext

    engine, discovery = _machines(settings.exec_limit, settings.memory_limit)
    codes = [(record, LuaRecord.from_rdata(record[2])) for record in lua_records]
    include = _includes(zone, codes, settings.insert_whitespace)
    found: set[Check] = set()
    faults: list[Fault] = []
    for record, lua in codes:
        if lua.covered == rr.LUA:
            continue
        code = lua.join(settings.insert_whitespace)
        query = QueryContext(zone.owner(record), zone.apex, _CLIENT)
        try:
            engine.evaluate(code, query, include)
        except LuaFailure as failure:
            if failure.kind == "syntax":
                faults.append(_no_lua(zone, record, failure.message))
                continue
        found.update(discovery.checks(code, query, include))
    return frozenset(found), faults


@lru_cache(maxsize=1)
def _machines(exec_limit: int, memory_limit: int) -> tuple[Engine, Discovery]:
    """One set of Lua states for all the zones that a process builds: each costs milliseconds."""
    from lzc.lua.discover import Discovery
    from lzc.lua.engine import Engine, EngineSettings

    settings = EngineSettings(exec_limit=exec_limit, memory_limit=memory_limit)
    return Engine(settings, None, _Unknown(), 1), Discovery(settings)


def _includes(
    zone: Zone, codes: Sequence[tuple[Record, LuaRecord]], insert_whitespace: bool
) -> Callable[[bytes], bytes | None]:
    """What ``include`` finds: the records of the zone that cover LUA, those of one name as one."""
    included: dict[bytes, list[bytes]] = {}
    for record, lua in codes:
        if lua.covered == rr.LUA:
            included.setdefault(zone.owner(record), []).append(lua.join(insert_whitespace))
    texts = {owner: b"\n".join(pieces) for owner, pieces in included.items()}
    return texts.get


def _no_lua(zone: Zone, record: Record, message: str) -> Fault:
    return Fault(
        zone.place(record),
        "lua-syntax",
        f"the LUA record's code does not compile: {message}",
        "every answer would be SERVFAIL",
        "correct the code; a chunk of statements starts with `;` and returns its result",
    )

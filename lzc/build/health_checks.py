"""The health checks that a zone's LUA records ask for, and whether their code runs.

Checks are found by running each record and noting what it asks. They go into the bundle, so that
the server knows every status before the first query needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lzc.config import LuaSection
from lzc.lua.health import Check
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord, Record, Zone
from lzc.zone.place import Fault, Severity

if TYPE_CHECKING:
    from lzc.lua.discover import Discovery

_CLIENT: Final = b"\x7f\x00\x00\x01"


def discover(
    zone: Zone, lua_records: Sequence[Record], settings: LuaSection
) -> tuple[frozenset[Check], list[Fault]]:
    """The checks of a zone, and what is wrong with the code of its LUA records: an error where it
    does not compile, a warning where it fails whatever the client and the health of its targets."""
    # Projects without LUA records need not wait for the Lua runtime to be loaded.
    from lzc.lua.engine import QueryContext

    discovery = _discovery(settings.exec_limit, settings.memory_limit)
    codes = [(record, LuaRecord.from_rdata(record[2])) for record in lua_records]
    include = included_code(zone, codes, settings.insert_whitespace)
    discovery.look_in(_contents_of(zone))
    found: set[Check] = set()
    faults: list[Fault] = []
    for record, lua in codes:
        if lua.covered == rr.LUA:
            continue
        query = QueryContext(zone.owner(record), zone.apex, _CLIENT)
        explored = discovery.explore(lua.join(settings.insert_whitespace), query, include)
        found.update(explored.checks)
        if explored.failures and explored.failed == explored.ways:
            first = explored.failures[0]
            is_syntax = first.kind == "syntax"
            # A wildcard often makes its answer of the name asked for, which is not known.
            is_wildcard = record[0].rpartition(b"\x00")[2] == b"*"
            if is_syntax or not is_wildcard:
                faults.append(_failing(zone, record, is_syntax, first.message))
    return frozenset(found), faults


@lru_cache(maxsize=1)
def _discovery(exec_limit: int, memory_limit: int) -> Discovery:
    """The Lua states for all the zones that a process builds: each costs milliseconds."""
    from lzc.lua.discover import Discovery
    from lzc.lua.engine import EngineSettings

    return Discovery(EngineSettings(exec_limit=exec_limit, memory_limit=memory_limit))


def included_code(
    zone: Zone, codes: Sequence[tuple[Record, LuaRecord]], insert_whitespace: bool
) -> Callable[[bytes], bytes | None]:
    """What ``include`` finds: the records of the zone that cover LUA, those of one name as one."""
    included: dict[bytes, list[bytes]] = {}
    for record, lua in codes:
        if lua.covered == rr.LUA:
            included.setdefault(zone.owner(record), []).append(lua.join(insert_whitespace))
    texts = {owner: b"\n".join(pieces) for owner, pieces in included.items()}
    return texts.get


def _contents_of(zone: Zone) -> Callable[[bytes, int], list[bytes]]:
    """What ``dblookup`` finds in a zone: the contents of records as they stand there. Records of
    other zones are found by the server alone, which then adds the checks that come of them."""
    known: dict[tuple[bytes, int], list[bytes]] = {}

    def contents(name: bytes, code: int) -> list[bytes]:
        # Few zones are asked, and those often.
        if not known:
            for record in zone.records:
                known.setdefault((zone.owner(record), record[1]), []).append(record[2])
        rdatas = known.get((name, code), []) if code != rr.LUA else []
        return [wire_rdata.to_text(code, rdata).encode() for rdata in rdatas]

    return contents


def _failing(zone: Zone, record: Record, is_syntax: bool, message: str) -> Fault:
    if is_syntax:
        return Fault(
            zone.place(record),
            "lua-syntax",
            f"the LUA record's code does not compile: {message}",
            "every answer would be SERVFAIL",
            "correct the code; a chunk of statements starts with `;` and returns its result",
        )
    return Fault(
        zone.place(record),
        "lua-fails",
        f"the LUA record's code fails each time it is tried: {message}",
        "its answers would be SERVFAIL",
        "correct the code, or see what it does with: lzc query",
        Severity.WARNING,
    )

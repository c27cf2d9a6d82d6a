"""The health checks that a zone's LUA records ask for, and whether their code runs.

Checks are found by running each record and noting what it asks. They go into the bundle, so that
the server knows every status before the first query needs it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from lzc.config import LuaSection
from lzc.lua.health import Check
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord, Record, Zone
from lzc.zone.place import Fault, Severity

if TYPE_CHECKING:
    from lzc.lua.discover import Discovery, Exploration
    from lzc.lua.engine import QueryContext

_CLIENT: Final = b"\x7f\x00\x00\x01"
_OTHERS: Final = (
    (_CLIENT, (bytes((198, 51, 100, 0)), 24)),
    (
        bytes.fromhex("20010db8000000000000000000000001"),
        (bytes.fromhex("20010db8" + "00" * 12), 32),
    ),
)
"""Clients whose resolvers send their network (RFC 7871), as another way to an answer."""
_FROM_DATABASES: Final = re.compile(rb"Code\b|\blatlon|\bgeoiplookup\b|\bGeoIPQueryAttribute\b")
"""What gives a value of a database that no run can go through, unlike a yes or no."""
_CHUNK: Final = re.compile(r'^\[string ".*?"\]:\d+: ', re.DOTALL)
"""Where Lua says that it was: in code that was rewritten, so it means nothing to its author."""


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
        code = lua.join(settings.insert_whitespace)
        explored = discovery.explore(code, query, include)
        found.update(explored.checks)
        if _is_lost(explored):
            first = explored.failures[0]
            is_syntax = first.kind == "syntax"
            # A wildcard often makes its answer of the name asked for, which is not known.
            is_wildcard = record[0].rpartition(b"\x00")[2] == b"*"
            if not is_syntax and (is_wildcard or _asks_databases(code, codes)):
                continue
            if not is_syntax:
                others = [
                    discovery.explore(code, other, include) for other in _other_ways_to_ask(query)
                ]
                found.update(check for other in others for check in other.checks)
                if not all(_is_lost(other) for other in others):
                    continue
            faults.append(_failing(zone, record, lua.covered, is_syntax, first.message))
    return frozenset(found), faults


def _other_ways_to_ask(query: QueryContext) -> list[QueryContext]:
    return [
        query._replace(who=who, subnet=subnet, tcp=True, dnssec_ok=True) for who, subnet in _OTHERS
    ]


def _asks_databases(code: bytes, codes: Sequence[tuple[Record, LuaRecord]]) -> bool:
    """Whether the code, or any that it may include, reads values of a database."""
    if _FROM_DATABASES.search(code):
        return True
    return b"include" in code and any(
        _FROM_DATABASES.search(lua.join(False)) for _, lua in codes if lua.covered == rr.LUA
    )


def _is_lost(explored: Exploration) -> bool:
    return bool(explored.failures) and explored.failed == explored.ways


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


def _failing(zone: Zone, record: Record, covered: int, is_syntax: bool, message: str) -> Fault:
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
        f"the LUA record's code fails each time it is tried: {_CHUNK.sub('', message)}",
        "its answers would be SERVFAIL",
        "correct the code; once it is built, this shows what it does: lzc query --explain"
        f" {shlex.quote(wire_name.to_text(zone.owner(record)))} {rr.to_text(covered)}",
        Severity.WARNING,
    )

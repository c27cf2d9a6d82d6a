"""The health checks that a zone's LUA records ask for, and whether their code runs.

Checks are found by running each record and noting what it asks. They go into the bundle, so that
the server knows every status before the first query needs it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from lzc.compiler.lua.trials import Trial, Trials
from lzc.config import LuaSection
from lzc.faults import Fault, Severity
from lzc.health_check import Check
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord, Record, Zone

if TYPE_CHECKING:
    from lzc.compiler.lua.discover import Exploration
    from lzc.lua.engine.engine import LuaFailure, QueryContext

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
    from lzc.lua.engine.engine import QueryContext

    codes = [(record, LuaRecord.from_rdata(record[2])) for record in lua_records]
    trials = Trials(
        included_code(zone, codes, settings.insert_whitespace),
        _contents_of(zone),
        settings.exec_limit,
        settings.memory_limit,
    )
    answering = [(record, lua) for record, lua in codes if lua.covered != rr.LUA]
    asked = [
        Trial(
            lua.join(settings.insert_whitespace),
            (QueryContext(zone.owner(record), zone.apex, _CLIENT),),
        )
        for record, lua in answering
    ]
    found: set[Check] = set()
    faults: list[Fault] = []
    doubtful: list[tuple[Record, LuaRecord, LuaFailure]] = []
    elsewhere: list[Trial] = []
    for (record, lua), one, explored in zip(answering, asked, trials.explore(asked), strict=True):
        for exploration in explored or ():
            found.update(exploration.checks)
            if not _is_lost(exploration):
                continue
            first = exploration.failures[0]
            # A wildcard often makes its answer of the name asked for, which is not known.
            is_wildcard = wire_name.is_wildcard_key(record[0])
            if first.kind == "syntax":
                faults.append(_failing(zone, record, lua.covered, first))
            elif not is_wildcard and not _asks_databases(one.code, codes):
                doubtful.append((record, lua, first))
                elsewhere.append(Trial(one.code, _other_ways_to_ask(one.queries[0])))
    for (record, lua, first), others in zip(doubtful, trials.explore(elsewhere), strict=True):
        found.update(check for other in others or () for check in other.checks)
        if others is not None and all(map(_is_lost, others)):
            faults.append(_failing(zone, record, lua.covered, first))
    for (record, _), one in zip(answering, asked, strict=True):
        if one.code in trials.ended:
            faults.append(_hanging(zone, record, trials.ended[one.code]))
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


def included_code(
    zone: Zone, codes: Sequence[tuple[Record, LuaRecord]], insert_whitespace: bool
) -> dict[bytes, bytes]:
    """What ``include`` finds, by wire name: the records of the zone that cover LUA, those of one
    name as one."""
    included: dict[bytes, list[bytes]] = {}
    for record, lua in codes:
        if lua.covered == rr.LUA:
            included.setdefault(zone.owner(record), []).append(lua.join(insert_whitespace))
    return {owner: b"\n".join(pieces) for owner, pieces in included.items()}


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


def _hanging(zone: Zone, record: Record, why: str) -> Fault:
    return Fault(
        zone.place(record),
        "lua-hangs",
        f"the LUA record's code was tried, and had to be ended: {why}",
        "no limit would end it, and it would stop one process of a server after the other",
        "leave out the call that takes so long: one of Lua's own library, with an argument that is"
        " very large or very long",
    )


def _failing(zone: Zone, record: Record, covered: int, failure: LuaFailure) -> Fault:
    message = failure.message
    if failure.kind == "syntax":
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

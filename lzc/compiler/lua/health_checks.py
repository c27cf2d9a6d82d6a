"""The health checks that a zone's LUA records ask for, whether these may be made, and whether the
code runs.

Checks are found by running each record and noting what it asks. They go into the bundle, so that
the server knows every status before the first query needs it.

By the networks of ``[health]`` an address that stands in the zone is an error where checks may not
reach it. One that only came of trying the code out, with a made-up client and name, says nothing of
the author's: it is not listed, and the server judges what queries make of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from typing import TYPE_CHECKING, Final

from lzc.compiler.lua.programs import Programs
from lzc.compiler.lua.stored import ZoneContents
from lzc.compiler.lua.trials import Trial, Trials
from lzc.config import LuaSection
from lzc.faults import Fault
from lzc.health_check import Check
from lzc.lua import address
from lzc.lua.functions import INCLUDING, OF_DATABASES
from lzc.lua.health.reach import CheckReach, host_of
from lzc.lua.lint.rules import RULES
from lzc.lua.plan import checks_in
from lzc.lua.program import Program
from lzc.lua.recognition.recogniser import recognise
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata import covered_type
from lzc.zone.model import RDATA, TYPE, Record, Zone

if TYPE_CHECKING:
    from lzc.compiler.lua.discover import Exploration
    from lzc.lua.engine.execution import LuaFailure, QueryContext

_CLIENT: Final = b"\x7f\x00\x00\x01"
_OTHERS: Final = (
    (_CLIENT, (bytes((198, 51, 100, 0)), 24)),
    (
        bytes.fromhex("20010db8000000000000000000000001"),
        (bytes.fromhex("20010db8" + "00" * 12), 32),
    ),
)
"""Clients whose resolvers send their network (RFC 7871), as another way to an answer. The server
is asked at an address of the client's family: here at the client's own."""
_RAISING: Final = (b"error", b"assert")
"""Functions that fail on purpose."""
_EVERYBODY: Final = b"/0"
"""The end of networks that all clients of a family are in: it is not tried what is behind."""
MADE_UP: Final = frozenset(("127.0.0.1", "198.51.100.0", "2001:db8::1", "2001:db8::"))
"""Their addresses and networks."""
_CHUNK: Final = re.compile(r'^\[string ".*?"\]:\d+: ', re.DOTALL)
"""Where Lua says that it was: in code that was rewritten, so it means nothing to its author."""


def discover(
    programs: Programs, settings: LuaSection, contents: ZoneContents
) -> tuple[frozenset[Check], list[Fault]]:
    """The checks of a zone, and what is wrong with the code of its LUA records: an error where it
    does not compile, a warning where it fails on each way that it may take, or on one. ``contents``
    are what ``dblookup`` finds."""
    # Projects without LUA records need not wait for the Lua runtime to be loaded.
    from lzc.lua.engine.execution import QueryContext

    zone = programs.zone
    trials = Trials(
        programs.included_code(),
        contents,
        settings.exec_limit,
        settings.memory_limit,
        programs.version,
    )
    answering: list[tuple[Record, Trial]] = []
    for record in programs.records:
        code, covered = programs.code(record)
        if covered != rr.LUA:
            query = QueryContext(zone.owner(record), zone.apex, _CLIENT, local=_CLIENT)
            answering.append((record, Trial(code, (query,))))
    asked = [trial for _, trial in answering]
    found: set[Check] = set()
    faults: list[Fault] = []
    doubtful: list[tuple[Record, LuaFailure]] = []
    elsewhere: list[Trial] = []
    by_record: dict[int, Exploration] = {}
    for (record, trial), explored in zip(answering, trials.explore(asked), strict=True):
        for exploration in explored or ():
            found.update(exploration.checks)
            if not exploration.failures:
                continue
            first = exploration.failures[0]
            # A wildcard often makes its answer of the name asked for, which is not known.
            is_wildcard = wire_name.is_wildcard_key(record[0])
            if first.kind == "syntax":
                faults.append(_failing(zone, record, first))
            elif not is_wildcard and _is_telling(exploration, programs.of(record), programs):
                doubtful.append((record, first))
                by_record[id(record)] = exploration
                elsewhere.append(Trial(trial.code, _other_ways_to_ask(trial.queries[0])))
    for (record, first), others in zip(doubtful, trials.explore(elsewhere), strict=True):
        found.update(check for other in others or () for check in other.checks)
        if others is None or not all(one.failures for one in others):
            continue
        explored = [*others, by_record[id(record)]]
        faults.append(_failing(zone, record, first, always=all(map(_is_lost, explored))))
    for record, trial in answering:
        if trial.code in trials.ended:
            faults.append(_hanging(zone, record, trials.ended[trial.code]))
    return frozenset(found), faults


def _other_ways_to_ask(query: QueryContext) -> list[QueryContext]:
    return [
        query._replace(who=who, subnet=subnet, local=who, tcp=True, dnssec_ok=True)
        for who, subnet in _OTHERS
    ]


def _asks_databases(program: Program, programs: Programs) -> bool:
    """Whether the code, or any that it may include, reads values of a database."""
    return program.may_reach(OF_DATABASES) or (
        program.may_reach(INCLUDING)
        and any(other.may_reach(OF_DATABASES) for other in programs.includable())
    )


def _is_telling(explored: Exploration, program: Program, programs: Programs) -> bool:
    """Whether it says something that the code failed: not where that may be for want of a database,
    nor where it fails on some ways and may be meant to, or those may be none that anybody takes."""
    if _asks_databases(program, programs):
        return False
    if _is_lost(explored):
        return True
    return not program.may_reach(_RAISING) and not any(
        text.endswith(_EVERYBODY) for text in program.literals()
    )


def _is_lost(explored: Exploration) -> bool:
    return bool(explored.failures) and explored.failed == explored.ways


def _hanging(zone: Zone, record: Record, why: str) -> Fault:
    return RULES["lua-hangs"].fault(
        zone.place(record),
        f"the LUA record's code was tried, and had to be ended: {why}",
        fix="leave out the call that takes so long: one of Lua's own library, with an argument that"
        " is very large or very long",
    )


def _failing(zone: Zone, record: Record, failure: LuaFailure, *, always: bool = True) -> Fault:
    place, message = zone.place(record), failure.message
    if failure.kind == "syntax":
        return RULES["lua-syntax"].fault(
            place, f"the LUA record's code does not compile: {message}"
        )
    when = "each time it is tried" if always else "on one of the ways that it may take"
    owner = shlex.quote(wire_name.to_text(zone.owner(record)))
    return RULES["lua-fails"].fault(
        place,
        f"the LUA record's code fails {when}: {_CHUNK.sub('', message)}",
        "" if always else "its answers would be SERVFAIL there",
        fix="correct the code; once it is built, this shows what it does: lzc query --explain"
        f" {owner} {rr.to_text(covered_type(record[RDATA]))}",
    )


def judge(
    programs: Programs, checks: Collection[Check], reach: CheckReach
) -> tuple[frozenset[Check], list[Fault]]:
    """The checks that are to be listed, and an error for each address in the zone that checks may
    not reach."""
    written: dict[str, Record] | None = None
    kept = []
    faults: dict[str, Fault] = {}
    for check in sorted(checks, key=Check.to_json):
        target = check.address or host_of(check.url)
        refusal = reach.refusal(target, written=True) if target else None
        if refusal is None and target not in MADE_UP:
            kept.append(check)
            continue
        if written is None:
            written = _written(programs)
        record = written.get(target)
        if record is None:
            continue
        if refusal is None:
            kept.append(check)
        elif target not in faults:
            faults[target] = RULES["lua-check-target"].fault(
                programs.zone.place(record),
                f"a health check may not reach its target: {refusal.why}",
                fix=f"correct the address; {refusal.fix}",
            )
    return frozenset(kept), list(faults.values())


def _written(programs: Programs) -> dict[str, Record]:
    """The addresses that stand in a zone as constants, each with the first record that has it."""
    found: dict[str, Record] = {}
    for record, program in programs:
        for text in program.literals():
            parsed = address.parse(text)
            host = parsed[1].decode() if parsed is not None else host_of(text.decode("latin-1"))
            if host:
                found.setdefault(host, record)
        # Constants may be put together of others.
        plan = recognise(program, programs.version)
        for check in checks_in(plan) if plan is not None else ():
            found.setdefault(check.address or host_of(check.url), record)
    for record in programs.zone.records:
        if record[TYPE] in (rr.A, rr.AAAA) and len(record[RDATA]) in (4, 16):
            found.setdefault(address.to_text(record[RDATA]).decode(), record)
    return found

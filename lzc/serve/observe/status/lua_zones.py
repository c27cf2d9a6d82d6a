"""The section of the status page about LUA records, by zone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lzc.foreign_text import shown
from lzc.serve.ipc.traffic import OTHER
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.summary import Level
from lzc.serve.observe.status.table import NAME, NUMBER, Cell, Column, Fact, Section, cut
from lzc.serve.observe.status.words import count, lasting, milliseconds

NEAR: Final = 0.8
"""What part of its limit of instructions is much."""
_FAILURES: Final = {
    "lua_instructions": "too many instructions",
    "lua_memory": "too much memory",
    "lua_time": "too long",
    "lua_quarantine": "in quarantine",
    "lua_held": "held back",
    "lua_syntax": "syntax",
    "lua_runtime": "error while running",
    "lua_result": "no RDATA",
}


def lua(known: Known, asked: Asked) -> Section:
    """Zones whose LUA records run: how often, how often they fail, and what they take."""
    totals, counters = known.seen.totals, known.seen.totals.counters
    quarantined = {one["name"] for one in known.status["quarantine"]}
    found: list[tuple[int, int, str, Mapping[str, int]]] = []
    for name, numbers in totals.lua_zones.items():
        used = numbers["executions"] or numbers["failures"]
        if used and asked.zone in name:
            found.append((-numbers["failures"], -numbers["cpu"], name, numbers))
    found.sort(key=lambda row: row[:3])
    rows, first, pages = cut(found, asked)
    cpu = sum(one["cpu"] for one in totals.lua_zones.values())
    return Section(
        "lua",
        "LUA records",
        "The busiest zones whose LUA records were run, those that failed first",
        (
            Column("Zone", NAME),
            Column("State"),
            Column("Executions", NUMBER),
            Column("Failures", NUMBER),
            Column("CPU time", NUMBER),
            Column("Each", NUMBER),
            Column("Instructions", NUMBER),
        ),
        [
            [
                Cell("all other zones" if name == OTHER else shown(name)),
                _lua_state(known, name, numbers),
                Cell(count(numbers["executions"])),
                Cell(count(numbers["failures"])),
                Cell(
                    lasting_cpu(numbers["cpu"]),
                    more=f"{100 * numbers['cpu'] / cpu:.0f} %" if cpu else "",
                ),
                Cell(milliseconds(numbers["cpu"] / 1e6 / max(1, numbers["executions"]))),
                _instructions(known, numbers),
            ]
            for _, _, name, numbers in rows
        ],
        first,
        len(found),
        pages,
        "No code of such a zone was run."
        if asked.zone
        else "No code was run: plans gave all answers, or there were none to give.",
        (
            Fact("executions", count(counters["lua"])),
            Fact("answered by a plan", count(counters["lua_plans"])),
            *(
                Fact(f"failed: {what}", count(counters[name]), Level.AT_RISK)
                for name, what in _FAILURES.items()
                if counters[name]
            ),
            *(
                Fact("in quarantine", shown(name), Level.FAILING)
                for name in sorted(quarantined)[:20]
            ),
        ),
        ("zone",),
    )


def _instructions(known: Known, numbers: Mapping[str, int]) -> Cell:
    """Those of an execution, as far as they were counted of some; a record comes near its limit
    before it runs into it."""
    each, most = numbers["instructions"] / max(1, numbers["executions"]), numbers["most"]
    level = Level.AT_RISK if is_near(most, known.seen.lua_limit) else None
    limit = f" of {count(known.seen.lua_limit)}" if known.seen.lua_limit else ""
    more = f"at most {count(most)}{limit}" if most else ""
    return Cell(count(round(each)) if numbers["instructions"] else "–", level, more)


def is_near(instructions: int, limit: int) -> bool:
    """Whether so many come near a limit, as the alert `LzcLuaNearLimit` has it."""
    return instructions > NEAR * limit > 0


def _lua_state(known: Known, name: str, numbers: Mapping[str, int]) -> Cell:
    if name in known.held:
        return Cell("held back", Level.FAILING)
    return Cell("failed", Level.AT_RISK) if numbers["failures"] else Cell("runs", Level.GOOD)


def lasting_cpu(microseconds: int) -> str:
    """CPU time in words."""
    return lasting(microseconds / 1e6) if microseconds >= 60e6 else milliseconds(microseconds / 1e6)

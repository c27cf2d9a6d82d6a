"""Sections of the status page about zones and their keys."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from lzc.foreign_text import shown
from lzc.serve.observe.seen import ZoneSeen
from lzc.serve.observe.status.known import SOON, Known
from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.summary import Level
from lzc.serve.observe.status.table import NAME, NUMBER, Cell, Column, Fact, Section, cut
from lzc.serve.observe.status.words import clock, count, lasting

_STATES: Final = {
    "servfail": (Level.FAILING, "SERVFAIL", "its keys cannot be used"),
    "at risk": (Level.AT_RISK, "keys at risk", "served until a worker starts again"),
    "warning": (Level.NOTE, "key warning", ""),
}


class _Row(NamedTuple):
    level: Level
    zone: ZoneSeen
    state: str
    why: str


def zones(known: Known, asked: Asked) -> Section:
    """Each zone: whether it is as it should be, its serial, and how large it is."""
    found = [_row(known, zone) for zone in known.seen.zones if asked.zone in zone.name]
    # Those that were left out are in no bundle.
    found += [
        _Row(Level.FAILING, ZoneSeen(name, 0, False, False, 0), "left out", shown(one["why"], 300))
        for name, one in known.kept.items()
        if one["serial"] is None and asked.zone in name
    ]
    rows, first, pages = cut(found, asked, lambda one: (one.level, one.zone.name))
    bundle, now = known.seen.bundle, known.seen.now
    signed = sum(zone.signed for zone in known.seen.zones)
    return Section(
        "zones",
        "Zones",
        "Zones of the bundle, those that need a look first",
        (
            Column("Zone", NAME),
            Column("State"),
            Column("Serial", NUMBER),
            Column("Records", NUMBER),
            Column("Signed"),
            Column("LUA"),
        ),
        [_cells(one, asked) for one in rows],
        first,
        len(found),
        pages,
        "No zone is called that." if asked.zone else "The bundle has no zones, or is being read.",
        (
            Fact("zones", count(bundle.zones)),
            Fact("signed", count(signed)),
            Fact("bundle", bundle.id),
            Fact("built", f"{lasting(now - bundle.built_at)} ago, {clock(bundle.built_at)}"),
            Fact("served for", lasting(now - bundle.loaded_at)),
        ),
        ("zone",),
    )


def _row(known: Known, zone: ZoneSeen) -> _Row:
    name = zone.name
    state = known.seen.keys.get(name, "")
    if state == "servfail":
        return _Row(*_of_keys(zone, state))
    if name in known.held:
        return _Row(Level.FAILING, zone, "held back", "code that never ran to its end is not run")
    end = known.seen.ends.get(name, math.inf)
    if end <= known.seen.now:
        return _Row(Level.FAILING, zone, "keys ended", "signatures do not validate any more")
    kept = known.kept.get(name)
    if kept is not None:
        return _Row(Level.AT_RISK, zone, "kept", shown(kept["why"], 300))
    fell = known.fallen.get(name)
    if fell is not None:
        why = f"secondaries keep {fell['served_before']}"
        return _Row(Level.AT_RISK, zone, "serial fell", why)
    if end - known.seen.now < SOON:
        left = f"its keys end in {lasting(end - known.seen.now)}"
        return _Row(Level.AT_RISK, zone, "keys end soon", left)
    if state:
        return _Row(*_of_keys(zone, state))
    return _Row(Level.GOOD, zone, "served", "")


def _of_keys(zone: ZoneSeen, state: str) -> tuple[Level, ZoneSeen, str, str]:
    level, word, why = _STATES[state]
    return level, zone, word, why


def _cells(one: _Row, asked: Asked) -> list[Cell]:
    zone = one.zone
    there = one.state != "left out"
    return [
        Cell(shown(zone.name), link=asked._replace(zone=zone.name, page=1).link("")),
        Cell(one.state, one.level, one.why),
        Cell(str(zone.serial) if there else "–"),
        Cell(count(zone.records) if there else "–"),
        Cell("yes" if zone.signed else "no"),
        Cell("yes" if zone.lua else "no"),
    ]


def keys(known: Known, asked: Asked) -> Section:
    """What is wrong with keys, and how long those of other zones last."""
    now = known.seen.now
    told: dict[str, Mapping[str, Any]] = {}
    for fault in known.status["keys"]:
        told.setdefault(fault["zone"], fault)
    found: list[tuple[Level, float, str, str, str]] = []
    for name in {*known.seen.keys, *known.seen.ends}:
        if asked.zone not in name:
            continue
        end = known.seen.ends.get(name, math.inf)
        state = known.seen.keys.get(name, "")
        level, word = _of_end(end - now)
        if state:
            of_state, state_word, _ = _STATES[state]
            level, word = min((level, word), (of_state, state_word), key=lambda one: one[0])
        found.append((level, end, name, word, _what_to_do(told.get(name))))
    for one in known.status["tsig"]:
        if not asked.zone:
            what = f"{shown(one['place'])}: {shown(one['problem'])}; fix: {shown(one['fix'])}"
            name = f"TSIG key {one['key']}"
            found.append((Level.AT_RISK, math.inf, name, "unusable", what))
    rows, first, pages = cut(found, asked, lambda row: row[:3])
    lasting_keys = known.seen.zones and sum(
        zone.signed and zone.name not in known.seen.ends for zone in known.seen.zones
    )
    return Section(
        "keys",
        "Keys",
        "Keys with something wrong, and those that have an end, the first to end first",
        (Column("Zone or key", NAME), Column("State"), Column("Ends in"), Column("What to do")),
        [
            [
                Cell(shown(name)),
                Cell(word, level),
                _end_cell(end, now),
                Cell(what or "–"),
            ]
            for level, end, name, word, what in rows
        ],
        first,
        len(found),
        pages,
        "No such zone has keys with an end, or with something wrong."
        if asked.zone
        else "Nothing is wrong with any key, and none has an end.",
        (Fact("signed zones whose keys have no end", count(lasting_keys or 0)),),
        ("zone",),
    )


def _of_end(left: float) -> tuple[Level, str]:
    if left <= 0:
        return Level.FAILING, "ended"
    return (Level.AT_RISK, "ends soon") if left < SOON else (Level.GOOD, "signs")


def _end_cell(end: float, now: float) -> Cell:
    if end == math.inf:
        return Cell("no end")
    left = end - now
    return Cell(lasting(left) if left > 0 else f"{lasting(-left)} ago", more=clock(end))


def _what_to_do(fault: Mapping[str, Any] | None) -> str:
    if fault is None:
        return ""
    return (
        f"{shown(fault['place'])}: {shown(fault['problem'], 300)}; fix: {shown(fault['fix'], 300)}"
    )

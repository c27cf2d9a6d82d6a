"""The section of the status page about secondaries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lzc.foreign_text import shown
from lzc.serve.observe.seen import SecondarySeen
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.summary import Level
from lzc.serve.observe.status.table import NAME, NUMBER, Cell, Column, Fact, Section, cut
from lzc.serve.observe.status.words import count, lasting, many

_Row = tuple[Level, float, str, list[Cell]]
"""What it is sorted by, and its cells."""


def secondaries(known: Known, asked: Asked) -> Section:
    """Each secondary, and below them the zones that one does not have as they are here."""
    found: list[_Row] = []
    there: list[_Row] = []
    for one, seen in known.secondaries():
        zones = list(_zones_there(known, asked, one, seen))
        if not asked.zone or zones:
            found.append(_of_secondary(known, one, seen))
        there += zones
    found.sort(key=lambda row: row[:3])
    found += sorted(there, key=lambda row: row[:3])
    rows, first, pages = cut(found, asked)
    return Section(
        "secondaries",
        "Secondaries",
        "Secondaries, and zones that they do not have as they are here",
        (
            Column("Secondary", NAME),
            Column("State"),
            Column("Serial here", NUMBER),
            Column("Serial there", NUMBER),
            Column("Lag", NUMBER),
            Column("Last transfer"),
        ),
        [row[3] for row in rows],
        first,
        len(found),
        pages,
        "No secondary is notified of such a zone." if asked.zone else "No secondary is configured.",
        [
            Fact(f"NOTIFY {word}", count(number))
            for word in ("sent", "answered", "refused", "unsent")
            if (
                number := sum(
                    n for key, n in known.seen.notify.items() if key[1:] == ("notify", word)
                )
            )
        ],
        ("zone",),
    )


def _of_secondary(known: Known, one: Mapping[str, Any], seen: SecondarySeen | None) -> _Row:
    now = known.seen.now
    level, word, more, lag = Level.NOTE, "gets no NOTIFY", "", "–"
    if seen is not None:
        behind = [zone for zone in seen.zones if zone.lag > 0]
        ahead = sum(zone.ahead for zone in seen.zones)
        level, word = Level.GOOD, "current"
        if behind:
            level, word = Level.AT_RISK, "behind"
            lag = lasting(max(zone.lag for zone in behind))
        if ahead:
            level, word = Level.AT_RISK, "ahead"
        if seen.silent is not None:
            level, word = Level.AT_RISK, f"silent for {lasting(seen.silent)}"
        if any(known.has_expired(zone, seen.silent) for zone in seen.zones):
            level, word = Level.FAILING, "zones expired"
        current = len(seen.zones) - len(behind) - ahead
        more = f"{count(current)} of {many(len(seen.zones), 'zone')} current"
    transfers = one["transfers"]
    last = transfers["last"]
    done = f"{shown(last['zone'])} {last['serial']}" if last else "none"
    ago = f"{lasting(now - last['at'])} ago, " if last else ""
    cells = [
        Cell(shown(one["name"]), more=one["address"]),
        Cell(word, level, more),
        Cell("–"),
        Cell("–"),
        Cell(lag),
        Cell(done, more=f"{ago}{count(transfers['done'])} in all"),
    ]
    return level, 0.0, one["name"], cells


def _zones_there(
    known: Known, asked: Asked, one: Mapping[str, Any], seen: SecondarySeen | None
) -> Iterator[_Row]:
    """Of a secondary: zones that it has not as they are here, or, of those asked for, each."""
    if seen is None:
        return
    errors = {state["zone"]: state["error"] for state in one.get("states", ())}
    for zone in seen.zones:
        odd = zone.lag > 0 or zone.ahead or bool(zone.repeats)
        if asked.zone not in zone.zone or not (odd or asked.zone):
            continue
        ours = known.zones.get(zone.zone)
        expired = known.has_expired(zone, seen.silent)
        level = Level.FAILING if expired else Level.AT_RISK if odd else Level.GOOD
        word = "ahead" if zone.ahead else "behind" if zone.lag > 0 else "current"
        if zone.repeats and word == "current":
            word = "repeats"
        left = seen.expires_in(zone, ours.expire if ours else 0)
        said = shown(errors.get(zone.zone, ""), 300)
        if zone.repeats:
            said = f"{said}; " if said else ""
            said += f"takes the same serial again and again: {shown(zone.repeats, 300)}"
        if left is not None and left > 0:
            said += (
                f"{'; ' if said else ''}stops answering in {lasting(left)} unless it gets through"
            )
        cells = [
            Cell(shown(zone.zone), more=f"at {shown(one['name'])}"),
            Cell("expired" if expired else word, level, said),
            Cell(str(ours.serial) if ours else "–"),
            Cell(str(zone.serial) if zone.serial is not None else "unknown"),
            Cell(lasting(zone.lag) if zone.lag > 0 else "–"),
            _last(zone.last, known.seen.now),
        ]
        yield level, -zone.lag, zone.zone, cells


def _last(last: Mapping[str, Any] | None, now: float) -> Cell:
    """The last transfer of a zone."""
    if last is None:
        return Cell("–")
    took = f"{last['kind']} over {last['transport'].upper()}, {count(last['octets'])} octets"
    took += f" in {last['seconds']:.3f} s, {lasting(now - last['at'])} ago"
    return Cell(str(last["serial"]), more=took)

"""The section of the status page about checks that no bundle lists: answers asked for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lzc.foreign_text import shown
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.summary import Level
from lzc.serve.observe.status.table import NAME, NUMBER, Cell, Column, Fact, Section, cut
from lzc.serve.observe.status.words import count, lasting, milliseconds

_LEVELS: Final = {"up": Level.GOOD, "down": Level.FAILING, "unknown": Level.NOTE}
_ID: Final = 8

Report = Sequence[Mapping[str, Any]] | None
"""What the checker says of them, `None` where it says nothing."""


def unlisted(known: Known, asked: Asked, report: Report) -> Section:
    """Each of them, and the zone whose code asked for it first."""
    counts = known.seen.health.counts
    found = [one for one in report or () if _is_meant(one, asked)]
    rows, first, pages = cut(found, asked, _badness)
    none = "The checker tells none." if report is None else "No such check is about that."
    return Section(
        "unlisted",
        "Checks that no bundle lists",
        "Health checks that answers asked for, those that went down last first",
        (
            Column("Target", NAME),
            Column("State"),
            Column("Zone", NAME),
            Column("Latency", NUMBER),
            Column("Checked", NUMBER),
        ),
        [_cells(one, known.seen.now) for one in rows],
        first,
        len(found),
        pages,
        none,
        (
            Fact("checks", count(counts.get("unlisted", 0))),
            Fact("at most", count(known.seen.health.unlisted_limit)),
            Fact("given up for others", count(counts.get("unlisted_evicted", 0))),
        ),
        ("check", "zone"),
        "health",
    )


def _is_meant(one: Mapping[str, Any], asked: Asked) -> bool:
    text = f"{one['check']} {one['key'][:_ID]}".lower()
    return asked.zone in one["zone"] and asked.check in text


def _badness(one: Mapping[str, Any]) -> tuple[int, float, str]:
    level = _LEVELS[one["status"]]
    return level, -one["since"] if level is Level.FAILING else 0.0, one["check"]


def _cells(one: Mapping[str, Any], now: float) -> list[Cell]:
    status, forced = one["status"], one["forced"]
    more = [f"for {lasting(now - one['since'])}"] if one["since"] else []
    if forced:
        more.append(f"{forced} by hand, checks find it {one['found']}")
    if one["weight"] != 1:
        more.append(f"weight {one['weight']}")
    if one["error"]:
        more.append(shown(one["error"], 300))
    word = "drained" if forced == "drain" else status
    return [
        Cell(shown(one["check"]), more=one["key"][:_ID]),
        Cell(word, Level.NOTE if forced else _LEVELS[status], "; ".join(more)),
        Cell(shown(one["zone"])),
        Cell(milliseconds(one["latency"]) if one["checked"] else "–"),
        Cell(f"{lasting(now - one['checked'])} ago" if one["checked"] else "never"),
    ]

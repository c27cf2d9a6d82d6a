"""The section of the status page about health checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from lzc.foreign_text import shown
from lzc.serve.ipc.health_table import AUTO, DOWN, DRAIN, FORCES, STATUS, UNKNOWN, UP, Health
from lzc.serve.observe.seen import CheckSeen
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.request import Asked
from lzc.serve.observe.status.sparkline import strip_of
from lzc.serve.observe.status.summary import Level
from lzc.serve.observe.status.table import NAME, NUMBER, Cell, Column, Fact, Section, cut
from lzc.serve.observe.status.words import clock, count, lasting, milliseconds

_USERS: Final = 2
"""Records that a check names which use it."""


def chosen(known: Known, asked: Asked) -> tuple[list[CheckSeen], int, int, int]:
    """The checks that are shown, the number of the first, how many pages there are, and how many
    checks there are on all of them."""
    checks: Sequence[CheckSeen] = known.seen.health.checks
    if asked.zone:
        used = {
            key
            for record in known.seen.health.records
            if asked.zone in record.zone
            for key in record.checks
        }
        checks = [check for check in checks if check.key in used]
    if asked.check:
        checks = [
            check
            for check in checks
            if asked.check in f"{check.target} {check.url} {check.id}".lower()
        ]
    restless = known.restless
    rows, first, pages = cut(checks, asked, lambda one: _badness(one, restless))
    return rows, first, pages, len(checks)


def _badness(check: CheckSeen, restless: Mapping[bytes, int]) -> tuple[int, int, float, str]:
    """What is down comes first, what has been so for the shortest time before the others: that is
    the news. Then what is not known, what is overruled, what changes."""
    changed = restless.get(check.key, 0)
    if check.up is False:
        return (1 if check.forced != AUTO else 0), 0, -check.since, check.target
    if check.up is None:
        return 2, 0, 0.0, check.target
    return (3 if check.forced != AUTO else 4), -changed, 0.0, check.target


def health(known: Known, asked: Asked, told: Mapping[bytes, Mapping[str, Any]] | None) -> Section:
    """The checks that the bundle lists; ``told`` is what the checker says of those shown, `None`
    where it says nothing."""
    rows, first, pages, total = chosen(known, asked)
    users = _users(known, {check.key for check in rows})
    counts, now = known.seen.health.counts, known.seen.now
    began = known.health.began
    unlisted = counts.get("unlisted", 0)
    return Section(
        "health",
        "Health checks",
        "Health checks of the bundle, those that went down last first",
        (
            Column("Target", NAME),
            Column("State"),
            Column("Last hour"),
            Column("Latency", NUMBER),
            Column("Checked", NUMBER),
        ),
        [
            _cells(known, check, (told or {}).get(check.key), users.get(check.key, ()))
            for check in rows
        ],
        first,
        total,
        pages,
        "No check is about that." if asked.zone or asked.check else "The bundle lists no checks.",
        (
            Fact("up", count(counts.get("up", 0))),
            Fact("down", count(counts.get("down", 0))),
            Fact("unknown", count(counts.get("unknown", 0))),
            *([Fact("of these in no bundle, see below", count(unlisted))] if unlisted else []),
            Fact("changes", count(counts.get("changes", 0))),
            Fact(
                "history since",
                clock(began)
                if now - began < 3600 and began
                else ("an hour ago" if began else "the next minute"),
            ),
            *([] if told is not None or not rows else [Fact("reasons", "the checker tells none")]),
        ),
        ("check", "zone"),
    )


def _users(known: Known, keys: set[bytes]) -> dict[bytes, list[str]]:
    """The LUA records that use each of these checks."""
    found: dict[bytes, list[str]] = {}
    for record in known.seen.health.records:
        for key in keys.intersection(record.checks):
            found.setdefault(key, []).append(f"{shown(record.owner)} {record.type}")
    return found


def _cells(
    known: Known, check: CheckSeen, told: Mapping[str, Any] | None, users: Sequence[str]
) -> list[Cell]:
    now = known.seen.now
    status = UNKNOWN if check.up is None else UP if check.up else DOWN
    health = Health(status, changes=check.changes)
    used = f"for {', '.join(users[:_USERS])}" if users else ""
    if len(users) > _USERS:
        used += f" and {count(len(users) - _USERS)} more"
    # What the checker says has no password in it.
    name = shown(told["check"]) if told else shown(check.target)
    checked = lasting(now - check.checked_at) + " ago" if check.checked_at else "never"
    late = known.is_late(check)
    return [
        Cell(name, more=f"{check.id} {used}".strip()),
        _state(known, check, status, told),
        Cell(strip=strip_of(known.health.of(check.key, health))),
        Cell(milliseconds(check.latency) if check.checked_at else "–"),
        Cell(checked, Level.AT_RISK if late else None, "late" if late else ""),
    ]


def _state(known: Known, check: CheckSeen, status: int, told: Mapping[str, Any] | None) -> Cell:
    word = "drained" if check.forced == DRAIN else STATUS[status]
    level = {UP: Level.GOOD, DOWN: Level.FAILING, UNKNOWN: Level.NOTE}[status]
    more = [f"for {lasting(known.seen.now - check.since)}"] if check.since else []
    if check.forced != AUTO:
        level = Level.NOTE
        left = told["forced_for"] if told else None
        more.append(
            f"{FORCES[check.forced]} by hand"
            + (f" for another {lasting(left)}" if left is not None else "")
            + f", checks find it {STATUS[check.found]}"
        )
    minutes = known.restless.get(check.key, 0)
    if minutes > 1:
        more.append(f"changed in {minutes} min of the last hour")
    if told and told["weight"] != 1:
        more.append(f"weight {told['weight']}")
    if told and told["error"]:
        more.append(shown(told["error"], 300))
    return Cell(word, level, "; ".join(more))

"""A check that is run, and how it is shown to operators."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from lzc.foreign_text import shown
from lzc.health_check import Check
from lzc.serve.health.admission import Refused
from lzc.serve.health.outcome import as_written, without_password
from lzc.serve.health.probes import Request
from lzc.serve.health.saved_state import Force
from lzc.serve.ipc.health_table import STATUS, UNKNOWN, Health, HealthTable
from lzc.wire import name as wire_name

_SHOWN: Final = (
    *("source", "timeout", "interval", "httpcode", "byteslimit", "useragent"),
    "minimum_failures",
)


@dataclass(slots=True, eq=False)
class ScheduledCheck:
    """A check that is run: its slot, when it was last asked for, for which ``zone`` where no bundle
    lists it, and how its last run went; ``gap`` is the seconds between the last two results. Of the
    run under way: when it began to look (``started``, monotonic seconds), and the seconds that its
    probes took so far (``spent``)."""

    check: Check
    key: bytes
    offset: int
    listed: bool
    asked: float
    zone: bytes = b""
    problem: str = ""
    failures: int = 0
    force: Force | None = None
    request: Request | None = None
    started: float = 0.0
    spent: float = 0.0
    finished: float = 0.0
    gap: float = 0.0
    runs: int = 0
    asked_around: bool = False
    dropped: bool = False
    timer: asyncio.TimerHandle | None = None


def report(
    checks: Iterable[ScheduledCheck], barred: Iterable[Refused], table: HealthTable, now: float
) -> Iterator[dict[str, Any]]:
    """All checks with what is known of them, for ``lzc ctl health``, one after the other in the
    order of their targets."""
    refused = {one.key: one for one in barred}
    entries = {entry.key: entry for entry in checks}
    lines = [(show(one.check), key) for key, one in refused.items() if key not in entries]
    lines += [(show(entry.check), key) for key, entry in entries.items()]
    for text, key in sorted(lines):
        if key in entries:
            yield _made(text, entries[key], table.read(entries[key].offset), now)
        else:
            one = refused[key]
            said = {"error": str(one.refusal), "listed": one.listed}
            yield {**_NOT_MADE, "check": text, "key": key.hex(), **said}


def _made(text: str, entry: ScheduledCheck, health: Health, now: float) -> dict[str, Any]:
    return {
        "check": text,
        "key": entry.key.hex(),
        "status": STATUS[health.status],
        "found": STATUS[health.found],
        "forced": entry.force.state if entry.force else None,
        "forced_for": entry.force.remaining(now) if entry.force else None,
        "since": health.since,
        "checked": health.checked,
        "latency": round(health.latency, 6),
        "weight": health.weight,
        "failures": entry.failures,
        "runs": entry.runs,
        "gap": round(entry.gap, 3),
        "error": entry.problem,
        "listed": entry.listed,
        "zone": wire_name.to_text(entry.zone) if entry.zone else "",
    }


_NOT_MADE: Final = _made("", ScheduledCheck(Check(""), b"", 0, False, 0.0), Health(UNKNOWN), 0.0)


def show(check: Check) -> str:
    """A check in a line of text, foreign text in it shown: what it looks for, where, and what is
    particular to it. Passwords and values of headers are left out, as it goes into logs."""
    if check.url:
        url = shown(without_password(check.url))
        text = f"{url} at {shown(check.address)}" if check.address else url
    else:
        host = shown(f"[{check.address}]" if ":" in check.address else check.address)
        text = f"{host}:{check.port}"
    usual = Check(check.address)
    if check.stringmatch:
        text += f" with '{shown(as_written(check.stringmatch))}'"
    for name in _SHOWN:
        if getattr(check, name) != getattr(usual, name):
            text += f" {name}={shown(getattr(check, name))}"
    return text + (
        f" headers={','.join(shown(name) for name, _ in check.headers)}" if check.headers else ""
    )

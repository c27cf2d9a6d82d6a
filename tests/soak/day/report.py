"""What a day has seen, as a table."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

from tests.soak.day.run import LATEST, Day, quantiles

BEHIND: Final = 5.0
"""Seconds that a change takes to a secondary at most, on a machine that has the time."""
GROWTH: Final = 1.0
"""MiB by which a process may be larger at the end than in the middle, and in an hour."""
LONG: Final = 900.0
"""Seconds of a process from which on it says something that it grows."""


def verdict(day: Day, slowness: float) -> list[str]:
    """What is not as it has to be. Seconds may be ``slowness`` times as many."""
    ledger, udp = day.stage.ledger, day.udp
    found = [f"{one.at:.1f} s, {one.fault}: {one.what}" for one in ledger.findings]
    found += [f"lost: {one}" for one in udp.judge.lost]
    if udp.slowest > LATEST * slowness:
        found.append(f"an answer took {udp.slowest:.1f} s")
    for one in day.secondaries:
        if one.lags and max(one.lags) > BEHIND * slowness:
            found.append(f"{one.name} had a change after {max(one.lags):.1f} s")
    for process in day.use.processes.values():
        middle = process.memory[len(process.memory) // 2]
        lived = process.times[-1] - process.times[0]
        if lived > LONG and min(process.memory[-1] - middle, process.slope()) > GROWTH:
            found.append(f"{process.role} grows by {process.slope():.1f} MiB an hour")
    return found + [f"alert: {one}" for one in sorted(day.alerts)]


def table(day: Day) -> str:
    """The figures."""
    return "\n".join(f"{name:38} {value}" for name, value in _rows(day))


def _rows(day: Day) -> Iterator[tuple[str, str]]:
    counts = day.stage.ledger.counts
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    yield "seconds; load; processors", f"{day.seconds:.0f}; {load}; {os.cpu_count()}"
    yield "zones, signed, with LUA records", _kinds(day)
    yield "workers; secondaries", f"{day.size.workers}; {len(day.secondaries)}"
    yield "secondaries had all zones after", f"{day.settled:.0f} s"
    yield "builds; refused", f"{counts['builds']}; {counts['builds refused']}"
    for name, count in sorted(day.happened.items()):
        yield name, str(count)
    udp = day.udp
    yield "answers over UDP, of questions", f"{udp.counts['answers']} of {udp.counts['asked']}"
    yield (
        "  wrong; lost; validated",
        (f"{udp.counts['wrong']}; {udp.counts['lost']}; {udp.counts['validated']}"),
    )
    yield "  p50; p99; longest", "{:.2f}; {:.2f}; {:.0f} ms".format(*quantiles(udp.took))
    for one, prober in zip(day.secondaries, day.others, strict=True):
        told = prober.counts
        yield f"{one.name}: answers; wrong", f"{told['answers']}; {told['wrong']}"
        middle, high, longest = (one_ / 1000 for one_ in quantiles(one.lags))
        yield (
            "  changes; after p50; p99; longest",
            (f"{len(one.lags)}; {middle:.2f}; {high:.2f}; {longest:.2f} s"),
        )
    yield "secondaries equal in the end", "yes" if day.equal else "NO"
    yield from _use(day)
    middle, _, longest = quantiles(day.scraper.took)
    yield (
        "scrapes; p50; longest; octets",
        (f"{len(day.scraper.took)}; {middle:.0f}; {longest:.0f} ms; {day.scraper.octets}"),
    )
    yield "alerts", ", ".join(sorted(day.alerts)) or "none"
    yield "packet cache", f"{_share(day):.0%} of queries"


def _kinds(day: Day) -> str:
    zones = day.stage.zones.values()
    signed = sum(one.algorithm > 0 for one in zones)
    return f"{len(zones)}, {signed}, {sum(one.lua for one in zones)}"


def _use(day: Day) -> Iterator[tuple[str, str]]:
    answers = max(1, day.udp.counts["answers"])
    whole = sum(day.cpu.values())
    yield "CPU of all processes, 1,000 queries", f"{whole / answers * 1e6:.0f} ms"
    for role, seconds in day.cpu.items():
        yield f"  {role}", f"{seconds / answers * 1e6:.0f} ms"
    yield "MiB: begin; middle; end; an hour", ""
    for one in day.use.processes.values():
        middle = one.memory[len(one.memory) // 2]
        yield (
            f"  {one.role} ({one.pid})",
            (f"{one.memory[0]:.1f}; {middle:.1f}; {one.memory[-1]:.1f}; {one.slope():+.1f}"),
        )


def _share(day: Day) -> float:
    values = day.scraper.values
    hits, missed = (values.get(f"lzc_packet_cache_{one}_total", 0.0) for one in ("hits", "misses"))
    return hits / max(1.0, hits + missed)

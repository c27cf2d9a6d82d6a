"""Rates of several servers beside each other, taken in turns.

Other work on the machine comes and goes: one run may be 15 % off. So everybody is asked several
times, one after the other, and what counts is the median.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import median
from types import MappingProxyType

from tests.bench import harness
from tests.bench.peers import Running

TURNS = 3
SECONDS = 2
"""How long one turn lasts."""


def rates(
    contestants: Mapping[str, Running], queries: Path, *, dnssec: bool = False
) -> dict[str, float]:
    """Answers a second to ``queries``, asked over and over, of each: medians, caches warm."""
    for running in contestants.values():
        harness.load(running.port, queries, 1, dnssec=dnssec)
    seen: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(TURNS):
        for name, running in contestants.items():
            seen[name].append(_ask(name, running, queries, dnssec=dnssec))
    return {name: median(found) for name, found in seen.items()}


def rates_once(
    contestants: Mapping[str, Running],
    parts: Iterable[Path],
    *,
    dnssec: bool = False,
    others: Mapping[str, Callable[[], float]] = MappingProxyType({}),
) -> dict[str, float]:
    """The same of files that are asked once, one in each turn. ``others`` are no servers, and have
    a rate of their own in each."""
    seen: dict[str, list[float]] = {name: [] for name in (*contestants, *others)}
    for queries in parts:
        for name, running in contestants.items():
            seen[name].append(_ask(name, running, queries, dnssec=dnssec, once=True))
        for name, rate in others.items():
            seen[name].append(rate())
    return {name: median(found) for name, found in seen.items()}


def _ask(
    name: str, running: Running, queries: Path, *, dnssec: bool = False, once: bool = False
) -> float:
    seen = harness.load(running.port, queries, SECONDS, dnssec=dnssec, once=once)
    if seen.lost > 1 or "SERVFAIL" in seen.rcodes:
        print(f"    ({name}: {seen.lost}% lost, {seen.rcodes})", file=sys.stderr)
    return seen.rate

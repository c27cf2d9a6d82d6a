"""What workers count, in the shape that metrics are made from: as much as the scoreboard knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Histogram:
    """``counts`` has one more than ``bounds``: values up to each bound, and those above the last;
    ``sum`` is that of all values."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


class Distribution(Protocol):
    """What a `Histogram` has."""

    @property
    def bounds(self) -> tuple[float, ...]:
        """Upper bounds, in rising order."""

    @property
    def counts(self) -> tuple[int, ...]:
        """How many values lie up to each bound and above the one before; last, above all."""

    @property
    def sum(self) -> float:
        """The sum of all values."""


class Totals(Protocol):
    """Of all workers together, since the server began. ``queries`` is by transport (``udp`` or
    ``tcp``), family (``4`` or ``6``) and type; ``answers`` by transport and the mnemonic of the
    RCODE; ``sizes`` in octets and ``latency`` in seconds by transport; ``answer_octets`` by
    transport and family; ``lua_zones`` by zone. A key that is not known is an empty string."""

    @property
    def queries(self) -> Mapping[tuple[str, str, str], int]:
        """Queries."""

    @property
    def answers(self) -> Mapping[tuple[str, str], int]:
        """Answers."""

    @property
    def sizes(self) -> Mapping[str, Distribution]:
        """Octets of answers."""

    @property
    def latency(self) -> Mapping[str, Distribution]:
        """Seconds to an answer."""

    @property
    def answer_octets(self) -> Mapping[tuple[str, str], int]:
        """Octets of all answers together."""

    @property
    def counters(self) -> Mapping[str, int | float]:
        """Counters by their names on the scoreboard."""

    @property
    def lua_zones(self) -> Mapping[str, Mapping[str, int | float]]:
        """Of LUA records, by zone."""


@dataclass(frozen=True, slots=True)
class Counted:
    """`Totals`, each empty where nothing is known of it."""

    queries: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    answers: Mapping[tuple[str, str], int] = field(default_factory=dict)
    sizes: Mapping[str, Histogram] = field(default_factory=dict)
    latency: Mapping[str, Histogram] = field(default_factory=dict)
    answer_octets: Mapping[tuple[str, str], int] = field(default_factory=dict)
    counters: Mapping[str, int | float] = field(default_factory=dict)
    lua_zones: Mapping[str, Mapping[str, int | float]] = field(default_factory=dict)


def counted(counters: Mapping[str, int]) -> Counted:
    """What the counters of the scoreboard say, summed over workers."""
    queries = {
        (transport, "", ""): counters[f"queries_{transport}"]
        for transport in ("udp", "tcp")
        if f"queries_{transport}" in counters
    }
    servfail = counters.get("servfail")
    answers = {} if servfail is None else {("", "SERVFAIL"): servfail}
    return Counted(queries=queries, answers=answers, counters=counters)

"""What all workers have counted since the server began, those included that have died.

It is read from shared memory, without a word to any worker and without a lock: each number was
true at the last heartbeat of the worker that wrote it, and none ever falls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from time import monotonic
from typing import Final

from lzc.serve.ipc import traffic
from lzc.serve.ipc.scoreboard import COUNTERS, Slot
from lzc.serve.ipc.traffic import OTHER
from lzc.serve.ipc.zone_table import NOTHING, ZoneNumbers
from lzc.wire import name as wire_name

SHOWN: Final = 200
"""Zones that are shown apart."""
_AT_ONCE: Final = 32
RANKED: Final = 60.0
"""Seconds after which it is seen anew which zones are the busiest."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something was measured. ``counts`` of those up to each of ``bounds``, which
    includes the bound, and not to the one before; the last one, of which there is one more, is of
    those beyond. ``sum`` of all that was measured."""

    bounds: tuple[float, ...]
    counts: tuple[int, ...]
    sum: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all workers. Transports are ``udp``, ``tcp`` and ``tls``, families ``4`` and ``6``.

    ``queries`` by transport, family and mnemonic of the QTYPE, `OTHER` for rare ones; ``answers``
    by transport and mnemonic of the RCODE; ``sizes`` by transport, octets of an answer;
    ``latency`` by transport, seconds from reading a query to handing over its answer;
    ``answer_octets`` by transport and family. ``counters`` are those of
    `lzc.serve.ipc.scoreboard.COUNTERS`. ``lua_zones``, by apex, has the numbers of
    `lzc.serve.ipc.zone_table.ZoneNumbers` of the busiest zones, and of all others together as
    `OTHER`.
    """

    queries: Mapping[tuple[str, str, str], int]
    answers: Mapping[tuple[str, str], int]
    sizes: Mapping[str, Histogram]
    latency: Mapping[str, Histogram]
    answer_octets: Mapping[tuple[str, str], int]
    counters: Mapping[str, int]
    lua_zones: Mapping[str, Mapping[str, int]]


NOTHING_COUNTED: Final = Totals({}, {}, {}, {}, {}, {}, {})
"""Where nobody has looked yet."""


class TotalsReader:
    """Reads the slots of all workers, of which there may be more later. One for a server, however
    many ask, as it remembers which zones it shows."""

    def __init__(
        self, slots: Collection[Slot], shown: int = SHOWN, clock: Callable[[], float] = monotonic
    ) -> None:
        self._slots = slots
        self._zones = BusiestZones(shown, clock)

    def read(self, give_way: Callable[[], None] = lambda: None) -> Totals:
        """The totals of this moment; ``give_way`` is called every few zones."""
        slots = tuple(self._slots)
        words = [sum(column) for column in zip(*(one.traffic() for one in slots), strict=True)]
        counters = Counter(dict.fromkeys(COUNTERS, 0))
        zones: dict[bytes, ZoneNumbers] = {}
        others = NOTHING
        for slot in slots:
            counters.update(slot.counters())
            rows, more = slot.zones.read()
            others = others.plus(more)
            for number, (apex, numbers) in enumerate(rows.items()):
                if not number % _AT_ONCE:
                    give_way()
                before = zones.get(apex)
                zones[apex] = numbers if before is None else before.plus(numbers)
        return Totals(
            queries=traffic.queries(words),
            answers=traffic.answers(words),
            sizes={
                one: Histogram(traffic.SIZES, tuple(counts), octets)
                for one, (counts, octets) in traffic.sizes(words).items()
            },
            latency={
                one: Histogram(traffic.LATENCIES, tuple(counts), nanoseconds / 1e9)
                for one, (counts, nanoseconds) in traffic.latency(words).items()
            },
            answer_octets=traffic.answer_octets(words),
            counters=dict(counters),
            lua_zones={
                name: numbers._asdict()
                for name, numbers in self._zones.show(zones, others, give_way).items()
            },
        )


class BusiestZones:
    """Shows ``most`` zones apart, and the others together, so that no number falls: what a zone has
    done before it is shown, or while it is no longer, stays with the others."""

    def __init__(self, most: int, clock: Callable[[], float]) -> None:
        self._most = most
        self._clock = clock
        self._seen: dict[bytes, ZoneNumbers] = {}
        self._shown: dict[bytes, ZoneNumbers] = {}
        self._others = self._others_seen = NOTHING
        self._lately: Counter[bytes] = Counter()
        self._ranked = clock()

    def show(
        self,
        zones: Mapping[bytes, ZoneNumbers],
        others: ZoneNumbers,
        give_way: Callable[[], None] = lambda: None,
    ) -> dict[str, ZoneNumbers]:
        """What is shown by name, given all there is to be known, and what has no zone."""
        seen = self._seen
        fresh = {
            apex: now.less(seen.get(apex, NOTHING))
            for apex, now in zones.items()
            if now != seen.get(apex)
        }
        for apex, more in fresh.items():
            self._lately[apex] += more.executions
        self._choose(zones)
        for number, (apex, more) in enumerate(fresh.items()):
            if not number % _AT_ONCE:
                give_way()
            if apex in self._shown:
                self._shown[apex] = self._shown[apex].plus(more)
            else:
                self._others = self._others.plus(more)
        self._others = self._others.plus(others.less(self._others_seen))
        self._others_seen = others
        self._seen = dict(zones)
        found = {
            wire_name.to_text(apex): numbers._replace(most=zones[apex].most)
            for apex, numbers in self._shown.items()
        }
        hidden = [now.most for apex, now in zones.items() if apex not in self._shown]
        return found | {OTHER: self._others._replace(most=max((others.most, *hidden)))}

    def _choose(self, zones: Iterable[bytes]) -> None:
        """Which zones are shown from now on."""
        room = self._most - len(self._shown)
        new = [apex for apex in zones if apex not in self._shown]
        if len(new) <= room:
            self._shown |= dict.fromkeys(new, NOTHING)
            return
        now = self._clock()
        if room <= 0 and now - self._ranked < RANKED:
            return
        busiest = [apex for apex, _ in self._lately.most_common(self._most)]
        ranking = dict.fromkeys([*busiest, *self._shown])
        self._shown = {apex: self._shown.get(apex, NOTHING) for apex in islice(ranking, self._most)}
        self._lately.clear()
        self._ranked = now

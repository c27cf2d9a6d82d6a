"""The numbers at the top of the status page, with the last hour of most."""

from __future__ import annotations

import math
from typing import NamedTuple

from lzc.serve.observe.status.known import SOON, Known
from lzc.serve.observe.status.rate_history import Minute
from lzc.serve.observe.status.sparkline import Line, line_of
from lzc.serve.observe.status.summary import MANY_FAIL, Level
from lzc.serve.observe.status.words import count, lasting, many, rate, share


class Tile(NamedTuple):
    """A number at the top: what it is, its value, a word more, and the last hour of it."""

    title: str
    value: str
    more: str
    section: str
    level: Level | None = None
    line: Line | None = None


def tiles(known: Known) -> list[Tile]:
    """All of them, in their order."""
    seen, lately = known.seen, known.lately
    minutes = [*known.rates.minutes(), known.running]

    def line(name: str) -> Line:
        return line_of([one.rate(name) if one.seconds else None for one in minutes])

    asked_cache = lately.cache_hits + lately.cache_misses
    counts = seen.health.counts
    down = counts.get("down", 0)
    notified = [one for one in seen.secondaries if one.notified]
    well = [
        one
        for one in notified
        if one.silent is None and not any(z.lag or z.ahead for z in one.zones)
    ]
    first_end = min(seen.ends.values(), default=math.inf)
    left = first_end - seen.now
    over = f"over the last {lasting(lately.seconds)}"
    queries = line("queries")
    failed = lately.queries and lately.servfail / lately.queries >= MANY_FAIL
    return [
        Tile(
            "Queries",
            f"{rate(lately.rate('queries'))}/s",
            f"{over}, {rate(queries.most)}/s at most",
            "rates",
            None,
            queries,
        ),
        Tile(
            "SERVFAIL",
            f"{rate(lately.rate('servfail'))}/s",
            f"{share(lately.servfail, lately.queries)} of answers",
            "rates",
            Level.FAILING if failed else None,
            line("servfail"),
        ),
        Tile(
            "From the cache",
            share(lately.cache_hits, asked_cache),
            over,
            "rates",
            None,
            line_of([_hits(one) for one in minutes]),
        ),
        Tile(
            "Checks down",
            f"{count(down)}",
            f"of {count(counts.get('checks', 0))}",
            "health",
            Level.AT_RISK if down else None,
            line_of([*known.health.down(), down]),
        ),
        Tile(
            "LUA runs",
            f"{rate(lately.rate('lua'))}/s",
            f"{rate(lately.rate('lua_errors'))}/s fail",
            "lua",
            Level.FAILING if lately.lua_errors else None,
            line("lua"),
        ),
        Tile(
            "Secondaries current",
            f"{len(well)} of {len(notified)}" if notified else "none",
            "of those that get NOTIFY",
            "secondaries",
            Level.AT_RISK if len(well) < len(notified) else None,
        ),
        Tile(
            "Next key ends",
            "never" if left == math.inf else f"in {lasting(left)}" if left > 0 else "ended",
            many(len(seen.ends), "zone") + " with an end",
            "keys",
            Level.FAILING if left <= 0 else Level.AT_RISK if left < SOON else None,
        ),
        Tile(
            "Zones",
            count(seen.bundle.zones),
            f"{count(sum(zone.signed for zone in seen.zones))} signed",
            "zones",
        ),
    ]


def _hits(minute: Minute) -> float | None:
    asked = minute.cache_hits + minute.cache_misses
    return minute.cache_hits / asked if asked else None

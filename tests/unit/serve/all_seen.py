"""A server of which everything is known, for what is about all metrics."""

from __future__ import annotations

from typing import Final

from lzc.serve.observe.seen import (
    BundleSeen,
    CheckSeen,
    GeoSeen,
    HealthSeen,
    ProcessSeen,
    SecondarySeen,
    Seen,
    ZoneSeen,
    ZoneThere,
)
from lzc.serve.observe.totals import Histogram, Totals

NOW: Final = 1_800_000_000.0


class Every(dict[str, int]):
    """Counts, among which is each that somebody asks for."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> int:
        return 3


def all_seen(pid: int, zones: int = 1, checks: int = 1, secondaries: int = 1) -> Seen:
    """With so many of each; ``pid`` is a process that runs."""
    names = [f"z{number}.example." for number in range(zones)]
    lags = [ZoneThere(name, 7, 0.0, False) for name in names]
    there = [
        SecondarySeen(f"ns{number}", f"192.0.2.{number}:53", True, None, lags)
        for number in range(secondaries)
    ]
    each = [
        CheckSeen(f"{number:08x}", f"192.0.2.1:{number}", "", number % 2 == 0, 0.001, NOW - 3, 2)
        for number in range(checks)
    ]
    counts = dict.fromkeys(("up", "down", "unknown", "changes", "runs", "unlisted"), 1)
    refused = dict.fromkeys(("unlisted_evicted", "unlisted_refused", "barred", "computed"), 1)
    return Seen(
        now=NOW,
        version="1",
        started_at=NOW - 60,
        bundle=BundleSeen("0123", NOW - 90, NOW - 60, zones),
        processes=[ProcessSeen("supervisor", pid, 0, True)],
        totals=Totals(
            queries={("udp", "4", "A"): 3, ("udp", "6", "A"): 1, ("tcp", "4", "A"): 2},
            answers={("udp", "NOERROR"): 4, ("tcp", "SERVFAIL"): 2},
            sizes={"udp": Histogram((512, 1232), (3, 1, 0), 700)},
            latency={"udp": Histogram((0.001, 0.01), (2, 1, 1), 0.5)},
            answer_octets={("udp", "4"): 700, ("tcp", "4"): 90},
            counters=Every(),
            lua_zones={names[0]: Every()},
        ),
        geo=[GeoSeen("geo.mmdb", NOW - 60, False)],
        zones=[ZoneSeen(name, 7, True, True, 1209600) for name in names],
        keys={names[0]: "warning"},
        ends=dict.fromkeys(names, NOW + 86400),
        held_zones=names[:1],
        health=HealthSeen(counts | refused, each, 2000, without_target=[(names[0], names[0], "A")]),
        secondaries=there,
        transfers={(name, one.name, "AXFR", "done"): 1 for name in names for one in there},
        refusals={("ns0", "AXFR", "address"): 1},
        tsig_failures={("ns0", "bad-time"): 1},
        notify={("ns0", "notify", "sent"): 1},
    )

"""A server of which everything is known, for what is about all metrics."""

from __future__ import annotations

from typing import Any, Final

from lzc.serve.observe.seen import (
    BundleSeen,
    CheckSeen,
    FormSeen,
    GeoSeen,
    HealthSeen,
    ProcessSeen,
    RecorderSeen,
    SecondarySeen,
    Snapshot,
    TlsSeen,
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


def all_seen(pid: int, zones: int = 1, checks: int = 1, secondaries: int = 1) -> Snapshot:
    """With so many of each; ``pid`` is a process that runs."""
    names = [f"z{number}.example." for number in range(zones)]
    lags = [ZoneThere(name, 7, 0.0, False, asked=NOW - 5) for name in names]
    there = [
        SecondarySeen(f"ns{number}", f"192.0.2.{number}:53", True, None, lags)
        for number in range(secondaries)
    ]
    each = [
        CheckSeen(f"{number:08x}", f"192.0.2.1:{number}", "", number % 2 == 0, 0.001, NOW - 3, 2)
        for number in range(checks)
    ]
    counts = dict.fromkeys(("checks", "up", "down", "unknown", "changes", "runs", "unlisted"), 1)
    refused = dict.fromkeys(("unlisted_evicted", "unlisted_refused", "barred", "computed"), 1)
    return Snapshot(
        now=NOW,
        version="1",
        started_at=NOW - 60,
        uptime=60.5,
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
        tls=TlsSeen("tls.pem", NOW + 86400, False),
        zones=[ZoneSeen(name, 7, True, True, 1209600) for name in names],
        keys={names[0]: "warning"},
        ends=dict.fromkeys(names, NOW + 86400),
        held_zones=names[:1],
        lua_limit=1000,
        health=HealthSeen(
            counts | refused,
            each,
            2000,
            oldest=NOW - 3,
            without_target=[(names[0], names[0], "A")],
        ),
        recorder=RecorderSeen(True, True, True, Every()),
        forms=[FormSeen(names[0], "flattened", "192.0.2.1", "live", 7, "no key")],
        secondaries=there,
        transfers={(name, one.name, "AXFR", "done"): 1 for name in names for one in there},
        refusals={("ns0", "AXFR", "address"): 1},
        tsig_failures={("ns0", "bad-time"): 1},
        notify={("ns0", "notify", "sent"): 1},
    )


def quiet_status() -> dict[str, Any]:
    """What ``lzc ctl status`` says, as far as the status page asks, where nothing is wrong."""
    return {
        "refused": None,
        "gone": False,
        "fallen": {"count": 0, "zones": [], "why": ""},
        "kept": {"count": 0, "left_out": 0, "zones": [], "rollback": ""},
        "checker": {"unsaved": ""},
        "geo": [],
        "tls": None,
        "settings": "",
        "keys": [],
        "tsig": [],
        "quarantine": [],
        "held_zones": [],
        "secondaries": [],
        "secondaries_unsaved": "",
        "strangers": [],
    }


def all_status(text: str = "it is so", at: float = NOW - 90) -> dict[str, Any]:
    """The same with something wrong everywhere, of which it says ``text``."""
    transfers = {
        "done": 3,
        "refused": {"no-key": 2},
        "last": {"zone": text, "serial": 7, "at": at - 1},
        "last_refusal": {"zone": text, "at": at, "reason": "no-key", "why": text},
        "hint": text,
    }
    states = [{"zone": "z0.example.", "error": text}]
    return {
        "refused": {"bundle": text, "why": text, "since": at, "at": at, "tries": 2},
        "fallen": {
            "count": 1,
            "zones": [{"zone": text, "serial": 1, "served_before": 2}],
            "why": text,
        },
        "gone": True,
        "kept": {
            "count": 2,
            "left_out": 1,
            "zones": [
                {"zone": text, "serial": 5, "why": text},
                {"zone": f"out.{text}", "serial": None, "why": text},
            ],
            "rollback": text,
        },
        "checker": {"unsaved": text},
        "geo": [{"path": text, "read": at, "error": text}],
        "tls": {
            "certificate": text,
            "names": [text],
            "pin": text,
            "expires": at,
            "late": True,
            "error": text,
            "listen": [text],
        },
        "settings": text,
        "keys": [
            {
                "zone": "z0.example.",
                "state": "warning",
                "workers": [],
                "place": text,
                "rule": "key",
                "problem": text,
                "fix": text,
            }
        ],
        "tsig": [{"key": text, "place": text, "rule": "tsig", "problem": text, "fix": text}],
        "quarantine": [{"code": "0", "name": text}],
        "held_zones": [text],
        "secondaries": [
            {
                "name": "ns0",
                "address": "192.0.2.0:53",
                "notify": True,
                "states": states,
                "transfers": transfers,
            },
            {"name": text, "address": text, "notify": False, "transfers": transfers},
        ],
        "secondaries_unsaved": text,
        "strangers": [{"address": text, **transfers}],
    }

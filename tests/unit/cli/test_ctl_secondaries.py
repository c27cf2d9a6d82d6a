"""What ``lzc ctl secondaries`` shows to people."""

from __future__ import annotations

import time
from typing import Any

import pytest

from lzc.cli.ctl.zones_there import lines

WELL: dict[str, Any] = {
    "zone": "example.org.",
    "serial": 7,
    "secondary_serial": 7,
    "current": True,
    "ahead": False,
    "error": "",
    "behind_for": None,
    "expires_in": None,
    "repeats": 0,
    "hint": "",
    "last": None,
    "last_refusal": None,
}
BEHIND = {
    **WELL,
    "secondary_serial": 6,
    "current": False,
    "behind_for": 7200.0,
    "error": "answered NXDOMAIN, unsigned, to NOTIFY: it has no such zone",
    "expires_in": 1202400.0,
}


def shown(*states: dict[str, Any], every: bool = False, left_out: int = 0) -> list[str]:
    one = {
        "name": "ns2",
        "address": "[2001:db8::2]:53",
        "notify": True,
        "silent": None,
        "zones": 3,
        "current": 2,
        "ahead": 0,
        "transfers": {"done": 0, "last": None, "refused": {}, "last_refusal": None, "hint": ""},
        "states": list(states),
        "left_out": left_out,
    }
    return lines({"secondaries": [one]}, every=every)


def test_what_is_wrong_with_a_zone_is_told_with_when_it_stops_answering() -> None:
    told = shown(BEHIND, WELL)
    assert told[0] == "secondary   ns2 ([2001:db8::2]:53): 2 of 3 zones current"
    assert told[2:] == [
        "  BEHIND    example.org. serial 7, it has 6, for 2 h",
        "            answered NXDOMAIN, unsigned, to NOTIFY: it has no such zone",
        "            stops answering for it in 14 d, unless it gets through",
        "            last transfer: none that is known of",
        "            and 1 zones with nothing wrong: --all lists them",
    ]


def test_the_last_transfer_is_told_with_all_that_it_took() -> None:
    last = {
        "serial": 7,
        "at": time.time() - 30,
        "kind": "IXFR",
        "transport": "tls",
        "seconds": 0.0123,
        "octets": 3 * 2**20,
        "records": 4,
    }
    told = shown({**WELL, "last": last}, every=True)
    assert told[2:] == [
        "  ok        example.org. serial 7",
        "            last transfer: serial 7, IXFR over TLS, 4 records, 3.0 MiB in 0.012 s,"
        " 30 s ago",
    ]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            {"ahead": True, "secondary_serial": 9, "current": False},
            "AHEAD     example.org. serial 7, it has 9,",
        ),
        ({"expires_in": -5.0}, "HAS STOPPED ANSWERING for it"),
        (
            {
                "repeats": 5,
                "hint": "it is full",
                "current": True,
                "last": {
                    "serial": 7,
                    "at": 0,
                    "kind": "AXFR",
                    "transport": "tcp",
                    "seconds": 0,
                    "octets": 5,
                    "records": 4,
                },
            },
            "takes serial 7 again and again, 5 times by now: it is full",
        ),
        (
            {"last_refusal": {"at": time.time(), "why": "its clock is 900 s ahead of ours"}},
            " ago: its clock is 900 s ahead of ours",
        ),
        ({"error": "a\x1b[2Jb"}, "a\\x1b[2Jb"),
    ],
)
def test_each_thing_that_is_wrong_is_told(more: dict[str, Any], said: str) -> None:
    assert any(said in line for line in shown({**BEHIND, **more}))


def test_zones_that_are_not_listed_are_counted() -> None:
    assert shown(left_out=300)[-1].strip() == "and 300 more zones: ask with --zone"
    assert lines({"secondaries": []}, every=True) == ["no secondary is configured"]


def test_when_it_asked_last_is_told_where_it_did() -> None:
    told = shown({**WELL, "asked": time.time() - 200}, every=True)
    assert told[-1] == "            asked 3 min ago whether it changed"
    for none in (WELL, {**WELL, "asked": None}):
        assert not any("asked" in line for line in shown(none, every=True))

"""The status page as a document: what it says, in which order, how much of it, and that what others
wrote stays text."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from lzc.serve.ipc.health_table import DOWN, DRAIN, MOST_NAMED, UP, Health
from lzc.serve.observe.process import use_of
from lzc.serve.observe.seen import (
    CheckSeen,
    ProcessSeen,
    RecordSeen,
    SecondarySeen,
    Snapshot,
    ZoneSeen,
    ZoneThere,
)
from lzc.serve.observe.status.health_history import HealthHistory
from lzc.serve.observe.status.known import Known
from lzc.serve.observe.status.page import StatusPage
from lzc.serve.observe.status.rate_history import Minute
from lzc.serve.observe.status.request import FIRST, ON_A_PAGE, PATHS, Asked, asked_of
from lzc.serve.observe.status.words import count, lasting, octets, rate, share
from tests.unit.serve.all_seen import NOW, all_seen, all_status, quiet_status
from tests.unit.serve.status_html import Element, problems, read, rows

PAGE = StatusPage()
HOSTILE = "\"'><script>alert(1)</script><img src=x>\x1b[31m\u202e\x00{{7*7}}&amp;\n"


def shown(known: Known, asked: Asked | None = None, told: Any = None) -> Element:
    used = {one.name: use_of(os.getpid()) for one in known.seen.processes}
    there = {name: use for name, use in used.items() if use is not None}
    return read(PAGE.make(known, asked or Asked(), told, there))


def well(**changes: Any) -> Snapshot:
    """A server with which nothing is wrong."""
    seen = all_seen(os.getpid())
    counts = dict.fromkeys(seen.health.counts, 0) | {"checks": 1, "up": 1, "unlisted": 0}
    up = CheckSeen("00000000", "192.0.2.1:1", "", True, 0.001, NOW - 3, 0, b"k" * 16, NOW - 60)
    health = replace(seen.health, counts=counts, checks=[up], without_target=[])
    rest: dict[str, Any] = {
        "health": health,
        "keys": {},
        "ends": {},
        "held_zones": [],
        "secondaries": [],
        "refusals": {},
        "tsig_failures": {},
    }
    return replace(seen, **{**rest, **changes})


def known(seen: Snapshot | None = None, **status: Any) -> Known:
    return Known(seen or well(), {**quiet_status(), **status}, host="ns1")


def with_checks(checks: list[CheckSeen], records: list[RecordSeen] | None = None) -> Snapshot:
    seen = well()
    down = sum(check.up is False for check in checks)
    counts = {**seen.health.counts, "checks": len(checks), "down": down, "up": len(checks) - down}
    health = replace(seen.health, checks=checks, counts=counts, records=records or ())
    return replace(seen, health=health)


def check(number: int, up: bool | None = True, **more: Any) -> CheckSeen:
    key = number.to_bytes(16)
    made = CheckSeen(f"{number:08x}", f"192.0.2.1:{number}", "", up, 0.001, NOW - 3, 0, key)
    return made._replace(**{"since": NOW - 60 - number, **more})


def test_where_nothing_is_wrong_it_says_so() -> None:
    document = shown(known())
    assert document.one("h1").text == "✓ All is well"
    assert problems(document) == []
    assert document.one("head").one("title").text == "All is well – ns1 – lzc"


def all_wrong(text: str = "it is so") -> Known:
    seen = all_seen(os.getpid(), zones=3, checks=4, secondaries=2)
    late = [
        SecondarySeen(
            "ns0", "192.0.2.0:53", True, 9e6, [ZoneThere("z0.example.", None, 9e6, False)]
        )
    ]
    health = replace(seen.health, unsaved=True)
    seen = replace(seen, secondaries=late, health=health, secondaries_unsaved=True)
    return Known(seen, all_status(text), running=Minute(10.0, 100, 1, 1, 5, 10, 5), host=text)


def test_the_worst_comes_first_and_all_is_told() -> None:
    document = shown(all_wrong())
    found = problems(document)
    order = ["failing", "at risk", "note"]
    assert [order.index(level) for level, _ in found] == sorted(
        order.index(level) for level, _ in found
    )
    failing = sum(level == "failing" for level, _ in found)
    risk = sum(level == "at risk" for level, _ in found)
    assert document.one("h1").text == f"✕ {failing} failing, {risk} at risk"
    whole = "\n".join(what for _, what in found)
    for part in (
        "1 LUA record without any target that is up",
        "code of 1 LUA record is not run, as it stopped a worker",
        "1 zone with code held back",
        "left out of the bundle, as the source failed: out.it is so",
        "5 % of the answers of the last 10 s are SERVFAIL",
        "LUA records fail, 0.5 times a second",
        "secondary ns0 may have dropped 1 zone: z0.example.",
        "bundle it is so is refused for 90 s",
        "nothing is live: what was is served, and the next start would fail",
        "1 zone kept as before, as the source failed: it is so",
        "serials fell: it is so",
        "lzc.toml: it is so",
        "geo database it is so is stale",
        "keys of 3 zones end soon, the first in 24 h",
        "no transfer and no NOTIFY with TSIG key it is so",
        "1 of 1 health check down",
        "health cannot be saved: it is so",
        "what is known of secondaries cannot be saved: it is so",
        "secondary ns0 has not answered for 104 d",
        "secondary ns0 was refused it is so 90 s ago",
        "1 zone with a warning about keys: z0.example.",
        "1 stranger asked for zones in vain",
        "2 health checks not made, for where they would lead",
        "(rollback)",
    ):
        assert part in whole


def test_zones_that_failed_are_counted_though_some_alone_are_named() -> None:
    """Status names twenty, whichever they are."""
    named = [{"zone": f"z{number}.", "serial": None, "why": ""} for number in range(20)]
    kept = {"count": 35, "left_out": 30, "zones": named, "rollback": ""}
    found = problems(shown(Known(well(), quiet_status() | {"kept": kept})))
    assert found[:2] == [
        (
            "failing",
            "30 zones left out of the bundle, as the source failed: z0., z1., z2. and 27 more",
        ),
        ("at risk", "5 zones kept as before, as the source failed"),
    ]


@pytest.mark.parametrize(
    ("seen", "level", "what"),
    [
        (
            {"processes": [ProcessSeen("worker-0", 7, 0, False)]},
            "failing",
            "no worker answers queries",
        ),
        (
            {"processes": [ProcessSeen(f"worker-{n}", 7, 0, n > 0) for n in (0, 1)]},
            "at risk",
            "1 of 2 workers do not answer: worker-0",
        ),
        (
            {"processes": [ProcessSeen("checker", 0, 0, False)]},
            "at risk",
            "the health checker does not run",
        ),
        ({"ends": {"a.example.": NOW - 5}}, "failing", "keys of 1 zone have ended"),
        ({"keys": {"a.example.": "servfail"}}, "failing", "1 zone answered with SERVFAIL"),
        ({"keys": {"a.example.": "at risk"}}, "at risk", "until a worker starts again"),
        ({"ends": {"a.example.": NOW + 30 * 86400}}, "", ""),
        (
            {
                "secondaries": [
                    SecondarySeen("ns0", "a", True, None, [ZoneThere("a.example.", 9, 0, True)])
                ]
            },
            "",
            "",
        ),
    ],
)
def test_each_state_has_its_level(seen: dict[str, Any], level: str, what: str) -> None:
    found = problems(shown(known(well(**seen))))
    assert [one for one, _ in found] == ([level] if level else [])
    assert all(what in said for _, said in found)


def test_checks_that_went_down_last_come_first_then_the_unknown_the_forced_and_the_restless() -> (
    None
):
    checks = [
        check(1),
        check(2, False, since=NOW - 5000),
        check(3, None),
        check(4, False, since=NOW - 50),
        check(5, False, forced=DRAIN, found=UP),
        check(6),
        check(7, forced=1, found=DOWN),
    ]
    history = HealthHistory()
    history.follow(one.key for one in checks)
    history.note([Health(UP, changes=one == check(6).key) for one in history.keys], NOW - 60)
    made = Known(with_checks(checks), quiet_status(), health=history)
    found = rows(shown(made), "health")
    assert [row[0].partition(" ")[0][-1] for row in found] == ["4", "2", "5", "3", "7", "6", "1"]
    assert found[2][1].startswith("○ drained for 65 s; drain by hand, checks find it up")
    assert found[5][2] == "2 min up, 1 change"


def test_of_a_check_it_says_why_it_is_down_and_which_records_use_it() -> None:
    records = [RecordSeen("a.example.", f"w{n}.a.example.", "A", (check(1).key,)) for n in range(4)]
    told = {
        check(1).key: {
            "check": "http://x/ at 192.0.2.1",
            "error": "it <said> no\x07",
            "weight": 3,
            "forced_for": None,
        }
    }
    made = known(with_checks([check(1, False)], records))
    ((target, state, *_),) = rows(shown(made, told=told), "health")
    assert target == (
        "http://x/ at 192.0.2.1 00000001 for w0.a.example. A, w1.a.example. A and 2 more"
    )
    assert state == r"✕ down for 61 s; weight 3; it <said> no\x07"
    document = shown(made, told=None)
    assert "the checker tells none" in document.one("section", id="health").text


def test_a_check_without_a_result_for_long_is_late() -> None:
    seen = with_checks(
        [check(1, checked_at=NOW - 100), check(2, checked_at=NOW - 100, interval=60)]
    )
    seen = replace(seen, health=replace(seen.health, interval=5))
    found = {row[0].partition(" ")[0][-1]: row[4] for row in rows(shown(known(seen)), "health")}
    assert found == {"1": "▲ 100 s ago late", "2": "100 s ago"}
    assert ("at risk", "1 health check without a result for long lzc ctl health") in problems(
        shown(known(seen))
    )


def test_all_that_others_wrote_stays_text() -> None:
    seen = all_seen(os.getpid())
    text = HOSTILE
    seen = replace(
        seen,
        version=text,
        bundle=replace(seen.bundle, id=text),
        zones=[ZoneSeen(text, 7, True, True, 5)],
        keys={text: "servfail"},
        ends={text: NOW + 5},
        held_zones=[text],
        secondaries=[SecondarySeen(text, text, True, 5.0, [ZoneThere(text, 7, 5.0, False)])],
        refusals={(text, "AXFR", text): 1},
        notify={(text, "notify", "refused"): 1},
        health=replace(
            seen.health,
            checks=[check(1, False, target=text, url=text)],
            records=[RecordSeen(text, text, text, (check(1).key,))],
            without_target=[(text, text, text)],
        ),
    )
    status = all_status(text)
    status["secondaries"][1]["notify"] = True
    made = Known(seen, status, host=text)
    told = {check(1).key: {"check": text, "error": text, "weight": 2, "forced_for": None}}
    for section in PATHS.values():
        page = PAGE.make(made, Asked(section, check=""), told, {})
        # What somebody asked for is in the page, too.
        echoed = PAGE.make(made, Asked(section, zone=text, check=text), told, {})
        for whole in (page, echoed):
            document = read(whole)
            assert not list(document.all("script"))
            assert not list(document.all("img"))
            assert b"<script" not in whole
            assert b"\x1b" not in whole
            assert b"\x00" not in whole
            assert "\u202e" not in whole.decode()
            assert ("{{7*7}}" in document.text) == (b"script" in whole)
    assert "alert(1)" in shown(made).text


def test_nothing_is_a_script_a_style_of_its_own_or_loaded_from_elsewhere() -> None:
    page = PAGE.make(all_wrong(), Asked(), {}, {})
    document = read(page)
    style = document.one("style")
    digest = base64.b64encode(hashlib.sha256(style.children[0].encode()).digest()).decode()  # type: ignore[union-attr]
    assert f"style-src 'sha256-{digest}'" in PAGE.policy
    assert "default-src 'none'" in PAGE.policy
    for element in document.all():
        assert element.tag not in {"script", "iframe", "object", "embed", "img", "base"}
        assert "style" not in element.attributes
        assert not [name for name in element.attributes if name.startswith("on")]
        for name in ("src", "href", "action"):
            where = element.attributes.get(name, "/")
            assert where[0] in "/#" or where.startswith("data:image/svg+xml,"), where
            assert not where.startswith("//")
    assert b"url(" not in page
    assert b"@import" not in page


@pytest.mark.parametrize("section", PATHS.values())
def test_it_is_read_by_keyboard_and_by_ear(section: str) -> None:
    document = shown(all_wrong(), Asked(section))
    assert document.one("html").attributes["lang"] == "en"
    ids = [one.attributes["id"] for one in document.all() if "id" in one.attributes]
    assert len(ids) == len(set(ids))
    assert len(list(document.all("h1"))) == 1
    body = document.one("body")
    first = next(one for one in body.children if isinstance(one, Element))
    assert (first.tag, first.attributes["href"]) == ("a", "#main")
    assert first.text
    for element in document.all():
        assert int(element.attributes.get("tabindex", "0")) <= 0
        if "aria-labelledby" in element.attributes:
            assert element.attributes["aria-labelledby"] in ids
        if element.tag == "a":
            assert element.text, "a link says where it leads"
            assert element.attributes["href"]
        if element.tag == "svg":
            assert element.attributes.get("aria-hidden") or element.attributes["aria-label"]
    for link in document.all("a"):
        path, hash_, place = link.attributes["href"].partition("#")
        if hash_ and not path:
            assert place in ids
    for label in document.all("label"):
        assert label.one("input")
    visible = [one for one in document.all("input") if one.attributes["type"] != "hidden"]
    assert len(visible) == len(list(document.all("label")))
    for table in document.all("table"):
        assert table.one("caption").text
        heads = [one for one in table.all("th") if one.attributes["scope"] == "col"]
        for row in table.one("tbody").all("tr"):
            assert next(row.all("th")).attributes["scope"] == "row"
            assert len(list(row.all("td"))) == len(heads) - 1
            labels = [one.attributes["data-label"] for one in row.all("td")]
            assert labels == [one.text for one in heads][1:]
    # A state is a sign and a word, not just a colour.
    for state in document.all("span", class_="state"):
        sign, _, word = state.text.partition(" ")
        assert sign in "✕▲○✓"
        assert word


def big() -> Known:
    zones = [ZoneSeen(f"z{n:04}.example.", n, False, True, 5, 10) for n in range(1000)]
    checks = [check(n, n % 7 > 0) for n in range(10_000)]
    records = [
        RecordSeen(zones[n // 10].name, f"w{n % 10}.{zones[n // 10].name}", "A", (checks[n].key,))
        for n in range(10_000)
    ]
    there = [ZoneThere(zone.name, 0, 5.0, False) for zone in zones]
    seen = replace(
        with_checks(checks, records),
        zones=zones,
        ends={zone.name: NOW + 86400 * 10 + n for n, zone in enumerate(zones)},
        secondaries=[SecondarySeen(f"ns{n}", f"192.0.2.{n}:53", True, None, there) for n in (1, 2)],
    )
    transfers = {"done": 0, "refused": {}, "last": None, "last_refusal": None, "hint": ""}
    status = [
        {"name": one.name, "address": one.address, "states": [], "transfers": transfers}
        for one in seen.secondaries
    ]
    return known(seen, secondaries=status)


def test_however_much_there_is_a_page_stays_small() -> None:
    made = big()
    page = PAGE.make(made, Asked(), {}, {})
    assert len(page) < 100_000
    document = read(page)
    assert {len(rows(document, one)) for one in ("health", "zones", "keys", "secondaries")} == {
        FIRST
    }
    for section in PATHS.values():
        assert len(PAGE.make(made, Asked(section, page=2), {}, {})) < 200_000
    assert len(PAGE.checks(made, Asked("health"))) == ON_A_PAGE
    assert PAGE.checks(made, Asked("zones")) == []
    assert max(ON_A_PAGE, FIRST) <= MOST_NAMED


@pytest.mark.parametrize(
    ("section", "total"),
    [("health", 10_000), ("zones", 1000), ("keys", 1000), ("secondaries", 2002)],
)
def test_pages_have_all_there_is_once(section: str, total: int) -> None:
    made, asked = big(), Asked(section)
    found: list[str] = []
    while True:
        document = shown(made, asked)
        found += [" ".join(row[:1]) for row in rows(document, section)]
        more = list(document.all("a", rel="next"))
        if not more:
            break
        path, _, query = more[0].attributes["href"].partition("?")
        asked = asked_of(path, dict(one.split("=") for one in query.split("&")))
    assert len(found) == len(set(found)) == total


def test_a_page_behind_the_last_one_is_the_last_one() -> None:
    document = shown(big(), Asked("zones", page=9999))
    assert document.one("nav", aria_label="Pages of Zones").text.startswith("901 to 1,000 of 1,000")


def test_what_is_asked_for_is_all_there_is_and_stays_so_in_links() -> None:
    made = big()
    document = shown(made, Asked(zone="z0042.example", refresh=10))
    assert [row[0] for row in rows(document, "zones")] == ["z0042.example."]
    assert [row[0] for row in rows(document, "keys")] == ["z0042.example."]
    assert len(rows(document, "health")) == 10
    there = [row[0] for row in rows(document, "secondaries")]
    assert there[2:] == ["z0042.example. at ns1", "z0042.example. at ns2"]
    links = [one.attributes["href"] for one in document.one("header").all("a")]
    assert links == [
        "/?refresh=10",
        *(
            f"{path}?zone=z0042.example&refresh=10"
            for path in ("/", "/health", "/zones", "/keys", "/secondaries", "/lua", "/refused")
        ),
    ]
    (found,) = rows(shown(made, Asked("health", check="192.0.2.1:9999")), "health")
    assert found[0].startswith("192.0.2.1:9999")
    assert shown(made, Asked("zones", zone="nowhere")).one("p", class_="empty").text


def test_it_loads_itself_again_only_where_that_was_chosen() -> None:
    made = known()
    assert not list(shown(made).all("meta", http_equiv="refresh"))
    assert (
        shown(made, Asked(refresh=10)).one("meta", http_equiv="refresh").attributes["content"]
        == "10"
    )


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ({}, Asked("zones")),
        ({"zone": " A.Example. "}, Asked("zones", zone="a.example.")),
        ({"zone": "x" * 1000}, Asked("zones", zone="x" * 255)),
        ({"page": "3", "refresh": "10"}, Asked("zones", page=3, refresh=10)),
        ({"page": "0", "refresh": "1"}, Asked("zones")),
        ({"page": "-1", "refresh": "99999999999"}, Asked("zones")),
        ({"page": "²", "refresh": "1e3"}, Asked("zones")),
        ({"other": "x"}, Asked("zones")),
    ],
)
def test_parameters_that_make_no_sense_are_as_if_not_there(
    query: Mapping[str, str], asked: Asked
) -> None:
    assert asked_of("/zones", query) == asked


def test_numbers_are_said_in_words() -> None:
    assert [lasting(one) for one in (-1, 0, 119, 120, 7199, 7200, 172800)] == [
        *("0 s", "0 s", "119 s", "2 min", "119 min", "2 h", "2 d"),
    ]
    assert [rate(one) for one in (0, 0.0123, 0.5, 1.25, 99.99, 12345)] == [
        *("0", "0.012", "0.5", "1.2", "100.0", "12,345"),
    ]
    assert [share(*one) for one in ((0, 0), (0, 5), (5, 5), (1, 3), (1, 1e6), (999999, 1e6))] == [
        *("–", "0 %", "100 %", "33.3 %", "< 0.1 %", "> 99.9 %"),
    ]
    assert [octets(one) for one in (0, 1023, 1536, 20 * 2**20, 5 * 2**40)] == [
        *("0 B", "1023 B", "1.5 KiB", "20 MiB", "5120 GiB"),
    ]
    assert count(1234567) == "1,234,567"

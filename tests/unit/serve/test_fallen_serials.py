"""Serials that are lower than what was served before."""

from __future__ import annotations

import logging

import pytest

from lzc.serve.supervise.fallen_serials import SHOWN, FallenSerials

ORG = b"\x07example\x03org\x00"
COM = b"\x07example\x03com\x00"
TOP = 2**32 - 1


def _taken(*bundles: dict[bytes, int]) -> FallenSerials:
    fallen = FallenSerials()
    for number, serials in enumerate(bundles):
        fallen.take(f"bundle{number}", serials)
    return fallen


def test_what_rises_or_stays_is_nothing_to_tell(caplog: pytest.LogCaptureFixture) -> None:
    for bundles in ([{ORG: 7}], [{ORG: 7}, {ORG: 7}], [{ORG: 7}, {ORG: 8}], [{ORG: TOP}, {ORG: 3}]):
        assert _taken(*bundles).status() == {"count": 0, "zones": [], "why": ""}
    assert not caplog.records


def test_the_greatest_that_was_served_counts_though_the_zone_was_gone_meanwhile() -> None:
    status = _taken({ORG: 9}, {COM: 1}, {ORG: 7, COM: 1}, {ORG: 8, COM: 1}).status()
    assert status["zones"] == [{"zone": "example.org.", "serial": 8, "served_before": 9}]


def test_one_line_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "lzc"):
        fallen = _taken({ORG: 9, COM: 9}, {ORG: 7, COM: 8}, {ORG: 7, COM: 8})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    said = record.getMessage()
    assert said.startswith("SERIALS FELL with bundle bundle1: 2 zones, such as example.com. with 8")
    fallen.take("bundle3", {ORG: 10, COM: 10})
    assert fallen.status()["count"] == 0


def test_status_lists_all_of_many_and_a_reload_some() -> None:
    names = [b"\x05z%04d\x00" % number for number in range(100)]
    fallen = _taken(dict.fromkeys(names, 9), dict.fromkeys(names, 8))
    status = fallen.status()
    assert fallen.count == status["count"] == len(status["zones"]) == 100
    some = fallen.status(SHOWN)
    assert (some["count"], some["zones"]) == (100, status["zones"][:SHOWN])

"""What the supervisor says of the keys of zones, from reports of workers and of the keystore."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, Place
from lzc.serve.supervise.key_watch import TOLD, KeyReport, KeyWatch
from lzc.serve.worker.worker import LISTED, describe_out
from lzc.wire import name as wire_name

ZONE = "shop.example."
FAULT = Fault(Place("keys"), "key-missing", "its key is not here", fix="copy it here")
OUT = {"out": describe_out({wire_name.from_text(ZONE, wire_name.ROOT): (FAULT,)})}


def test_a_zone_that_a_worker_serves_again_is_not_at_risk(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Given a report made while its key was missing, which is older than what the worker read."""
    caplog.set_level(logging.WARNING)
    watch = KeyWatch(Keystore(tmp_path), tmp_path)
    watch.heard(0, OUT)
    watch.take(KeyReport(errors={ZONE: (FAULT,)}))
    assert [one["state"] for one in watch.status()] == ["servfail"]
    watch.heard(0, {"out": []})
    assert watch.status() == []
    assert "AT RISK" not in caplog.text
    assert caplog.messages[-1] == f"zone {ZONE}: its keys are as they should be again"


def test_a_zone_that_another_worker_does_not_serve_is_still_out(tmp_path: Path) -> None:
    watch = KeyWatch(Keystore(tmp_path), tmp_path)
    for worker in (0, 1):
        watch.heard(worker, OUT)
    watch.heard(0, {"out": []})
    assert [(one["state"], one["workers"]) for one in watch.status()] == [("servfail", [1])]


def test_keys_that_go_while_workers_have_them_are_a_risk(tmp_path: Path) -> None:
    watch = KeyWatch(Keystore(tmp_path), tmp_path)
    watch.heard(0, {"out": []})
    watch.take(KeyReport(errors={ZONE: (FAULT,)}))
    assert [one["state"] for one in watch.status()] == ["at risk"]


def test_of_very_many_zones_each_is_out_of_service_and_of_some_it_is_said_why(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"z{number}.example." for number in range(LISTED + 500)]
    wires = [wire_name.from_text(name, wire_name.ROOT) for name in names]
    watch = KeyWatch(Keystore(tmp_path), tmp_path)
    # A worker tries them in turns, and another is the first then.
    for turn in (0, 700):
        out = dict.fromkeys([*wires[turn:], *wires[:turn]], (FAULT,))
        watch.heard(0, {"out": describe_out(out)})
        assert watch.states() == dict.fromkeys(names, "servfail")
        assert len(watch.status()) == LISTED
    assert sum("OUT OF SERVICE" in one for one in caplog.messages) == 2 * TOLD
    watch.take(KeyReport(errors=dict.fromkeys(names, (FAULT,))))
    assert watch.states() == dict.fromkeys(names, "servfail")
    caplog.clear()
    watch.heard(0, {"out": []})
    assert len(caplog.messages) == TOLD + 1
    assert caplog.messages[-1] == f"so are those of {len(names) - TOLD} more zones"

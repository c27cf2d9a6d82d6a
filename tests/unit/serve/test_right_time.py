"""A clock that is before the bundle was built: what is signed by it would be bogus."""

from __future__ import annotations

import os
import time
from pathlib import Path

import dns.rcode

from lzc.bundle import current
from lzc.bundle.manifest import MANIFEST
from lzc.bundle.reader import Bundle
from lzc.dnssec.keystore.keystore import Keystore
from lzc.dnssec.signing.cache import SignatureCache
from lzc.serve.worker import right_time
from lzc.serve.worker.keyring import Signers
from lzc.wire.name import from_text
from tests.unit.live_server import LiveServer, Project
from tests.unit.serve.test_metrics import served

ZONES = {"signed.example.": "www A 192.0.2.1\n", "plain.example.": "www A 192.0.2.2\n"}
SIGNED = from_text("signed.example.")
DAY = 86400


def dated(folder: Path, days: float) -> float:
    """Have a bundle built so many days from now; the time."""
    moment = time.time() + days * DAY
    os.utime(folder / MANIFEST, (moment, moment))
    return moment


def test_a_bundle_is_not_served_more_than_a_day_before_it_was_built(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(ZONES, signed=["signed.example."])
    folder = current.live(project.output)
    moment = dated(folder, 0)
    assert right_time.earliest(folder) == moment - DAY
    assert right_time.earliest(tmp_path) == 0


def test_zones_go_out_of_service_with_the_clock_and_come_back(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(ZONES, signed=["signed.example."])
    now = time.time()
    clock = [now]
    with Bundle.open(current.live(project.output)) as bundle:
        signers = Signers(
            bundle,
            Keystore(tmp_path / "keys"),
            SignatureCache(),
            clock=lambda: clock[0],
            not_before=now - DAY,
        )
        for info in bundle.zones():
            signers.load(info)
        assert signers.get(SIGNED) is not None
        clock[0] = now - DAY - 1
        assert signers.look(clock[0]) == {SIGNED}
        (fault,) = signers.out[SIGNED]
        assert fault.rule == right_time.RULE
        assert signers.get(SIGNED) is None
        assert signers.retry(clock[0]) == set()
        clock[0] = now
        assert signers.retry(clock[0]) == {SIGNED}
        assert signers.out == {}
        assert signers.get(SIGNED) is not None


def test_a_server_whose_clock_is_behind_says_so(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.build(ZONES, signed=["signed.example."])
    dated(current.live(project.output), 2)
    with LiveServer(project) as server:
        assert server.ask("www.signed.example").rcode() == dns.rcode.SERVFAIL
        assert server.answers("www.plain.example") == ["192.0.2.2"]
        server.wait_for(lambda: server.logged("zone signed.example. is not signed, as the clock"))
        assert server.logged("ZONE OUT OF SERVICE")
        (told,) = server.control("status")["keys"]
        assert (told["zone"], told["rule"]) == ("signed.example.", "clock-wrong")


def test_it_is_not_ready_either(tmp_path: Path) -> None:
    """Given that the bundle is dated anew before the workers open it."""
    with served(tmp_path) as made:
        assert made.metrics.get("/ready")[0] == 200
        dated(current.live(made.project.output), 2)
        os.kill(made.server.control("status")["workers"][0]["pid"], 9)
        made.server.wait_for(lambda: b"the clock is before" in made.metrics.get("/ready")[2])
        assert made.metrics.get("/ready")[0] == 503

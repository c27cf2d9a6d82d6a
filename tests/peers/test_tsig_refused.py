"""Secondaries that have another secret under the name of our key: what they are told, and what the
operator is, in log, `lzc ctl secondaries` and metrics."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.peers._peers.kinds import KINDS
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, Process, serial_at, wait_until
from tests.peers._peers.project import TSIG_NAME
from tests.peers._peers.releases import BIND, KNOT, NSD, POWERDNS, Release
from tests.peers.all_secondaries import ZONE, AllSecondaries

OTHER = base64.b64encode(b"not the secret of the tests' transfers").decode()
OURS = "the signature is wrong: key transfer.example. has another secret there; give it the one of"
SECRET = "it has another secret for key transfer.example."
THEIRS = f"TSIG: {SECRET}: give both the same"
WITHOUT = f"TSIG: answered NOTAUTH, unsigned: {SECRET}, or its clock is off: set both alike"
"""What PowerDNS answers is not told apart."""


@contextlib.contextmanager
def secondary(made: AllSecondaries, release: Release) -> Iterator[Process]:
    """It runs while the block runs, and never gets the zone."""
    home, port = made.folder / str(release), made.ports[release]
    primary_port, key = made.project.port, (TSIG_NAME, OTHER)
    if release.software == "powerdns":
        geo = made.project.folder / "geo" / "example.mmdb"
        server = PowerDns(home, port, primary_port, geo, release, ["xfr-cycle-interval=1"], key)
        server.add_zone(ZONE)
        with server.run([]) as process:
            yield process
        return
    kind = KINDS[release.software]
    whole = kind.primary + kind.transferred.replace("{zone}", ZONE)
    kind = replace(kind, primary=whole, transferred="")
    with kind.secondary(home, port, primary_port, [], release, LOOPBACK, key) as process:
        yield process


@pytest.mark.parametrize("release", (*POWERDNS, *BIND, *NSD, *KNOT), ids=str)
def test_another_secret_is_told_as_that_on_both_ways(release: Release, tmp_path: Path) -> None:
    release.require()
    made = AllSecondaries(tmp_path, releases=[release])

    def transfers() -> dict[str, Any]:
        answer = json.loads(made.project.lzc("ctl", "status", "--format", "json").stdout)
        found: dict[str, Any] = answer["secondaries"][0]["transfers"]
        return found

    with made.project.serve(zone=ZONE) as lzc, secondary(made, release):
        wait_until(lambda: bool(transfers()["refused"]), f"{release} is refused")
        refusal = transfers()["last_refusal"]
        assert refusal["reason"] == "bad-signature"
        assert refusal["why"].startswith(OURS)
        assert set(transfers()["refused"]) == {"bad-signature"}
        # What NOTIFY is answered with, and what that means.
        theirs = WITHOUT if release.software == "powerdns" else THEIRS
        wait_until(lambda: made.told(release)["error"] == theirs, f"{release}: {theirs}")
        text = made.project.lzc("ctl", "secondaries", str(release)).stdout
        assert f"BEHIND    {ZONE}." in text
        assert theirs in text and OURS in text
        assert "wrong signature" in text
        log = lzc.log_text()
        assert f" to secondary {release} ({LOOPBACK}): {OURS}" in log
        wait_until(lambda: theirs in lzc.log_text(), "the log has it")
        metrics = made.project.lzc("ctl", "metrics").stdout
        found = [
            line
            for line in metrics.splitlines()
            if line.startswith("lzc_transfer_refusals_total{") and f'"{release}"' in line
        ]
        assert found and all('reason="bad-signature"' in line for line in found)
        labels = f'reason="bad-signature",secondary="{release}"'
        assert f"lzc_tsig_failures_total{{{labels}}}" in metrics
        assert serial_at(made.ports[release], ZONE) is None

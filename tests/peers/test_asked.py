"""Secondaries that look by themselves whether a zone changed: when they did last is known, of those
whose queries are signed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers._peers.kinds import KINDS
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import wait_until
from tests.peers._peers.releases import BIND, KNOT, NSD, POWERDNS, Release
from tests.peers.all_secondaries import ZONE, AllSecondaries
from tests.peers.test_secondaries_refusing import OFTEN

REFRESH = "3h 1h 2w 5m", "2 2 2w 5m"
"""What SOA of the zone says, and what it is to say."""


@contextlib.contextmanager
def refreshing(made: AllSecondaries, release: Release) -> Iterator[None]:
    """It looks every few seconds while the block runs."""
    home, port = made.folder / str(release), made.ports[release]
    if release.software == "powerdns":
        geo = made.project.folder / "geo" / "example.mmdb"
        server = PowerDns(home, port, made.project.port, geo, release, ["xfr-cycle-interval=1"])
        server.add_zone(ZONE)
        with server.run([ZONE]):
            yield
        return
    kind = KINDS[release.software]
    kind = replace(kind, head=kind.head.replace(*OFTEN))
    with kind.secondary(home, port, made.project.port, [ZONE], release):
        yield


@pytest.mark.parametrize("release", (*POWERDNS, *BIND, *NSD, *KNOT), ids=str)
def test_each_look_of_it_is_noticed(release: Release, tmp_path: Path) -> None:
    release.require()
    made = AllSecondaries(tmp_path, releases=[release])
    path = made.project.zone_file(ZONE)
    text = path.read_text()
    assert REFRESH[0] in text
    path.write_text(text.replace(*REFRESH))
    made.project.build()
    with made.project.serve(zone=ZONE), refreshing(made, release):
        wait_until(lambda: made.told(release)["asked"] is not None, "it asked")
        first = made.told(release)
        for _ in range(2):
            before = made.told(release)["asked"]
            wait_until(lambda: made.told(release)["asked"] > before, "it asks again")  # noqa: B023
        # Nothing was transferred meanwhile.
        assert made.told(release)["last"] == first["last"]
        text = made.project.lzc("ctl", "secondaries", str(release), "--all").stdout
        assert " ago whether it changed" in text
        labels = f'secondary="{release}",zone="{ZONE}."'
        metrics = made.project.lzc("ctl", "metrics").stdout
        assert f"lzc_secondary_zone_asked_timestamp_seconds{{{labels}}}" in metrics

"""What lzc says of secondaries that do not keep what they are sent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.peers._peers.kinds import KINDS
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import serial_at, wait_until
from tests.peers._peers.releases import BIND, Release, of
from tests.peers.all_secondaries import ZONE, AllSecondaries

OFTEN = (
    "min-refresh-time 3600;",
    "min-refresh-time 1; max-refresh-time 2; min-retry-time 1; max-retry-time 2;",
)
"""Has BIND try again every two seconds."""


@pytest.mark.parametrize("release", BIND, ids=str)
def test_bind_takes_a_large_rrset_again_and_again_and_why_is_told(
    release: Release, tmp_path: Path
) -> None:
    release.require()
    made = AllSecondaries(tmp_path, releases=[release])
    port = made.ports[release]
    with made.project.serve(zone=ZONE):
        kind = replace(KINDS["bind"], head=KINDS["bind"].head.replace(*OFTEN))
        home = tmp_path / "bind"
        with kind.secondary(home, port, made.project.port, [ZONE], release) as named:
            for number in range(101):
                made.project.append(ZONE, f"large A 192.0.2.{number}")
            made.change("change A 192.0.2.200")
            wait_until(lambda: bool(made.told(release)["repeats"]), "it takes it again and again")
            assert "too many records" in named.log_text()
            state = made.told(release)
            assert not state["current"]
            assert "max-records-per-type 0 and max-types-per-name 0 in its options" in state["hint"]


def test_powerdns_without_lua_updates_is_told_what_it_needs(tmp_path: Path) -> None:
    release = of("powerdns", "5.1")
    release.require()
    made = AllSecondaries(tmp_path, releases=[release])
    port = made.ports[release]
    made.project.config.write_text(
        made.project.config.read_text().replace("[serve]", "[lua]\nenable = true\n[serve]")
    )
    with made.project.serve(zone=ZONE):
        geo = made.project.folder / "geo" / "example.mmdb"
        settings = ["enable-lua-record-updates=no", "xfr-cycle-interval=1"]
        server = PowerDns(tmp_path / "pdns", port, made.project.port, geo, release, settings)
        server.add_zone(ZONE)
        with server.run([ZONE]):
            made.change("lua LUA A \"'192.0.2.1'\"")
            before = serial_at(port, ZONE)
            wait_until(lambda: bool(made.told(release)["repeats"]), "it takes it again and again")
            state = made.told(release)
            assert "enable-lua-record-updates=yes in its pdns.conf" in state["hint"]
            assert (before, state["current"]) == (serial_at(port, ZONE), False)
            text = made.project.lzc("ctl", "secondaries", str(release)).stdout
            assert "again and again" in text

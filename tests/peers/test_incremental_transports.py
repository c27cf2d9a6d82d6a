"""IXFR over IPv6, and over TLS (RFC 9103) over either: what each secondary is sent after a change,
by our log, `lzc ctl secondaries`, metrics, and the log of its own."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.peers._peers.process import LOOPBACK, wait_until
from tests.peers._peers.releases import BIND, KNOT, NSD, POWERDNS, Release
from tests.peers.all_secondaries import IPV6
from tests.peers.incremental import ZONE, Incremental
from tests.peers.test_incremental import TAKEN

CHANGES: Final = 3
WITH_TLS: Final = (*BIND, *NSD, *KNOT[1:])
"""PowerDNS has no XoT, and neither has Knot DNS 3.2."""
OVER_TLS: Final = {
    "bind": r"'{zone}/IN' from {primary}#{port}: Transfer completed: 1 messages, \d records",
    "nsd": r"{zone}\.? .*received update to serial \d+ .* from {primary}(?:@{port})? TSIG",
    "knot": r"\[{zone}\.\] IXFR, incoming, remote {primary}@{port}(?: \S+)*, ",
}
"""What their logs say of a transfer from the port that has TLS alone."""


class Way(NamedTuple):
    address: str
    tls: bool

    @property
    def transport(self) -> str:
        return "tls" if self.tls else "tcp"

    @property
    def releases(self) -> tuple[Release, ...]:
        return WITH_TLS if self.tls else (*POWERDNS, *BIND, *NSD, *KNOT)

    def __str__(self) -> str:
        return f"{self.address}-{self.transport}"


WAYS: Final = (Way(LOOPBACK, True), Way(IPV6, True), Way(IPV6, False))


class Past(NamedTuple):
    """What was after some changes."""

    way: Way
    world: Incremental
    transfers: dict[Release, list[tuple[str, str, str]]]
    states: dict[Release, dict[str, Any]]
    logs: dict[Release, str]
    differing: list[str]
    metrics: str


CASES: Final = [(way, release) for way in WAYS for release in way.releases]
EACH: Final = pytest.mark.parametrize(("way", "release"), CASES, ids=str)


@pytest.fixture(scope="module")
def pasts() -> dict[Way, Past]:
    """Each way is gone once, for all that are told of it."""
    return {}


@pytest.fixture
def past(way: Way, pasts: dict[Way, Past], tmp_path_factory: pytest.TempPathFactory) -> Past:
    if way not in pasts:
        pasts[way] = gone(way, tmp_path_factory.mktemp("transports"))
    return pasts[way]


def gone(way: Way, folder: Path) -> Past:
    releases = [one for one in way.releases if one.present()]
    world = Incremental(folder, releases, address=way.address, tls=way.tls)

    def state(release: Release) -> dict[str, Any]:
        arguments = ("ctl", "secondaries", "-c", str(world.config), str(release))
        answer = json.loads(world.command(*arguments, "--format", "json"))
        found: dict[str, Any] = answer["secondaries"][0]["states"][0]
        return found

    differing = []
    with world.run("a A 192.0.2.1\n"):
        for number in range(CHANGES):
            world.change(f"a A 192.0.2.{number}\nlua 5 LUA A \"'192.0.2.{number}'\"\n")
            ours = world.ours()
            differing += [str(one) for one in releases if world.at(one) != ours]
        # The last one comes alone, so that nobody else took it from that address.
        world.change("a A 192.0.2.99\n")
        for release in releases:
            wait_until(
                lambda release=release: state(release)["last"]["serial"] == world.serial,  # type: ignore[misc]
                f"lzc knows what {release} was sent",
            )
        metrics = world.command("ctl", "metrics", "-c", str(world.config))
        return Past(
            way,
            world,
            {one: world.transfers(one) for one in releases},
            {one: state(one) for one in releases},
            {one: world.log(one) for one in releases},
            differing,
            metrics,
        )


@EACH
def test_a_change_goes_out_as_ixfr_on_the_way_it_was_asked_for(
    past: Past, release: Release
) -> None:
    release.require()
    assert past.differing == []
    way = past.way
    kinds = ["AXFR", *["IXFR"] * (CHANGES + 1)]
    assert past.transfers[release] == [(kind, way.transport, way.address) for kind in kinds]
    last = past.states[release]["last"]
    assert (last["kind"], last["transport"]) == ("IXFR", way.transport)
    assert last["octets"] < 1000
    name = f'secondary="{release}"'
    labels = f'kind="IXFR",result="done",{name},zone="{ZONE}."'
    assert f"lzc_transfers_total{{{labels}}} {CHANGES + 1}" in past.metrics
    assert f'lzc_transfer_octets_total{{{name},transport="{way.transport}"}}' in past.metrics


@EACH
def test_its_own_log_says_so(past: Past, release: Release) -> None:
    release.require()
    lines = [line for line in past.logs[release].splitlines() if ZONE in line]
    if release.software in TAKEN:
        assert any(re.search(TAKEN[release.software], line) for line in lines), lines
    if past.way.tls:
        pattern = OVER_TLS[release.software].format(
            zone=re.escape(ZONE), primary=re.escape(past.way.address), port=past.world.tls_port
        )
        assert any(re.search(pattern, line) for line in lines), lines

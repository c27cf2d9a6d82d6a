"""What every secondary is told, does, and answers, as ``lzc ctl secondaries`` shows it; over IPv4
and IPv6."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.peers._peers.process import LOOPBACK, wait_until
from tests.peers._peers.releases import Release
from tests.peers.all_secondaries import ALL, IPV6, MISSING, AllSecondaries

NOT_THERE = {
    "powerdns": "answered REFUSED, to NOTIFY, and REFUSED to the query for the SOA: it has no such"
    " zone",
    "bind": "answered NOTAUTH, to NOTIFY: it has no such zone",
    "nsd": "answered NXDOMAIN, unsigned, to NOTIFY: it has no such zone",
    "knot": "answered NOTAUTH, unsigned, to NOTIFY, and REFUSED to the query for the SOA: it has no"
    " such zone",
}


@pytest.fixture(scope="module", params=[LOOPBACK, IPV6], ids=["ipv4", "ipv6"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AllSecondaries]:
    made = AllSecondaries(tmp_path_factory.mktemp("told"), request.param)
    with made.run():
        made.change("fresh A 192.0.2.200")
        made.await_all()
        yield made


@pytest.mark.parametrize("release", ALL, ids=str)
def test_it_has_the_change_and_that_is_known(release: Release, served: AllSecondaries) -> None:
    release.require()
    wait_until(lambda: served.told(release)["current"], f"lzc knows that {release} is current")
    state = served.told(release)
    assert state["secondary_serial"] == state["serial"]
    assert (state["error"], state["behind_for"], state["expires_in"]) == ("", None, None)
    last = state["last"]
    assert (last["serial"], last["transport"]) == (state["serial"], "tcp")
    assert last["octets"] > 200
    assert last["records"] >= 2
    assert not state["repeats"]


@pytest.mark.parametrize("release", ALL, ids=str)
def test_a_zone_that_it_has_not_is_told_as_that(release: Release, served: AllSecondaries) -> None:
    release.require()
    expected = NOT_THERE[release.software]
    wait_until(
        lambda: served.told(release, MISSING)["error"] == expected,
        f"{release}: {expected}; it is {served.told(release, MISSING)['error']}",
    )
    text = served.project.lzc("ctl", "secondaries", str(release)).stdout
    assert f"BEHIND    {MISSING}. serial " in text
    assert expected in text
    assert "stops answering for it in 14 d, unless it gets through" in text

"""PowerDNS of three generations transfers a signed zone when it has changed, and only then."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.refreshing import Refreshing

REFRESHES = 10
"""``python -m tests.soak refresh`` waits for as many as an hour has."""


@pytest.mark.parametrize("keyless", [False, True], ids=["tsig", "by-address"])
@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_a_zone_is_transferred_once_for_each_change(
    release: Release, keyless: bool, tmp_path: Path
) -> None:
    release.require()
    pair = Refreshing(tmp_path, release, keyless=keyless)
    with pair.run():
        pair.await_checks(REFRESHES)
        assert pair.transfers() == 1
        for number in (1, 2):
            pair.change(number)
            pair.await_checks(2)
            assert pair.transfers() == 1 + number


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_notify_without_a_change_brings_no_transfer(release: Release, tmp_path: Path) -> None:
    """A server that starts notifies of everything, for it does not know what secondaries have."""
    release.require()
    pair = Refreshing(tmp_path, release)
    with pair.run():
        for _ in range(3):
            before = pair.notifies()
            pair.restart()
            pair.await_notify(before + 1)
            pair.await_checks(2)
        assert pair.transfers() == 1


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_notify_leaves_from_the_address_that_the_secondary_knows(
    release: Release, tmp_path: Path
) -> None:
    """The kernel would choose another, from which PowerDNS refuses it."""
    release.require()
    pair = Refreshing(tmp_path, release, primary="127.0.0.2")
    with pair.run():
        pair.await_notify(1)
        assert "from 127.0.0.2" in pair.secondary_log()
        assert not pair.says("answered REFUSED")

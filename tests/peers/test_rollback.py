"""A PowerDNS secondary follows a rollback: it has the old content, under a greater serial."""

from __future__ import annotations

from pathlib import Path

import dns.message
import dns.query
import pytest

from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK, serial_at, wait_until
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.refreshing import ZONE, Refreshing


def _answers(port: int, name: str) -> list[str]:
    query = dns.message.make_query(f"{name}.{ZONE}", "A")
    message = dns.query.udp(query, LOOPBACK, timeout=PATIENCE, port=port)
    return sorted(str(rdata) for rrset in message.answer for rdata in rrset)


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_a_secondary_has_the_old_content_after_a_rollback(tmp_path: Path, release: Release) -> None:
    release.require()
    pair = Refreshing(tmp_path, release)
    project, theirs = pair.project, pair.secondary.port
    with pair.run():
        pair.change(1)
        assert _answers(theirs, "change-1") == ["192.0.2.99"]
        mistaken = serial_at(project.port, ZONE)
        project.lzc("rollback")
        project.lzc("ctl", "reload")
        ours = serial_at(project.port, ZONE)
        assert ours is not None
        assert mistaken is not None
        assert ours > mistaken
        wait_until(lambda: serial_at(theirs, ZONE) == ours, "the secondary follows the rollback")
        assert _answers(theirs, "change-1") == _answers(project.port, "change-1") == []
        assert _answers(theirs, "www") in (["192.0.2.1"], ["192.0.2.2"])
        # And the next change goes on from there.
        pair.change(2)
        assert _answers(theirs, "change-2") == ["192.0.2.99"]

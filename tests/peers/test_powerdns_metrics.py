"""What lzc gives under the names of PowerDNS, PowerDNS gives under these names too."""

from __future__ import annotations

import os
import re
import urllib.request
from pathlib import Path

import pytest

from lzc.serve.observe.powerdns_names import lines
from tests.patience import PATIENCE
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, free_port, wait_until
from tests.peers._peers.project import FIXTURES
from tests.peers._peers.releases import POWERDNS, Release
from tests.unit.serve.all_seen import all_seen


def types(text: str) -> dict[str, str]:
    """The type of each metric by its name."""
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


@pytest.mark.parametrize("release", POWERDNS, ids=str)
def test_names_and_types_are_those_of_powerdns(release: Release, tmp_path: Path) -> None:
    release.require()
    port = free_port()
    settings = [
        "webserver=yes",
        f"webserver-address={LOOPBACK}",
        f"webserver-port={port}",
        f"webserver-allow-from={LOOPBACK}",
    ]
    geo = next((FIXTURES / "geo").glob("*.mmdb"))
    peer = PowerDns(tmp_path, free_port(), free_port(), geo, release, settings)
    theirs: dict[str, str] = {}

    def told() -> bool:
        try:
            url = f"http://{LOOPBACK}:{port}/metrics"
            with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
                theirs.update(types(answer.read().decode()))
        except OSError:
            return False
        return True

    with peer.run([]):
        wait_until(told, "PowerDNS gives its metrics")
    ours = types(lines(all_seen(os.getpid()), counter="counter").decode())
    assert len(ours) > 30
    assert ours.items() <= theirs.items()

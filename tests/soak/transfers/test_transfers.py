"""The short form of the soak with transfers: whatever is cut, silent or killed meanwhile, each kind
of secondary has each zone in the end, over TCP and over TLS."""

from __future__ import annotations

from pathlib import Path

from tests.peers._peers.releases import of
from tests.soak.transfers.faults import FAULTS
from tests.soak.transfers.run import Size, table, transfers

PEERS = (of("powerdns", "4.7"), of("bind", "9.18"), of("nsd", "4.6"), of("knot", "3.4"))


def test_every_secondary_has_every_record_in_the_end(tmp_path: Path) -> None:
    for release in PEERS:
        release.require()
    found = transfers(tmp_path, PEERS, Size(changes=len(FAULTS), zones=6, seed=1))
    print(table(found))
    assert found.findings == []
    assert found.happened.keys() == FAULTS.keys()
    assert sum(counts["cuts"] for counts in found.relayed.values()) > 0
    for release in PEERS:
        assert found.took[str(release)]["done"], release
    for release in PEERS[1:]:
        assert found.took[str(release)]["over TLS"], release

"""The short form of the soak with chaos: whatever the machine, no answer is wrong, a serial stands
for one content, and every secondary has everything in the end."""

from __future__ import annotations

from pathlib import Path

from tests.peers._peers.releases import KNOT, NSD, POWERDNS
from tests.soak.chaos import faults
from tests.soak.chaos.report import table
from tests.soak.chaos.run import Size, make_faults, running

FAULTS = (
    "worker killed",
    "build killed",
    "room gone",
    "octet damaged",
    "rolled back",
    "folder late",
    "worker killed at a new bundle",
    "reload storm",
    "key gone",
    "transfer unread",
    "geo damaged",
    "target down",
    "supervisor killed",
    "killed with transfers unread",
)
"""One after the other. What they meet is up to the seed, and to the turns that threads take."""
SECONDARIES = (POWERDNS[0], NSD[0], KNOT[0])


def test_faults_make_no_answer_wrong_and_keep_no_secondary_behind(tmp_path: Path) -> None:
    for release in SECONDARIES:
        release.require()
    releases = [(one.software, one.version) for one in SECONDARIES]
    with running(tmp_path, Size(True, 1, 0, releases, FAULTS)) as soak:
        make_faults(soak)
        print(table(soak))
    assert soak.stage.ledger.findings == []
    wrong = {name: one.counts["wrong"] for name, one in soak.probers().items()}
    assert not any(wrong.values()), wrong
    assert soak.equal
    assert soak.udp.counts["answers"] and soak.tcp.counts["answers"]
    assert soak.happened.total() == len(FAULTS) + len(faults.SECONDARY)

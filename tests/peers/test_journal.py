"""The log in systemd's journal: lines with their level, and fields to look for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.patience import PATIENCE
from tests.peers._peers import presence
from tests.peers.journal import JOURNALD
from tests.unit.test_full_disk import ROOT, own_mounts


def test_journald_has_the_lines_of_all_processes_with_what_they_are_about(tmp_path: Path) -> None:
    presence.require("journalctl")
    if os.geteuid() or not Path(JOURNALD).exists():
        presence.do_without(["systemd-journald"], "it runs for root only")
    done = subprocess.run(
        [*own_mounts(), sys.executable, "-m", "tests.peers.journal", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    failed = next(one for one in events if one.get("LZC_RCODE") == "SERVFAIL")
    assert failed["PRIORITY"] == "4"
    assert failed["LZC_QNAME"] == "bad.example.org."
    assert "no\\u202e" in failed["LZC_REASON"]
    served = [one for one in events if one["MESSAGE"].startswith("serving bundle")]
    assert {one["PRIORITY"] for one in served} == {"6"}
    assert len({one["LZC_BUNDLE"] for one in served}) == 1
    assert served[0]["_PID"] != failed["_PID"]

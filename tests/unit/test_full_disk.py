"""A disk that is full, or that cannot be written, is told with the file and a way out, costs
nothing, and stops no server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]


def own_mounts() -> list[str]:
    """What to put in front of a command that mounts. Where that is not allowed, the test is
    skipped, or fails with ``CI=true``."""
    unshare = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        message = "this machine allows no mount namespaces"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return unshare


def test_a_disk_that_is_full_and_one_that_is_read_only(tmp_path: Path) -> None:
    ended = subprocess.run(
        [*own_mounts(), sys.executable, "-m", "tests.unit.full_disk", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert not [*tmp_path.iterdir()], "what was mounted is gone with the process"

"""A network of a test's own, where nothing of this machine's is reached."""

from __future__ import annotations

import os
import subprocess

import pytest


def own_network() -> list[str]:
    """What to put in front of a command. Where there is no such network, the test is skipped, or
    fails with ``CI=true``."""
    unshare = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        message = "this machine allows no network namespaces"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return unshare

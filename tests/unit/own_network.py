"""A network of a test's own, where nothing of this machine's is reached."""

from __future__ import annotations

import os

import pytest

from tests import away


def own_network() -> list[str]:
    """What to put in front of a command. Where there is no such network, the test is skipped, or
    fails with ``CI=true``."""
    unshare = away.own_network()
    if unshare is None:
        if os.environ.get("CI") == "true":
            pytest.fail(away.NOT_ALLOWED)
        pytest.skip(away.NOT_ALLOWED)
    return unshare

"""A network of a test's own, where nothing of this machine's is reached."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import pytest

from tests import away

_NETWORK: Final = Path("/proc/thread-self/ns/net")
_CLONE_NEWNET: Final = 0x40000000


def own_network() -> list[str]:
    """What to put in front of a command. Where there is no such network, the test is skipped, or
    fails with ``CI=true``."""
    unshare = away.own_network()
    if unshare is None:
        _not_here()
    return unshare


def _not_here() -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(away.NOT_ALLOWED)
    pytest.skip(away.NOT_ALLOWED)


@contextmanager
def moved_to_own_network() -> Iterator[None]:
    """This thread, and what it starts from now on, is in a network that has loopback and nothing
    else while the block runs. For tests that ask servers of other makes about addresses of the
    world, which these may try to reach. Only root may move; otherwise as in `own_network`."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open(_NETWORK, os.O_RDONLY)
    try:
        if libc.unshare(_CLONE_NEWNET):
            _not_here()
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            assert libc.setns(before, _CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
    finally:
        os.close(before)

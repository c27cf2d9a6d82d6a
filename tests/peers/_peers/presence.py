"""Which peers are installed, and what happens to a test whose peer is not.

A machine without a peer still runs the other tests: what needs the missing one is skipped and named
in the summary. With ``CI=true`` nothing is forgiven: a missing peer fails its tests.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from typing import NoReturn

import pytest

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(slots=True)
class Absence:
    """Why a peer is missing, and the tests that did not run for want of it."""

    reason: str
    tests: set[str] = field(default_factory=set)


missing: dict[str, Absence] = {}
"""What is missing, by the name of the program or of the peer with its version."""


def find(program: str) -> str | None:
    """The path of a program; servers live in sbin, which a user's PATH leaves out."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")


def require(*programs: str) -> None:
    """Go on only when every program is installed on this system."""
    absent = [program for program in programs if find(program) is None]
    if absent:
        do_without(absent, "not installed; tests/run installs the peers")


def do_without(peers: list[str], reason: str) -> NoReturn:
    """Skip the running test for want of peers, or fail it where ``CI=true``."""
    test = os.environ.get("PYTEST_CURRENT_TEST", "?").split(" ")[0]
    for peer in peers:
        missing.setdefault(peer, Absence(reason)).tests.add(test)
    message = f"missing peer: {', '.join(peers)} ({reason})"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)

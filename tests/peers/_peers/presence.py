"""Which peers are installed, and what happens to a test whose peer is not.

A machine without a peer still runs the other tests: what needs the missing one is skipped and named
in the summary. With ``CI=true`` nothing is forgiven: a missing peer fails its tests.
"""

from __future__ import annotations

import os
import shutil

import pytest

_SYSTEM_FOLDERS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

missing: dict[str, set[str]] = {}
"""Program -> the tests that did not run for want of it."""


def find(program: str) -> str | None:
    """The path of a program; servers live in sbin, which a user's PATH leaves out."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:{_SYSTEM_FOLDERS}")


def require(*programs: str) -> None:
    """Go on only when every program is installed."""
    absent = [program for program in programs if find(program) is None]
    if not absent:
        return
    test = os.environ.get("PYTEST_CURRENT_TEST", "?").split(" ")[0]
    for program in absent:
        missing.setdefault(program, set()).add(test)
    message = f"missing peer: {', '.join(absent)} (tests/run installs the peers)"
    if os.environ.get("CI") == "true":
        pytest.fail(message)
    pytest.skip(message)

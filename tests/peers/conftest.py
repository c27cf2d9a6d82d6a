"""What all tests against peers share."""

from __future__ import annotations

import pytest

from tests.peers._peers import presence


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the peers that were missing, and how many tests that cost."""
    if not presence.missing:
        return
    terminalreporter.section("missing peers")
    for program, tests in sorted(presence.missing.items()):
        terminalreporter.write_line(f"{program}: {len(tests)} test(s) did not run")

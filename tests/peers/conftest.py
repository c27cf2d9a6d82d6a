"""What all tests against peers share."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.peers._peers import origins, presence
from tests.peers._peers.releases import RELEASES, Release


def releases_of(item: pytest.Item) -> Iterator[Release]:
    """The versions of peers that a test has as parameters."""
    call = getattr(item, "callspec", None)
    for value in call.params.values() if call else ():
        for release in value if isinstance(value, tuple) else (value,):
            if isinstance(release, Release):
                yield release


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Servers may still be on their way: a test's limit of time does not start before they came."""
    if any(release.origin.suites for release in releases_of(item)):
        origins.wait()
    return (yield)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the peers by the version they tell, where it is one that the tests do not know, and
    those that were missing, with why and how many tests that cost."""
    ran = [
        report.nodeid
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, ())
        if "[" in report.nodeid
    ]
    used = {
        name: count
        for name, release in RELEASES.items()
        if (count := sum(names(nodeid, name) for nodeid in ran)) and release.present()
    }
    if used:
        terminalreporter.section("peers of each version")
    for name, count in used.items():
        terminalreporter.write_line(told(RELEASES[name], count))
    if presence.missing:
        terminalreporter.section("missing peers")
    for peer, absence in sorted(presence.missing.items()):
        count = len(absence.tests)
        terminalreporter.write_line(f"{peer}: {count} test(s) did not run: {absence.reason}")


def told(release: Release, count: int) -> str:
    """Which version a peer is, where it is from, and how many tests it ran."""
    line = f"{release} is {release.actual()} of {release.origin}: {count} test(s) ran"
    return f"{line}; IT IS NOT THE VERSION THAT THE TESTS KNOW" if release.unknown() else line


def names(nodeid: str, release: str) -> bool:
    """Whether the parameters in a test's id have this version among them."""
    parameters = nodeid[nodeid.index("[") + 1 : -1].replace(",", "-")
    return f"-{release}-" in f"-{parameters}-"

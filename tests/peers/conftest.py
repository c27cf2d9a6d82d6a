"""What all tests against peers share."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest

from tests.peers._peers import origins, presence, releases
from tests.peers._peers.releases import RELEASES, Release
from tests.unit.own_network import moved_to_own_network


def is_of_versions(item: pytest.Item) -> bool:
    """Whether a test, or what its module starts, may be about a version of a peer: the module knows
    a release, or what `releases` has to find one."""
    names = vars(getattr(item, "module", object))
    firsts = (value[0] if isinstance(value, tuple) and value else value for value in names.values())
    return any(getattr(first, "__module__", None) == releases.__name__ for first in firsts)


@pytest.fixture(scope="module")
def nowhere_to_go() -> Iterator[None]:
    """A network of a module's own, with loopback alone: servers whose health checks are asked for
    addresses of the world do not reach them."""
    with moved_to_own_network():
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Servers may still be on their way: a test's limit of time does not start before they came."""
    if is_of_versions(item):
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
    if releases.required:
        terminalreporter.section("peers of each version")
    for name, release in RELEASES.items():
        if release in releases.required and release.present():
            count = sum(names(nodeid, name) for nodeid in ran)
            terminalreporter.write_line(told(release, count))
    if presence.missing:
        terminalreporter.section("missing peers")
    for peer, absence in sorted(presence.missing.items()):
        count = len(absence.tests)
        terminalreporter.write_line(f"{peer}: {count} test(s) did not run: {absence.reason}")


def told(release: Release, count: int) -> str:
    """Which version a peer is, where it is from, and how many tests have it as a parameter."""
    line = f"{release} is {release.actual()} of {release.origin}: {count} test(s) by name"
    return f"{line}; IT IS NOT THE VERSION THAT THE TESTS KNOW" if release.unknown() else line


def names(nodeid: str, release: str) -> bool:
    """Whether the parameters in a test's id have this version among them."""
    parameters = nodeid[nodeid.index("[") + 1 : -1].replace(",", "-")
    return f"-{release}-" in f"-{parameters}-"

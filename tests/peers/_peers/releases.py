"""The peers by version: what the tests call ``powerdns-5.1``, where it is from and how to run it.

A test that is to hold with every version of a server takes the version as a parameter, and requires
it before it starts anything::

    @pytest.fixture(scope="module", params=POWERDNS, ids=str)
    def secondary(request):
        release: Release = request.param
        release.require()
        server = PowerDns(folder, port, primary_port, geo, release)

One that is about a single version says ``release = of("powerdns", "5.1")``. What depends on the
version asks the server which it is (``release.at_least(5, 1)``): the newest one moves.
"""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from tests.patience import PATIENCE
from tests.peers._peers import origins, presence
from tests.peers._peers.origins import NEWEST, SYSTEM, TRIXIE, Origin


@dataclass(frozen=True, slots=True)
class Software:
    """Its programs, and the arguments with which the first of them tells its version."""

    programs: Sequence[str]
    version: Sequence[str]


SOFTWARE: Final = {
    "powerdns": Software(("pdns_server", "pdnsutil"), ("--no-config", "--version")),
    "bind": Software(("named", "dnssec-signzone"), ("-v",)),
    "nsd": Software(("nsd",), ("-v",)),
    "knot": Software(("knotd",), ("--version",)),
}
_VERSION: Final = re.compile(
    r"(?:PowerDNS Authoritative Server |BIND |NSD version |knotd.*version |Knot DNS )"
    r"(\d+(?:\.\d+)+)"
)


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a server: the one that the tests know, in digits and dots, and where the server
    comes from. `actual` says which version is really there."""

    software: str
    version: str
    origin: Origin

    def __str__(self) -> str:
        return f"{self.software}-{self.version}"

    def require(self) -> None:
        """Go on only when it is there: skips the test otherwise, or fails it where ``CI=true``,
        and says why."""
        required.add(self)
        late = origins.wait() if self.origin.suites else ""
        if self.present():
            return
        if self.origin.suites:
            presence.do_without([str(self)], late or self.origin.why_missing())
        presence.require(*SOFTWARE[self.software].programs)

    def present(self) -> bool:
        """Whether all of its programs are there."""
        return all(self.origin.command(program) for program in SOFTWARE[self.software].programs)

    def command(self, program: str) -> list[str]:
        """How to run one of its programs: the arguments to put first."""
        found = self.origin.command(program)
        assert found is not None, f"{self} has no {program}"
        return found

    def actual(self) -> str:
        """The version that the server itself tells, such as ``5.1.5``."""
        return _actual(self)

    def at_least(self, *numbers: int) -> bool:
        """Whether the server is of this version or a later one."""
        return tuple(int(number) for number in self.actual().split(".")) >= numbers

    def unknown(self) -> bool:
        """Whether it is another version than the tests know."""
        return not f"{self.actual()}.".startswith(f"{self.version}.")


POWERDNS: Final = (
    Release("powerdns", "4.7", SYSTEM),
    Release("powerdns", "4.9", TRIXIE),
    Release("powerdns", "5.1", NEWEST),
)
BIND: Final = (Release("bind", "9.18", SYSTEM), Release("bind", "9.20", TRIXIE))
"""Sid and Debian 13 have the same one."""
NSD: Final = (
    Release("nsd", "4.6", SYSTEM),
    Release("nsd", "4.12", TRIXIE),
    Release("nsd", "4.15", NEWEST),
)
KNOT: Final = (
    Release("knot", "3.2", SYSTEM),
    Release("knot", "3.4", TRIXIE),
    Release("knot", "3.5", NEWEST),
)
OLDEST: Final = {versions[0].software: versions[0] for versions in (POWERDNS, BIND, NSD, KNOT)}
"""By software."""
RELEASES: Final = {str(release): release for release in (*POWERDNS, *BIND, *NSD, *KNOT)}


def of(software: str, version: str) -> Release:
    """The release of this version, as the tables above have it."""
    return RELEASES[f"{software}-{version}"]


required: set[Release] = set()
"""What tests of this run have asked for."""


@functools.cache
def _actual(release: Release) -> str:
    software = SOFTWARE[release.software]
    program = software.programs[0]
    arguments = [*release.command(program), *software.version]
    if program == "pdns_server":
        # It loads all modules for this; by default those of this system.
        arguments.append(f"--module-dir={release.origin.library() / 'pdns'}")
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE)
    found = _VERSION.search(done.stdout + done.stderr)
    assert found is not None, f"{release} tells no version:\n{done.stdout}{done.stderr}"
    return found[1]

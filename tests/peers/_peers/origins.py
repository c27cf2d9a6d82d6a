"""Where servers come from: this system, or root folders of newer Debian releases beside it.

`tests.peers._peers.fetch` makes the folders, in ``$XDG_CACHE_HOME/lzc-peers`` (``~/.cache`` where
that is not set). Nothing in them needs ``chroot``: a program is run by the folder's own loader,
with the folder's own libraries.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.patience import SOON
from tests.peers._peers.presence import find

PACKAGES: Final = (
    *("pdns-server", "pdns-backend-sqlite3", "pdns-backend-bind", "pdns-backend-geoip"),
    *("pdns-backend-lmdb", "bind9", "bind9-utils", "nsd", "knot"),
)
"""What a root folder is made for."""

PROGRAMS: Final = ("pdns_server", "pdnsutil", "named", "dnssec-signzone", "nsd", "knotd")
"""What has to run from it; otherwise it counts as not there."""

KEPT: Final = ("bin", "sbin", "lib", "lib64", "usr/bin", "usr/sbin", "usr/lib", "usr/lib64")
KEPT_DATA: Final = ("usr/share/pdns-backend-sqlite3", "usr/share/pdns-backend-bind")
"""What running them takes; all else is removed."""

FETCHING: Final = "LZC_PEERS_FETCHING"
"""Environment variable: a file that is locked for as long as folders are being fetched."""

LIMIT: Final = 1200.0
"""Seconds to wait for that: it is half a minute a folder where network and disk are quick."""

SYSTEM_LIBRARIES: Final = Path("/usr/lib")
_DIRECTORIES: Final = ("usr/sbin", "usr/bin", "sbin", "bin")


@dataclass(frozen=True, slots=True)
class Origin:
    """A place that servers come from: the first of some Debian suites that can be installed, or,
    with no suites, this system itself."""

    name: str
    suites: tuple[str, ...] = ()

    def __str__(self) -> str:
        """The suite that was taken; with why where the one before it was not."""
        folders = [folder_of(suite) for suite in self.suites]
        taken = next((n for n, folder in enumerate(folders) if complete(folder)), None)
        if taken is None:
            return self.name
        reasons = [reason for suite in self.suites[:taken] if (reason := failure_of(suite))]
        return "; not ".join([self.suites[taken], *reasons])

    def folder(self) -> Path | None:
        """The complete root folder; ``None`` while there is none."""
        return next((path for path in map(folder_of, self.suites) if complete(path)), None)

    def command(self, program: str) -> list[str] | None:
        """How to run a program; ``None`` where it is missing."""
        if not self.suites:
            found = find(program)
            return None if found is None else [found]
        folder = self.folder()
        return None if folder is None else command_in(folder, program)

    def library(self) -> Path:
        """The folder of the libraries, and of what servers load at run time."""
        folder = self.folder()
        return library_of(SYSTEM_LIBRARIES if folder is None else folder / "usr/lib")

    def data(self, path: str) -> Path:
        """A file of the packages, by its path below the root."""
        return (self.folder() or Path("/")) / path

    def why_missing(self) -> str:
        """What kept it from being fetched."""
        reasons = [reason for suite in self.suites if (reason := failure_of(suite))]
        if not reasons:
            return f"{self.name} was not fetched (tests/run fetches it)"
        return f"{self.name} could not be fetched: {'; '.join(reasons)}"


SYSTEM: Final = Origin("this system")
TRIXIE: Final = Origin("Debian 13", ("trixie",))
NEWEST: Final = Origin("the newest Debian", ("sid", "testing"))
FETCHED: Final = (TRIXIE, NEWEST)


def cache() -> Path:
    """The folder of all root folders. It may be removed at any time when no test runs."""
    configured = os.environ.get("XDG_CACHE_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".cache"
    return base / "lzc-peers"


def marker() -> str:
    """What stands in the file ``packages`` of a complete folder."""
    return "\n".join([*PACKAGES, "", *KEPT, *KEPT_DATA, ""])


def folder_of(suite: str) -> Path:
    """Its name tells what is in it, so that another list makes another folder: checkouts that need
    different packages do not take each other's away."""
    return cache() / f"{suite}-{hashlib.sha256(marker().encode()).hexdigest()[:8]}"


def complete(folder: Path) -> bool:
    """Whether all of the folder is there."""
    try:
        return (folder / "packages").read_text() == marker()
    except OSError:
        return False


def note_of(suite: str) -> Path:
    """The file that says why a suite could not be fetched."""
    return cache() / f"{suite}.failed"


def failure_of(suite: str) -> str:
    """Why a suite could not be fetched; empty where nothing is known of that."""
    try:
        return f"{suite}: {note_of(suite).read_text().strip()}"
    except OSError:
        return ""


def library_of(folder: Path) -> Path:
    """The folder of this machine's architecture below a ``lib`` folder."""
    triplet = f"{os.uname().machine}-linux-gnu"
    return next(iter(sorted(folder.glob(triplet + "*"))), folder / triplet)


def command_in(folder: Path, program: str) -> list[str] | None:
    """How to run a program that lies in a root folder; ``None`` where it is missing."""
    library = library_of(folder / "usr/lib")
    loader = next(iter(_loaders(library)), None)
    paths = (folder / directory / program for directory in _DIRECTORIES)
    path = next((path for path in paths if os.access(path, os.X_OK)), None)
    if loader is None or path is None:
        return None
    return [str(loader), "--library-path", str(library), str(path)]


def _loaders(library: Path) -> Iterator[Path]:
    yield from sorted(library.glob("ld-linux*.so.*"))


@functools.cache
def wait() -> str:
    """Wait for the fetching that goes on beside the tests, once a run. Empty, or what to say where
    it takes longer than `LIMIT`."""
    path = os.environ.get(FETCHING)
    if not path or all(origin.folder() for origin in FETCHED):
        return ""
    deadline = time.monotonic() + LIMIT
    try:
        with open(path, "rb") as file:
            while time.monotonic() < deadline:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    time.sleep(SOON)
                else:
                    return ""
    except FileNotFoundError:
        return ""
    return f"fetching was not done within {LIMIT:g} s"

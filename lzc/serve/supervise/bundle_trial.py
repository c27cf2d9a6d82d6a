"""Bundles that are not served: tried before anything relies on them, refused, tried again.

A bundle is read by a library in C, mapped into memory: verification guards against damage, not
against whoever can write a bundle whose hashes are right. So a child of the supervisor opens each
one first, where a crash harms nobody; the supervisor itself opens none.

What keeps a bundle out may pass by itself: a worker died while it was loaded, its folder is still
being copied, a key is not there yet. So it is tried again every few seconds. Hashing a large bundle
is work, though, and gives the same result until its files change.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

from lzc.bundle import node, verification
from lzc.bundle.current import CURRENT
from lzc.bundle.manifest import BundleError
from lzc.bundle.reader import Bundle
from lzc.bundle.verification import Stamp
from lzc.contained import Begin, Ended, run_contained
from lzc.faults import Fault, Place
from lzc.wire import rrtype

AGAIN: Final = 3.0
"""Seconds between two tries, the least; a try that took long is followed by ten times as many."""
SAME_FILES: Final = 60.0
"""Seconds until files that were damaged are hashed again though they are the same."""
_QUIET: Final = 10.0
"""Seconds between two lines on one bundle, unless an operator asked."""


class Refusal:
    """What is known of the bundle that was refused last; ``folder`` is `None` where there is none,
    or where nobody knows which it is."""

    def __init__(self) -> None:
        self.folder: Path | None = None
        self._why = ""
        self._since = self._at = 0.0
        self._tries = 0
        self._due = 0.0
        self._files: Stamp | None = None
        self._said = ("", -_QUIET)

    def __bool__(self) -> bool:
        return bool(self._why)

    def note(
        self, folder: Path | None, why: str, began: float, files: Stamp | None, *, loud: bool
    ) -> bool:
        """A bundle was refused, in a try that ``began`` at this time of the monotonic clock, for
        what its ``files`` hold where these are given. Whether that is to be logged: it is where it
        is ``loud``, and where the reason is another, every some seconds."""
        now = time.monotonic()
        if folder != self.folder or not self:
            self.clear()
            self.folder, self._since = folder, time.time()
        self._why, self._at, self._files = why, time.time(), files
        self._tries += 1
        self._due = now + max(AGAIN, 10 * (now - began))
        said, at = self._said
        if not loud and (said == why or now - at < _QUIET):
            return False
        self._said = why, now
        return True

    def clear(self) -> float:
        """What is live is served; seconds for which it was not."""
        lasted = time.time() - self._since if self else 0.0
        self.folder, self._files, self._why = None, None, ""
        self._tries = 0
        self._said = ("", -_QUIET)
        return lasted

    def soon(self) -> None:
        """Something changed that may have been the reason: try again at once."""
        self._due, self._files = 0.0, None

    def is_due(self) -> bool:
        """Whether to try again now."""
        now = time.monotonic()
        if not self or now < self._due:
            return False
        if self._files is None or self.folder is None:
            return True
        return now - self._due > SAME_FILES or files_of(self.folder) != self._files

    def status(self) -> dict[str, Any] | None:
        """For ``lzc ctl status``: the ``bundle``, ``why``, ``since`` when and ``at`` what time it
        was refused last (seconds since the epoch), after so many ``tries``."""
        if not self:
            return None
        return {
            "bundle": self.folder.name if self.folder is not None else "",
            "why": self._why,
            "since": self._since,
            "at": self._at,
            "tries": self._tries,
        }


def files_of(folder: Path) -> Stamp | None:
    """What changes when a file of a folder does; `None` where the folder cannot be read."""
    try:
        return verification.marks(folder, sorted(os.listdir(folder)))  # noqa: PTH208
    except OSError:
        return None


SECONDS: Final = 10.0
"""Seconds of CPU time to open a bundle and look at its zones, besides those for its size."""
_OCTETS_A_SECOND: Final = 2_000_000

FROM_OUTSIDE: Final = frozenset((signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""What nobody gets by running code or reading a bundle: an operator sent it, or the kernel for want
of memory."""


class OpeningCrashes(BundleError):
    """A bundle crashes or hangs who opens it, and is not to be opened again."""


class Condemned:
    """The bundles that crashed a process while it opened them. Each counts until its files change:
    a bundle that was copied again is another matter."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, Stamp | None]] = {}
        self._suspected: dict[str, Stamp | None] = {}

    def add(self, folder: Path, why: str) -> None:
        """Never open this bundle again; ``why`` says what it did."""
        self._found[folder.name] = why, files_of(folder)

    def suspect(self, folder: Path) -> bool:
        """Note that a process hung while it opened this bundle, which may have been stopped, or
        waited for a busy machine; True where that happened before: the same twice is no chance."""
        stamp = files_of(folder)
        before = self._suspected.get(folder.name)
        self._suspected[folder.name] = stamp
        return before is not None and before == stamp

    def why(self, folder: Path) -> str:
        """Why a bundle is not to be opened; empty where it may be."""
        found = self._found.get(folder.name)
        if found is None:
            return ""
        if files_of(folder) != found[1]:
            del self._found[folder.name]
            return ""
        return found[0]


@dataclass(frozen=True, slots=True)
class TriedZones:
    """The zones of a bundle by apex: their serials, and of some the TTL and the RDATA of the SOA
    record, to be told to secondaries; and of those with LUA records, or that lzc signs, which of
    both."""

    serials: Mapping[bytes, int] = field(default_factory=dict)
    soas: Mapping[bytes, tuple[int, bytes]] = field(default_factory=dict)
    facts: Mapping[bytes, tuple[bool, bool]] = field(default_factory=dict)


MOST_SOAS: Final = 20_000
"""Zones whose SOA record is read: each takes 30 µs."""


def try_bundle(folder: Path, stamps: Path) -> TriedZones:
    """Open a bundle that was verified in a child process, and give its zones. Raises
    `OpeningCrashes` where the child crashed or did not come to an end, and `BundleError`. Takes a
    while: call it in a thread."""
    try:
        octets = sum(entry.stat().st_size for entry in os.scandir(folder))
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read: {error.strerror}") from error

    def look(_begin: Begin) -> TriedZones:
        with Bundle.open(folder, verified_dir=stamps) as bundle:
            serials, facts = {}, {}
            for info in bundle.zones():
                serials[info.apex] = info.serial
                if info.may_have_lua or info.is_signed_here:
                    facts[info.apex] = info.may_have_lua, info.is_signed_here
            return TriedZones(serials, dict(_soas(bundle, islice(serials, MOST_SOAS))), facts)

    seconds = SECONDS + octets / _OCTETS_A_SECOND
    try:
        try:
            return run_contained(look, seconds=seconds, memory=octets)
        except Ended as error:
            if error.number not in FROM_OUTSIDE:
                raise
            # That says nothing of the bundle, unless it is killed again: memory may run out.
            return run_contained(look, seconds=seconds, memory=octets)
    except Ended as error:
        if error.number in FROM_OUTSIDE:
            raise BundleError(f"{folder}: cannot be tried: {error}") from error
        raise OpeningCrashes(crash(folder, f"a process that opened it: {error}")) from error
    except MemoryError as error:
        raise BundleError(f"{folder}: cannot be tried: memory ran out") from error


def _soas(bundle: Bundle, apexes: Iterable[bytes]) -> Iterator[tuple[bytes, tuple[int, bytes]]]:
    for apex in apexes:
        view = bundle.zone(apex)
        octets = None if view is None else view.node(b"")
        found = None if octets is None else node.rrset(octets, apex, rrtype.SOA)
        if found is not None:
            yield apex, (found.ttl, found.rdatas[0])


def crash(folder: Path, what: str) -> str:
    """What is said of a bundle that crashes who opens it."""
    return (
        f"{folder}: opening this bundle crashes the process, so nobody opens it again until its"
        f" files change ({what}). Its hashes are right, so it was not damaged on its way: build it"
        " again with this version of lzc, and find out who else can write it"
    )


def crashing(folder: Path, why: str) -> Fault:
    """The fault of a bundle that no worker can open."""
    return Fault(
        Place(str(folder)),
        "bundle-crashes",
        why,
        "every worker would crash, again and again, and nothing be answered",
        "run: lzc build; or make a bundle before it the live one:"
        f" ln -sfn BUNDLE {folder.parent / CURRENT}",
    )

"""Trying a bundle before anything relies on it, and remembering those that crash who opens them.

A bundle is read by a library in C, mapped into memory: verification guards against damage, not
against whoever can write a bundle whose hashes are right. So a child of the supervisor opens each
one first, where a crash harms nobody; the supervisor itself opens none.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lzc.bundle.current import CURRENT
from lzc.bundle.manifest import BundleError
from lzc.bundle.reader import Bundle
from lzc.bundle.verification import Stamp
from lzc.contained import Begin, Contained, Ended, Home
from lzc.faults import Fault, Place
from lzc.serve.supervise.refused_bundle import files_of

SECONDS: Final = 10.0
"""Seconds of CPU time to open a bundle and look at its zones, besides those for its size."""
_OCTETS_A_SECOND: Final = 2_000_000

FROM_OUTSIDE: Final = frozenset((signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP))
"""What nobody gets by running code or reading a bundle: an operator sent it, or the kernel for want
of memory."""


class OpeningCrashes(BundleError):
    """A bundle crashes or hangs who opens it, and is not to be opened again."""


@dataclass(frozen=True, slots=True)
class _Trial:
    folder: Path
    stamps: Path


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


def try_bundle(folder: Path, stamps: Path) -> Mapping[bytes, int]:
    """Open a bundle that was verified in a child process, and give the serials of its zones by
    apex. Raises `OpeningCrashes` where the child crashed or did not come to an end, and
    `BundleError`. Takes a while: call it in a thread."""
    try:
        octets = sum(entry.stat().st_size for entry in os.scandir(folder))
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read: {error.strerror}") from error
    seconds = SECONDS + octets / _OCTETS_A_SECOND
    trial: Contained[_Trial, dict[bytes, int]] = Contained(_open, seconds=seconds, memory=octets)
    try:
        return trial.ask(_Trial(folder, stamps))
    except Ended as error:
        if error.number in FROM_OUTSIDE:
            raise BundleError(f"{folder}: cannot be tried: {error}") from error
        raise OpeningCrashes(crash(folder, f"a process that opened it: {error}")) from error
    except MemoryError as error:
        raise BundleError(f"{folder}: cannot be tried: memory ran out") from error
    finally:
        trial.close()


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


def _open(trial: _Trial, _begin: Begin, _home: Home) -> dict[bytes, int]:
    with Bundle.open(trial.folder, verified_dir=trial.stamps) as bundle:
        return {info.apex: info.serial for info in bundle.zones()}

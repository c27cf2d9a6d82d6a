"""The folder of bundles: which one is live, switching it, and holding it against other builds.

``<output>/current`` is a symbolic link to the live bundle's folder beside it. It changes by one
rename, so that whoever looks finds either the old bundle or the new one, whatever happens.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lzc.bundle.manifest import ID, MANIFEST, BundleError, NoBundle

if TYPE_CHECKING:
    from lzc.bundle.reader import Bundle

CURRENT: Final = "current"
VERIFIED: Final = ".verified"
LOCK: Final = ".lock"
TEMPORARY: Final = ".build-"
"""How the names begin of folders that are no bundle, or not any more."""


class OutputBusy(Exception):
    """Another build is writing to the same output folder."""


@contextmanager
def locked(output: Path) -> Iterator[None]:
    """Hold the output folder (made if missing) against other builds, and remove what crashed ones
    left. Raises `OutputBusy` at once when it is held, `OSError` when it cannot be written."""
    output.mkdir(parents=True, exist_ok=True)
    with (output / LOCK).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputBusy(str(output)) from error
        leftovers = list(output.glob(f"{TEMPORARY}*"))
        if leftovers:
            # Here, as there are hardly ever any.
            import shutil

            for leftover in leftovers:
                shutil.rmtree(leftover, ignore_errors=True)
        yield


def verified_dir(output: Path) -> Path:
    """Where the verification stamps of a folder of bundles are."""
    return output / VERIFIED


def live(output: Path) -> Path:
    """The folder of the live bundle. Raises `BundleError`, `NoBundle` before the first build."""
    link = output / CURRENT
    try:
        target = os.readlink(link)  # noqa: PTH115
    except FileNotFoundError as error:
        raise NoBundle(f"no bundle was built yet: there is no {link}") from error
    except OSError as error:
        raise BundleError(f"{link}: not a link to a bundle: {error.strerror}") from error
    if not ID.fullmatch(target):
        raise BundleError(f"{link}: leads to {target!r}, which is no bundle beside it")
    if not (output / target).is_dir():
        raise BundleError(f"{link}: leads to {target}, which is not there")
    return output / target


def locate(path: Path) -> Path:
    """The bundle's folder that a path given by an operator means: the bundle itself, a link to it,
    or a folder of bundles, of which it is the live one. Raises `BundleError`, `NoBundle` where
    nothing was built."""
    if not os.path.lexists(path):
        raise NoBundle(f"no bundle was built yet: there is no {path}")
    # Not path.resolve(), which raises where links lead in a circle; opening it says so.
    folder = Path(os.path.realpath(path))
    if folder.is_dir() and not ID.fullmatch(folder.name) and not (folder / MANIFEST).exists():
        return live(path)
    return folder


def open_live(output: Path) -> Bundle:
    """Open the live bundle, trusting an earlier verification if its files did not change since."""
    # Who looks which bundle is live need not wait for what reads it to be imported.
    from lzc.bundle.reader import Bundle

    return Bundle.open(live(output), verified_dir=verified_dir(output))


def switch(output: Path, identity: str) -> None:
    """Make the bundle with this id the live one; on disk when this returns. Raises `OSError`."""
    fresh = output / f".{CURRENT}.new"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(identity)
    fresh.replace(output / CURRENT)
    sync_folder(output)


def sync_folder(folder: Path) -> None:
    """Bring a folder's entries to disk. Raises `OSError`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

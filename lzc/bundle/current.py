"""The folder of bundles: which one is live, and switching it.

``<output>/current`` is a symbolic link to the live bundle's folder beside it. It changes by one
rename, so that whoever looks finds either the old bundle or the new one, whatever happens.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from lzc.bundle.manifest import ID, MANIFEST, BundleError, NoBundle
from lzc.bundle.reader import Bundle

CURRENT: Final = "current"
VERIFIED: Final = ".verified"


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

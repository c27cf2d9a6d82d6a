"""Whether a bundle is what its manifest says, and remembering that it was.

Hashing everything costs time in proportion to the zones, so a full verification leaves a stamp: the
device, inode, size, modification and change time of each file. A file whose five did not change
was not written since (the change time cannot be set), and need not be read again.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from lzc.bundle import manifest as manifests
from lzc.bundle.manifest import MANIFEST, BundleError, Manifest

Stamp = dict[str, list[int]]


def verify(folder: Path, stamps: Path | None = None) -> tuple[Manifest, str]:
    """Check every file of a bundle and return its manifest and id; `BundleError` on any damage.

    ``folder`` must be the bundle's own folder, not a link to it. With ``stamps``, the folder of
    verification stamps, files that a stamp covers are not hashed, and a full verification leaves a
    stamp there (where the folder can be written).
    """
    manifest, identity = manifests.read(folder)
    present = _look(folder, manifest)
    if stamps is not None and _read_stamp(stamps / identity) == present:
        return manifest, identity
    for name, entry in sorted(manifest.files.items()):
        found = _sha256(folder / name)
        if found != entry.sha256:
            raise BundleError(
                f"{folder / name}: damaged: SHA-256 is {found}, the manifest says {entry.sha256}"
            )
    if _look(folder, manifest) != present:
        raise BundleError(f"{folder}: changed while it was being verified")
    if stamps is not None:
        # A bundle on a read-only file system is as good; it is only hashed at each start.
        with suppress(OSError):
            write_stamp(stamps, identity, present)
    return manifest, identity


def stamp_of(folder: Path) -> Stamp:
    """What a stamp records of each file of a bundle."""
    return {name: _mark((folder / name).lstat()) for name in (MANIFEST, *manifests.FILES)}


def write_stamp(stamps: Path, identity: str, stamp: Stamp) -> None:
    """Remember a full verification. Raises `OSError`."""
    stamps.mkdir(mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=stamps)
    try:
        with os.fdopen(handle, "w") as out:
            json.dump(stamp, out, sort_keys=True)
        Path(temporary).rename(stamps / identity)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def _look(folder: Path, manifest: Manifest) -> Stamp:
    wanted = {MANIFEST, *manifest.files}
    try:
        found = set(os.listdir(folder))  # noqa: PTH208
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read: {error.strerror}") from error
    for name in sorted(found - wanted):
        raise BundleError(f"{folder / name}: does not belong to the bundle")
    for name in sorted(wanted - found):
        raise BundleError(f"{folder / name}: is missing")
    stamp = {}
    for name in sorted(wanted):
        status = (folder / name).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{folder / name}: is not a regular file")
        if name in manifest.files and status.st_size != manifest.files[name].size:
            raise BundleError(
                f"{folder / name}: damaged: {status.st_size} octets,"
                f" the manifest says {manifest.files[name].size}"
            )
        stamp[name] = _mark(status)
    return stamp


def _mark(status: os.stat_result) -> list[int]:
    return [
        status.st_dev,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    ]


def _read_stamp(path: Path) -> object:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error

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
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from lzc import foreign_json
from lzc.bundle import manifest as manifests
from lzc.bundle.manifest import MANIFEST, BundleError, Manifest

Stamp = dict[str, list[int]]

_CHANGED: Final = 4
"""Where the change time stands among what is kept of a file."""


def verify(folder: Path, stamps: Path | None = None) -> tuple[Manifest, str]:
    """Check every file of a bundle and return its manifest and id; `BundleError` on any damage.

    ``folder`` must be the bundle's own folder, not a link to it. With ``stamps``, the folder of
    verification stamps, files that a stamp covers are not hashed, and a full verification leaves a
    stamp there (where the folder can be written).
    """
    manifest, identity = manifests.read(folder)
    present = stamp_of(folder, manifest)
    if stamps is not None and _read_stamp(stamps / identity) == present:
        return manifest, identity
    for name in sorted(manifest.files):
        verify_file(folder, manifest, name)
    if stamp_of(folder, manifest) != present:
        raise BundleError(f"{folder}: changed while it was being verified")
    if stamps is not None:
        # A bundle on a read-only file system is as good; it is only hashed at each start.
        with suppress(OSError):
            write_stamp(stamps, identity, present)
    return manifest, identity


def verify_file(folder: Path, manifest: Manifest, name: str) -> None:
    """Hash one file of a bundle. Raises `BundleError` unless it is as the manifest says."""
    found, wanted = sha256_of(folder / name), manifest.files[name].sha256
    if found != wanted:
        raise BundleError(
            f"{folder / name}: damaged: SHA-256 is {found}, the manifest says {wanted}"
        )


def valid_stamps(output: Path, stamps: Path) -> dict[str, Stamp]:
    """The stamps of bundles in ``output`` whose files did not change since, by the bundle's id."""
    found = {}
    for path in stamps.glob("[0-9a-f]*"):
        stamp = _read_stamp(path)
        with suppress(OSError, AttributeError, TypeError):
            if stamp == marks(output / path.name, stamp):
                found[path.name] = stamp
    return found


def renew_stamps(output: Path, stamps: Path, valid: Mapping[str, Stamp]) -> None:
    """Bring stamps up to date that were valid: bundles share files, whose change time moves when
    a bundle with the same file comes or goes. Raises `OSError`."""
    for identity, stamp in valid.items():
        try:
            now = marks(output / identity, stamp)
        except FileNotFoundError:
            continue
        if now != stamp and all(now[name][:_CHANGED] == stamp[name][:_CHANGED] for name in stamp):
            write_stamp(stamps, identity, now)


def write_stamp(stamps: Path, identity: str, stamp: Stamp) -> None:
    """Remember a full verification. Raises `OSError`."""
    # Most bundles were verified before.
    import tempfile

    stamps.mkdir(mode=0o755, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=".", dir=stamps)
    try:
        with os.fdopen(handle, "w") as out:
            out.write(json.dumps(stamp, sort_keys=True))
        Path(temporary).rename(stamps / identity)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def stamp_of(folder: Path, manifest: Manifest) -> Stamp:
    """What a stamp records of each file of a bundle. Raises `BundleError` where a look at the
    folder shows that the files are not those of the manifest."""
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
        status = os.lstat(f"{folder}/{name}")
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{folder / name}: is not a regular file")
        if name in manifest.files and status.st_size != manifest.files[name].size:
            raise BundleError(
                f"{folder / name}: damaged: {status.st_size} octets,"
                f" the manifest says {manifest.files[name].size}"
            )
        stamp[name] = _mark(status)
    return stamp


def marks(folder: Path, names: Iterable[str]) -> Stamp:
    """What a stamp records of files in a folder, whatever they are. Raises `OSError`."""
    return {name: _mark(os.lstat(f"{folder}/{name}")) for name in names}


def _mark(status: os.stat_result) -> list[int]:
    changed = status.st_mtime_ns, status.st_ctime_ns
    return [status.st_dev, status.st_ino, status.st_size, *changed]


def _read_stamp(path: Path) -> Any:
    try:
        return foreign_json.read(path)
    except (OSError, ValueError):
        return None


def sha256_of(path: Path) -> str:
    """The SHA-256 hash of a file, in hexadecimal digits. Raises `BundleError` where it cannot be
    read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read: {error.strerror}") from error

"""Writing a bundle so that a crash at any moment leaves the live one as it was.

Everything is written to a folder with a temporary name and brought to disk; then that folder gets
its real name, and last `current` is switched. What a crash leaves behind, the next build removes.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import lmdb

from lzc.bundle import current, manifest, verification
from lzc.bundle.manifest import BundleError, FileEntry, Manifest
from lzc.bundle.zone_info import ZoneInfo
from lzc.lua.health import Check

LOCK: Final = ".lock"
KEPT: Final = 3
"""Bundles kept in the output folder, the live one included."""

_TEMPORARY: Final = ".build-"


class OutputBusy(Exception):
    """Another build is writing to the same output folder."""


@dataclass(frozen=True, slots=True)
class CompiledZone:
    """What goes into a bundle of one zone: ``info`` (its transfer offset is set by the writer), the
    nodes by ascending key with the zone id in front, the transfer's messages, each after its 16-bit
    length, and the plans of its LUA records by `lzc.lua.plan.plan_key`."""

    info: ZoneInfo
    items: list[tuple[bytes, bytes]]
    messages: list[bytes]
    plans: Mapping[bytes, bytes] = field(default_factory=dict)


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
        for leftover in output.glob(f"{_TEMPORARY}*"):
            shutil.rmtree(leftover, ignore_errors=True)
        yield


def write(
    output: Path,
    zones: Sequence[CompiledZone],
    checks: Sequence[Check],
    *,
    version: str,
    inputs: Mapping[str, Any],
) -> str:
    """Write a bundle, make it the live one, and return its id. Call it under `locked`.

    ``zones`` are ordered by zone id. The same zones, checks, version and inputs give the same
    octets and the same id. Older bundles but the last few are removed. Raises `OSError`.
    """
    folder = output / f"{_TEMPORARY}{secrets.token_hex(8)}"
    folder.mkdir(mode=0o755)
    try:
        identity = _fill(folder, zones, checks, version, inputs)
        final = output / identity
        if _is_whole(final):
            os.utime(final)
            shutil.rmtree(folder)
        else:
            if final.exists():
                final.rename(output / f"{_TEMPORARY}damaged-{secrets.token_hex(8)}")
            folder.rename(final)
        current.sync_folder(output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    stamps = current.verified_dir(output)
    # Without a stamp the bundle is hashed once more when it is opened, that is all.
    with suppress(OSError):
        verification.write_stamp(stamps, identity, verification.stamp_of(final))
    current.switch(output, identity)
    _prune(output, identity)
    return identity


def _fill(
    folder: Path,
    zones: Sequence[CompiledZone],
    checks: Sequence[Check],
    version: str,
    inputs: Mapping[str, Any],
) -> str:
    entries: dict[str, FileEntry] = {}
    path = folder / manifest.TRANSFERS
    infos: list[ZoneInfo] = []
    with path.open("wb") as out:
        for zone in zones:
            infos.append(replace(zone.info, transfer_offset=out.tell()))
            out.writelines(zone.messages)
    entries[path.name] = _seal(path)
    path = folder / manifest.ZONES
    _write_zones(path, infos, zones)
    entries[path.name] = _seal(path)
    path = folder / manifest.CHECKS
    documents = sorted({check.to_json() for check in checks})
    path.write_text(json.dumps([json.loads(text) for text in documents], sort_keys=True) + "\n")
    entries[path.name] = _seal(path)
    encoded = Manifest(entries, version, inputs).encode()
    path = folder / manifest.MANIFEST
    path.write_bytes(encoded)
    _seal(path)
    current.sync_folder(folder)
    return manifest.bundle_id(encoded)


def _write_zones(path: Path, infos: Sequence[ZoneInfo], zones: Sequence[CompiledZone]) -> None:
    texts = sorted((info.apex, info.to_json()) for info in infos)
    # Zones share the plans of records that are the same.
    plans = sorted({key: plan for zone in zones for key, plan in zone.plans.items()}.items())
    size = _map_size([texts, plans, *(zone.items for zone in zones)])
    environment = lmdb.open(
        str(path),
        map_size=size,
        subdir=False,
        mode=0o644,
        lock=False,
        sync=False,
        metasync=False,
        max_dbs=3,
    )
    try:
        with environment.begin(write=True) as transaction:
            nodes_db = environment.open_db(b"nodes", txn=transaction)
            zones_db = environment.open_db(b"zones", txn=transaction)
            with transaction.cursor(db=nodes_db) as cursor:
                for zone in zones:
                    cursor.putmulti(zone.items, dupdata=False, append=True)
            with transaction.cursor(db=zones_db) as cursor:
                cursor.putmulti(texts, dupdata=False, append=True)
            plans_db = environment.open_db(b"plans", txn=transaction)
            with transaction.cursor(db=plans_db) as cursor:
                cursor.putmulti(plans, dupdata=False, append=True)
    except lmdb.Error as error:
        raise OSError(errno.EIO, str(error), str(path)) from error
    finally:
        environment.close()


def _map_size(tables: Sequence[Sequence[tuple[bytes, bytes]]]) -> int:
    """Octets that surely hold the tables. It stands in the file, so it must follow from the data:
    a page is at least half full, an entry has up to 16 octets of overhead."""
    total = sum(map(len, chain.from_iterable(chain.from_iterable(tables))))
    total += 16 * sum(map(len, tables))
    return (total * 2 + total // 8 + (1 << 21)) >> 20 << 20


def _seal(path: Path) -> FileEntry:
    """Bring a file to disk; its size and hash."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return FileEntry(file.tell(), digest)


def _is_whole(folder: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    try:
        verification.verify(folder)
    except BundleError:
        return False
    return True


def _prune(output: Path, identity: str) -> None:
    others = [
        folder
        for folder in output.iterdir()
        if manifest.ID.fullmatch(folder.name) and folder.name != identity and folder.is_dir()
    ]
    others.sort(key=lambda folder: (folder.stat().st_mtime_ns, folder.name), reverse=True)
    for folder in others[KEPT - 1 :]:
        # Renamed first: a folder with a bundle's name is a whole bundle or does not exist.
        doomed = output / f"{_TEMPORARY}old-{folder.name}"
        with suppress(OSError):
            folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
    stamps = current.verified_dir(output)
    if stamps.is_dir():
        for stamp in stamps.iterdir():
            if not (output / stamp.name).is_dir():
                stamp.unlink(missing_ok=True)

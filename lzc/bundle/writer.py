"""Writing a bundle so that a crash at any moment leaves the live one as it was.

Everything is written to a folder with a temporary name and brought to disk; then that folder gets
its real name, and last `current` is switched. What a crash leaves behind, the next build removes.
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import lmdb

from lzc.bundle import current, manifest, shards, verification
from lzc.bundle.check_list import CheckList
from lzc.bundle.kept_deltas import KeptDeltas
from lzc.bundle.manifest import Base, BundleError, FileEntry, Manifest
from lzc.bundle.serial_store import SerialStore
from lzc.bundle.zone_info import ZoneInfo
from lzc.health_check import Check
from lzc.lua.health.constants import Constants

KEPT: Final = 3
"""Bundles kept in the output folder, the live one included."""

_TOGETHER: Final = 8
"""Files brought to disk at once, where there are so many."""


@dataclass(frozen=True, slots=True)
class CompiledZone:
    """What goes into a bundle of one zone: ``info`` (its transfer offset is set by the writer), the
    nodes by ascending key with the zone id in front, the transfer's messages, each after its 16-bit
    length, the plans of its LUA records by `lzc.lua.plan.plan_key`, and its NSEC3 chain: by
    ascending hash, zone id in front, the next hash and the Type Bit Maps field. Of a presigned zone
    ``signatures`` are by node key, zone id in front, in order (`lzc.bundle.signatures`)."""

    info: ZoneInfo
    items: list[tuple[bytes, bytes]]
    messages: list[bytes]
    plans: Mapping[bytes, bytes] = field(default_factory=dict)
    chain: list[tuple[bytes, bytes]] = field(default_factory=list)
    signatures: list[tuple[bytes, bytes]] = field(default_factory=list)


def write(
    output: Path,
    zones: Sequence[CompiledZone],
    checks: Sequence[Check],
    *,
    version: str,
    inputs: Mapping[str, Any],
    base: Base | None = None,
    constants: Mapping[bytes, Constants] | None = None,
    serials: SerialStore | None = None,
    deltas: KeptDeltas | None = None,
) -> str:
    """Write a bundle, make it the live one, and return its id. Call it under
    `lzc.bundle.current.locked`.

    ``zones`` are ordered by zone id and numbered by `lzc.bundle.shards.ids`. With ``base``,
    they are those of the shards that it does not have, and ``checks`` may be empty where it has
    them. ``constants`` are those of zones, by apex (`lzc.bundle.check_list`). ``serials``, those of
    the new bundle among them, are saved before it is live: none is ever given twice. So are
    ``deltas``, which lead to what its zones are; where they cannot be, that keeps nothing from
    going live, and they have the reason.
    The same zones, checks, version and inputs give the same octets and the same id. Older
    bundles but the last few are removed. Raises `OSError`.
    """
    folder = output / f"{current.TEMPORARY}{secrets.token_hex(8)}"
    stamps = current.verified_dir(output)
    valid = verification.valid_stamps(output, stamps)
    folder.mkdir(mode=0o755)
    try:
        listed = CheckList(tuple(checks), constants or {})
        made, identity = _fill(folder, zones, listed, version, inputs, base)
        final = output / identity
        with suppress(OSError):
            verification.renew_stamps(output, stamps, valid)
        if _is_whole(final, stamps):
            os.utime(final)
            shutil.rmtree(folder)
        else:
            if final.exists():
                final.rename(output / f"{current.TEMPORARY}damaged-{secrets.token_hex(8)}")
            folder.rename(final)
        current.sync_folder(output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    _prune(output, identity)
    # Without a stamp the bundle is hashed once more when it is opened, that is all.
    with suppress(OSError):
        verification.renew_stamps(output, stamps, valid)
        verification.write_stamp(stamps, identity, verification.stamp_of(final, made))
    if deltas is not None:
        deltas.save(output)
    if serials is not None:
        serials.cover(identity)
        serials.save(output)
    current.switch(output, identity)
    return identity


def _fill(
    folder: Path,
    zones: Sequence[CompiledZone],
    listed: CheckList,
    version: str,
    inputs: Mapping[str, Any],
    base: Base | None,
) -> tuple[Manifest, str]:
    entries: dict[str, FileEntry] = {}
    taken: frozenset[int] = frozenset()
    count = shards.count(len(zones))
    if base is not None:
        taken, count = base.shards, base.manifest.shards
        for name in base.files():
            entries[name] = _take_over(base, name, folder)
    by_shard: dict[int, list[CompiledZone]] = {number: [] for number in range(count)}
    for zone in zones:
        by_shard[shards.of_zone_id(zone.info.zone_id)].append(zone)
    made = [number for number in range(count) if number not in taken]
    for number in made:
        _write_shard(folder, number, by_shard[number])
    names = manifest.shard_files(*made)
    if manifest.CHECKS not in entries:
        names.append(manifest.CHECKS)
        (folder / manifest.CHECKS).write_bytes(listed.to_octets())
    entries |= _seal_all(folder, names)
    content = Manifest(entries, version, inputs)
    encoded = content.encode()
    path = folder / manifest.MANIFEST
    path.write_bytes(encoded)
    _seal(path)
    current.sync_folder(folder)
    return content, manifest.bundle_id(encoded)


def _take_over(base: Base, name: str, folder: Path) -> FileEntry:
    """Have a file of the live bundle in the new one: the same file under a second name, or a copy
    where the file system does not give it one."""
    entry = base.manifest.files[name]
    try:
        (folder / name).hardlink_to(base.folder / name)
    except OSError:
        shutil.copyfile(base.folder / name, folder / name)
        if _seal(folder / name) != entry:
            raise OSError(errno.EIO, "not what was written", str(base.folder / name)) from None
    return entry


def _write_shard(folder: Path, number: int, zones: Sequence[CompiledZone]) -> None:
    infos: list[ZoneInfo] = []
    with (folder / manifest.transfers_file(number)).open("wb") as out:
        for zone in zones:
            infos.append(replace(zone.info, transfer_offset=out.tell()))
            out.writelines(zone.messages)
    _write_zones(folder / manifest.zones_file(number), infos, zones)


def _write_zones(path: Path, infos: Sequence[ZoneInfo], zones: Sequence[CompiledZone]) -> None:
    texts = sorted((info.apex, info.to_json()) for info in infos)
    # Zones share the plans of records that are the same.
    plans = sorted({key: plan for zone in zones for key, plan in zone.plans.items()}.items())
    parts = [part for zone in zones for part in (zone.items, zone.chain, zone.signatures)]
    size = _map_size([texts, plans, *parts])
    environment = lmdb.open(
        os.fsencode(path),
        map_size=size,
        subdir=False,
        mode=0o644,
        lock=False,
        sync=False,
        metasync=False,
        max_dbs=manifest.DATABASES,
    )
    try:
        with environment.begin(write=True) as transaction:
            nodes_db = environment.open_db(b"nodes", txn=transaction)
            zones_db = environment.open_db(b"zones", txn=transaction)
            with transaction.cursor(db=nodes_db) as cursor:
                for zone in zones:
                    cursor.putmulti(zone.items, dupdata=False, append=True)
            hashes_db = environment.open_db(b"hashes", txn=transaction)
            with transaction.cursor(db=hashes_db) as cursor:
                for zone in zones:
                    cursor.putmulti(zone.chain, dupdata=False, append=True)
            signatures_db = environment.open_db(b"signatures", txn=transaction)
            with transaction.cursor(db=signatures_db) as cursor:
                for zone in zones:
                    cursor.putmulti(zone.signatures, dupdata=False, append=True)
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


def _seal_all(folder: Path, names: Sequence[str]) -> dict[str, FileEntry]:
    paths = [folder / name for name in names]
    if len(paths) < _TOGETHER:
        return dict(zip(names, map(_seal, paths), strict=True))
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(_TOGETHER) as pool:
        return dict(zip(names, pool.map(_seal, paths), strict=True))


def _is_whole(folder: Path, stamps: Path) -> bool:
    if not folder.is_dir() or folder.is_symlink():
        return False
    try:
        verification.verify(folder, stamps)
    except BundleError:
        return False
    return True


def _prune(output: Path, identity: str) -> None:
    """Remove the oldest bundles, but never the one that is still live."""
    try:
        live = current.live(output).name
    except BundleError:
        live = ""
    others = [
        folder
        for folder in output.iterdir()
        if manifest.ID.fullmatch(folder.name) and folder.name != identity and folder.is_dir()
    ]
    others.sort(key=lambda one: (one.name == live, one.stat().st_mtime_ns, one.name), reverse=True)
    for folder in others[KEPT - 1 :]:
        # Renamed first: a folder with a bundle's name is a whole bundle or does not exist.
        doomed = output / f"{current.TEMPORARY}old-{folder.name}"
        with suppress(OSError):
            folder.rename(doomed)
            shutil.rmtree(doomed, ignore_errors=True)
    stamps = current.verified_dir(output)
    if stamps.is_dir():
        for stamp in stamps.iterdir():
            if not (output / stamp.name).is_dir():
                stamp.unlink(missing_ok=True)

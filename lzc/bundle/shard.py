"""One shard of an open bundle: its LMDB environment and its transfers, mapped.

LMDB must not map the same file twice in one process, but a server that reloads has two bundles
open for a moment, and they may be the same one: it is opened once, however often it is asked for.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb

from lzc.bundle import manifest as manifests
from lzc.bundle.manifest import BundleError, Manifest


class Shard:
    """The files of one shard of a verified bundle; close it. ``cursor`` is at the nodes,
    ``hash_cursor`` at the NSEC3 chains, which are ``hashes``; ``signatures`` are those of presigned
    zones."""

    __slots__ = (
        *("_store", "_zones", "count", "cursor", "hash_cursor", "hashes", "path", "plans"),
        *("signatures", "transaction", "transfers"),
    )

    def __init__(self, folder: Path, number: int, manifest: Manifest) -> None:
        """Raises `BundleError`."""
        name = manifests.zones_file(number)
        self.path = folder / name
        transfers = manifests.transfers_file(number)
        self.transfers = map_file(folder / transfers, manifest.files[transfers].size)
        try:
            environment, self._store = open_store(self.path, manifest.files[name].size)
        except (OSError, lmdb.Error) as error:
            raise BundleError(f"{self.path}: cannot be opened: {error}") from error
        try:
            self._zones = environment.open_db(b"zones", create=False)
            nodes = environment.open_db(b"nodes", create=False)
            self.plans = environment.open_db(b"plans", create=False)
            self.hashes = environment.open_db(b"hashes", create=False)
            self.signatures = environment.open_db(b"signatures", create=False)
            self.transaction: Any = environment.begin(db=nodes)
            self.cursor: Any = self.transaction.cursor()
            self.hash_cursor: Any = self.transaction.cursor(db=self.hashes)
            self.count = int(self.transaction.stat(self._zones)["entries"])
        except lmdb.Error as error:
            close_store(self._store)
            raise BundleError(f"{self.path}: cannot be opened: {error}") from error

    def close(self) -> None:
        """Let go of the files."""
        self.cursor.close()
        self.hash_cursor.close()
        self.transaction.abort()
        close_store(self._store)
        # A transfer still under way holds a buffer; the pages go when it lets go of it.
        with suppress(BufferError):
            self.transfers.release()

    def zone(self, apex: bytes) -> bytes | None:
        """What `lzc.bundle.zone_info.ZoneInfo` wrote of a zone."""
        found: bytes | None = self.transaction.get(apex, db=self._zones)
        return found

    def zones(self) -> Iterator[tuple[bytes, bytes]]:
        """Apex and `zone` of all zones, ordered by the octets of their apex."""
        with self.transaction.cursor(db=self._zones) as cursor:
            yield from cursor

    def items(self, prefix: bytes, first: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """Keys, with the zone's id ``prefix`` in front, and nodes of a zone, in canonical order;
        from the key ``first`` on, which has no prefix."""
        return self._items(prefix, self.transaction.cursor(), first)

    def chain(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Hashes, with the zone's id ``prefix`` in front, and what the NSEC3 RR of each says."""
        return self._items(prefix, self.transaction.cursor(db=self.hashes))

    def signed_names(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys, with the zone's id ``prefix`` in front, of the names of a presigned zone that have
        signatures, and these (`lzc.bundle.signatures`)."""
        return self._items(prefix, self.transaction.cursor(db=self.signatures))

    def _items(
        self, prefix: bytes, all_of_them: Any, first: bytes = b""
    ) -> Iterator[tuple[bytes, bytes]]:
        with all_of_them as cursor:
            if not cursor.set_range(prefix + first):
                return
            for item in cursor:
                if item[0][:4] != prefix:
                    return
                yield item

    def plan(self, key: bytes) -> bytes | None:
        """The plan of a LUA record by `lzc.lua.plan.plan_key`."""
        found: bytes | None = self.transaction.get(key, db=self.plans)
        return found

    def all_plans(self) -> dict[bytes, bytes]:
        """The plans of all LUA records in the shard, by `lzc.lua.plan.plan_key`."""
        with self.transaction.cursor(db=self.plans) as cursor:
            return dict(cursor)


def map_file(path: Path, size: int) -> memoryview:
    """A file of ``size`` octets, mapped to be read. Raises `BundleError`."""
    try:
        with path.open("rb") as file:
            # Pages of a mapping that are not in the file end the process when they are read.
            if os.fstat(file.fileno()).st_size != size:
                raise BundleError(f"{path}: damaged: its size changed since it was verified")
            if not size:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ))
    except OSError as error:
        raise BundleError(f"{path}: cannot be mapped: {error.strerror}") from error


@dataclass(slots=True)
class _Shared:
    environment: Any
    users: int


_opened: dict[tuple[int, int], _Shared] = {}


def open_store(path: Path, size: int) -> tuple[Any, tuple[int, int]]:
    """The LMDB environment of a file of ``size`` octets, read-only, and a handle to give back to
    `close_store`. Raises `OSError` and `lmdb.Error`."""
    status = path.stat()
    if status.st_size != size:
        raise OSError("its size changed since it was verified")
    handle = (status.st_dev, status.st_ino)
    shared = _opened.get(handle)
    if shared is None:
        environment = lmdb.open(
            os.fsencode(path),
            map_size=size,
            subdir=False,
            readonly=True,
            lock=False,
            create=False,
            max_dbs=manifests.DATABASES,
            readahead=False,
        )
        if not _fits(environment, size):
            environment.close()
            raise OSError("it says that it has more pages than are there")
        shared = _opened[handle] = _Shared(environment, 0)
    shared.users += 1
    return shared.environment, handle


def _fits(environment: Any, size: int) -> bool:
    """Whether all pages that may be pointed to are in the file: LMDB refuses any other, but a page
    that is not there ends the process that reads it."""
    pages: int = environment.info()["last_pgno"] + 1
    return pages * int(environment.stat()["psize"]) <= size


def close_store(handle: tuple[int, int]) -> None:
    """Give an environment back; the last one to do so closes it."""
    shared = _opened[handle]
    shared.users -= 1
    if not shared.users:
        del _opened[handle]
        shared.environment.close()

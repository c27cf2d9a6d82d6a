"""The bundle's ordered store, opened once in a process however often it is asked for.

LMDB must not map the same file twice in one process, but a server that reloads has two bundles
open for a moment, and they may be the same one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lmdb


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
            max_dbs=3,
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

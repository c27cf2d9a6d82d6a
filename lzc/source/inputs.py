"""The files that zones are read from, and whether they are still what was read.

A file whose device, inode, size, modification and change time are as before was not written since,
unless it was written within the moment for which those times stand still. A file that had changed
so shortly before it was read is known by its hash alone.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Sequence
from operator import is_
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from lzc.source.reach import Reach, open_regular

if TYPE_CHECKING:
    from lzc.zone.model import Input

SETTLED: Final = 2_000_000_000
"""Nanoseconds after which the times of a file have moved on every file system."""


Plain = tuple[str, str, bytes, tuple[int, ...]]
"""The fields of an `Input`."""


def read(path: str, real: Path, limit: int = -1, reach: Reach | None = None) -> tuple[bytes, Input]:
    """At most ``limit`` octets of a regular file (-1: all), whose path without links is ``real``.
    Raises `OSError`, and `lzc.source.reach.Refused` for a file that is not in ``reach``."""
    # Who finds all files as they were need not wait for zones to be imported.
    from lzc.zone.model import Input

    handle = open_regular(str(real)) if reach is None else reach.open(str(real))
    with os.fdopen(handle, "rb") as file:
        mark = _settled(os.fstat(file.fileno()))
        text = file.read(limit)
    return text, Input(path, str(real), hashlib.sha256(text).digest(), mark)


def look(path: str) -> Plain:
    """A file, or a folder, that is known by its times alone; whoever reads it calls this before.
    Raises `OSError`."""
    real = os.path.realpath(path)
    return path, real, b"", _settled(os.lstat(real))


def mark_of(status: os.stat_result) -> tuple[int, ...]:
    """The mark of a file, whenever it changed."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _settled(status: os.stat_result) -> tuple[int, ...]:
    changed = max(status.st_mtime_ns, status.st_ctime_ns)
    return mark_of(status) if time.time_ns() - changed > SETTLED else ()


class Files:
    """The files as they are now, each folder and each file that changed looked at once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}
        self._changed: dict[Plain, Plain | None] = {}

    def still(self, known: Sequence[Plain]) -> Sequence[Plain] | None:
        """The same inputs, their marks brought up to date, where their content is what it was;
        ``None`` where it is not, or cannot be told. ``known`` itself where nothing is new."""
        if self.untouched(known):
            return known
        fresh = []
        for one in known:
            now = one if self.untouched((one,)) else self._look_inside(one)
            if now is None:
                return None
            fresh.append(now)
        return known if all(map(is_, fresh, known)) else fresh

    def untouched(self, known: Sequence[Plain]) -> bool:
        """Whether files were surely not written since: a look at their marks alone."""
        for path, real, _, mark in known:
            status = self._status(path, real)
            if status is None or mark != mark_of(status):
                return False
        return True

    def in_place(self, known: Plain) -> bool:
        """Whether there still is a file of that name in the same folder, whatever is in it."""
        path, real, _, _ = known
        return self._status(path, real) is not None

    def _status(self, path: str, real: str) -> os.stat_result | None:
        """The status of a regular file, which is no link and stands where ``real`` says."""
        try:
            status = os.lstat(path)
        except OSError:
            return None
        folder, _, name = path.rpartition("/")
        found = self._folders.get(folder)
        if found is None:
            found = self._folders[folder] = os.path.realpath(folder)
        return status if S_ISREG(status.st_mode) and f"{found}/{name}" == real else None

    def _look_inside(self, known: Plain) -> Plain | None:
        if known not in self._changed:
            self._changed[known] = _read_again(known)
        return self._changed[known]


def _read_again(known: Plain) -> Plain | None:
    path, real, sha256, _ = known
    try:
        if os.path.realpath(path) != real:
            return None
        found = read(path, Path(real))[1]
    except OSError:
        return None
    return (path, real, sha256, found.mark) if found.sha256 == sha256 else None

"""Temporary folders that do not outlive their process for long, however it ends.

A process that is killed removes nothing. So each folder holds a lock, which the kernel opens when
its process is gone, and whoever makes such a folder removes those whose lock is open. Children that
outlive the process, hang or take their time to end keep nothing locked.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"
_PREFIX: Final = "lzc-"
_NAME: Final = re.compile(r"lzc-[a-z]+-[a-z0-9_]{8}")
_MADE: Final = 60.0
"""Seconds after which nobody is about to make a lock in a folder that has none."""

_held: Final[set[int]] = set()
"""The locks of this process."""


def _let_go() -> None:
    for handle in _held:
        os.close(handle)
    _held.clear()


# A lock is held until all are gone who have it open, and a fork has.
os.register_at_fork(after_in_child=_let_go)


@contextmanager
def private_folder(purpose: str) -> Iterator[Path]:
    """A folder for this user alone, below that for temporary files (TMPDIR), removed in the end;
    ``purpose`` is part of its name. Raises `OSError`."""
    remove_abandoned()
    folder, handle = _make(purpose)
    _held.add(handle)
    try:
        yield folder
    finally:
        remove(folder)
        _held.discard(handle)
        os.close(handle)


def remove(folder: Path) -> None:
    """Remove such a folder, as far as that is possible. The lock goes last: nobody takes what is
    left for abandoned without it, and whoever does this may be killed, too."""
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name == LOCK:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                with suppress(OSError):
                    path.unlink()
        if [path.name for path in folder.iterdir()] == [LOCK]:
            (folder / LOCK).unlink()
        folder.rmdir()


def remove_abandoned() -> None:
    """Remove the folders of this user's processes that were killed."""
    with suppress(OSError), os.scandir(tempfile.gettempdir()) as entries:
        for entry in entries:
            if entry.name.startswith(_PREFIX):
                with suppress(OSError):
                    _remove_abandoned(Path(entry.path))


def _remove_abandoned(folder: Path) -> None:
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
        return
    try:
        handle = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        # Its process was killed before it made the lock. What is not empty is not ours, and stays.
        if _NAME.fullmatch(folder.name) and time.time() - status.st_mtime > _MADE:
            folder.rmdir()
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(folder)
    finally:
        os.close(handle)


def _make(purpose: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        try:
            handle = os.open(folder / LOCK, flags, 0o600)
        except FileNotFoundError:
            continue  # to somebody with another clock it was abandoned
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the two lines somebody may have taken it for abandoned.
            if (folder / LOCK).exists():
                return folder, handle
        except BlockingIOError:
            pass
        os.close(handle)

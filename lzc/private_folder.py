"""Temporary folders that do not outlive their process for long, however it ends.

A process that is killed removes nothing. So each folder holds a lock, which the kernel opens when
its process is gone, and whoever makes such a folder removes those whose lock is open.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

LOCK: Final = ".lock"
_PREFIX: Final = "lzc-"


@contextmanager
def private_folder(purpose: str) -> Iterator[Path]:
    """A folder for this user alone, below that for temporary files (TMPDIR), removed in the end;
    ``purpose`` is part of its name. Children that are forked hold its lock too. Raises `OSError`.
    """
    remove_abandoned()
    folder, handle = _make(purpose)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


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
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(handle)


def _make(purpose: str) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}-"))
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        handle = os.open(folder / LOCK, flags, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between the two lines somebody may have taken it for abandoned.
            if (folder / LOCK).exists():
                return folder, handle
        except BlockingIOError:
            pass
        os.close(handle)

"""A file beside the control socket that holds what a server knows, for its next start: JSON, for
its owner alone. One that is damaged, of another version, or that others may have written is as good
as none."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from lzc import foreign_json
from lzc.foreign_text import shown

log = logging.getLogger("lzc")

T = TypeVar("T")


class Words(NamedTuple):
    """For the log: ``what`` the file holds, and what follows where that is ``lost``."""

    what: str
    lost: str


def read(path: Path, decode: Callable[[Any], T], words: Words) -> tuple[T, float] | None:
    """What ``decode`` makes of the document, and when the file was written last, in seconds since
    the epoch; `None` where it is not there, and where it is not used, which is logged. ``decode``
    may raise whatever a document of another form has it raise."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        log.error("%s cannot be read: %s", words.what, shown(error))
        return None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        whose = ""
        if not stat.S_ISREG(status.st_mode) or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            whose = "others may write it"
        elif status.st_uid not in (0, os.geteuid()):
            # Beside a socket in a folder for all, such as /tmp, anybody may have put one in time.
            whose = "another user's"
        if whose:
            log.error("%s: %s, so %s", shown(path), whose, words.lost)
            return None
        try:
            return decode(foreign_json.parse(file.read(foreign_json.MOST))), status.st_mtime
        except (
            *(OSError, ValueError, TypeError, KeyError),
            *(AttributeError, OverflowError, RecursionError),
        ) as error:
            damaged = "%s: damaged, so %s: %s"
            log.error(damaged, shown(path), words.lost, shown(repr(error)))
            return None


def write(path: Path, document: Any) -> None:
    """Replace the file, for its owner alone. Raises `OSError`."""
    text = json.dumps(document, separators=(",", ":")).encode()
    fresh = path.with_name(path.name + ".new")
    with contextlib.suppress(FileNotFoundError):
        fresh.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
    with os.fdopen(os.open(fresh, flags, 0o600), "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)

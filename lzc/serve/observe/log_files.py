"""Whether the files of the log can be written: looked at before a server starts, and before a
reload takes other ones. Of what becomes of them later, only what counts lost lines can tell."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from lzc.config import Config
from lzc.config.faults import locate
from lzc.faults import Fault, InputError, Place
from lzc.foreign_text import shown
from lzc.serve.observe.log_output import APPEND, JOURNALD, MODE, STDERR

_PASSES: Final = frozenset((errno.ENOSPC, errno.EDQUOT, errno.ENXIO))
"""A disk that is full, and a pipe that nobody reads yet: no fault of the settings."""


def check_log_files(config: Config, before: Config | None = None) -> None:
    """Open each file of the log once, unless a server that logs as ``before`` says has it anyway.
    Raises `InputError` for those that cannot be written."""
    had = set() if before is None else {path for _, path in _files(before)}
    faults = [
        fault
        for key, path in _files(config)
        if path not in had and (fault := _fault(config, key, path)) is not None
    ]
    if faults:
        raise InputError(faults)


def _files(config: Config) -> Iterator[tuple[str, Path]]:
    serve = config.serve
    if serve.log not in (STDERR, JOURNALD):
        yield "log", config.path(serve.log)
    if serve.query_log and serve.query_log_file is not None:
        yield "query-log-file", config.path(serve.query_log_file)


def _fault(config: Config, key: str, path: Path) -> Fault | None:
    there = path.exists()
    try:
        os.close(os.open(path, APPEND, MODE))
    except OSError as error:
        if error.errno in _PASSES:
            return None
        reason = error.strerror
    else:
        if not there:
            # Who is refused for another reason changes nothing.
            path.unlink(missing_ok=True)
        return None
    where = f"{key} of [serve]"
    fix = f"let this user write it, or choose another path in {where}"
    if not path.parent.is_dir():
        fix = f"make the folder: mkdir -p {shown(path.parent)}; or choose another path in {where}"
    else:
        with suppress(OSError):
            if stat.S_ISDIR(path.stat().st_mode):
                fix = f"name a file in that folder in {where}"
    return Fault(
        _place(config, key),
        "log-file",
        f"{where}: {shown(path)} cannot be written: {reason}",
        "its lines would be lost",
        fix,
    )


def _place(config: Config, key: str) -> Place:
    """Where the setting stands, as far as its file can be read again."""
    try:
        return locate(str(config.file), config.file.read_text("utf-8"), ("serve", key))
    except (OSError, UnicodeError):
        return Place(str(config.file))

"""The certificates that settings about TLS name, read with care for who can write them."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from lzc.faults import InputError
from lzc.file_owner import stranger, take_over


def read(path: Path, rule: str, what: str) -> bytes:
    """What is in a file of certificates, which anybody may read, but nobody else may write. Raises
    `InputError` with ``rule``."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read()
    except OSError as error:
        problem = f"{what} cannot be read: {error.strerror}"
        fix = f"create the file, or correct {rule}-file in [serve] of lzc.toml"
        raise InputError.at(path, f"{rule}-unreadable", problem, fix=fix) from error
    why = "whoever writes it can pass for this server, or for a secondary"
    owner = stranger(status, path)
    if owner:
        problem = f"{what} belongs to another user ({owner})"
        raise InputError.at(path, f"{rule}-owner", problem, why, take_over(path))
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problem, fix = f"{what} can be written by others", f"chmod go-w {shlex.quote(str(path))}"
        raise InputError.at(path, f"{rule}-exposed", problem, why, fix)
    return raw.strip()

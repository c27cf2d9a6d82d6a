"""Secrets in files that nobody else may read."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from lzc.faults import Fault, InputError, Place
from lzc.file_owner import stranger, take_over


def read_secret(path: Path, rule: str, what: str, *, why: str, fix: str) -> bytes:
    """What a file holds that nobody else may read, without blanks around it.

    Raises `InputError` with ``rule`` when the file cannot be read, for which ``fix`` says what to
    do, is open to others (mode beyond 0600/0640), or belongs to a stranger, of which ``why`` says
    what comes.
    """
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            raw = file.read()
    except OSError as error:
        problem = f"{what} cannot be read: {error.strerror}"
        fault = Fault(Place(str(path)), f"{rule}-unreadable", problem, fix=fix)
        raise InputError(fault) from error
    owner = stranger(status, path)
    if owner:
        problem = f"{what} belongs to another user ({owner})"
        fault = Fault(Place(str(path)), f"{rule}-owner", problem, why=why, fix=take_over(path))
        raise InputError(fault)
    if status.st_mode & (stat.S_IWGRP | stat.S_IRWXO):
        problem, fix = f"{what} is open to other users", f"chmod 600 {shlex.quote(str(path))}"
        fault = Fault(Place(str(path)), f"{rule}-exposed", problem, why=why, fix=fix)
        raise InputError(fault)
    return raw.strip()

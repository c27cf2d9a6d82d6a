"""Whose a file is that holds a secret, and what is said where that is a stranger.

Who owns a file can read it, open it to others and put another in its place, whatever its mode says.
"""

from __future__ import annotations

import os
import pwd
import shlex
from pathlib import Path


def stranger(status: os.stat_result, path: Path) -> str:
    """The owner of an opened file, by name where it has one, if that is neither the user who runs
    this process nor root; empty otherwise. For root itself, the owner of the folder ``path`` is in
    is as good: a service whose files those are may be started by root."""
    me = os.geteuid()
    if status.st_uid in (me, 0):
        return ""
    if me == 0:
        try:
            if path.parent.stat().st_uid == status.st_uid:
                return ""
        except OSError:
            pass
    try:
        return pwd.getpwuid(status.st_uid).pw_name
    except KeyError:
        return f"number {status.st_uid}"


def take_over(path: Path) -> str:
    """The command that makes the user of this process the owner."""
    return f"chown {os.geteuid()} {shlex.quote(str(path))}"

"""Secrets of the settings that a server cannot use, or that others may read.

Warnings, though a server goes without such a TSIG key and does not start without its cookie secret:
a bundle may be built where the secrets are not.
"""

from __future__ import annotations

import shlex
import stat
from collections.abc import Iterator
from dataclasses import replace

from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import Config
from lzc.faults import Fault, InputError, Severity


def check_secrets(config: Config, file: ConfigFile) -> list[Fault]:
    """Warnings about the secrets in files, and those in ``lzc.toml`` itself."""
    return [
        replace(fault, severity=Severity.WARNING)
        for fault in (*_unusable(config), *_exposed(config, file))
    ]


def _unusable(config: Config) -> Iterator[Fault]:
    for name in config.tsig:
        try:
            config.tsig_secret(name)
        except InputError as error:
            yield from error.faults
    try:
        config.cookie_secret()
    except InputError as error:
        yield from error.faults


def _exposed(config: Config, file: ConfigFile) -> Iterator[Fault]:
    inside = [name for name, section in config.tsig.items() if section.secret is not None]
    try:
        mode = config.file.stat().st_mode
    except OSError:
        return
    if not inside or not mode & stat.S_IRWXO:
        return
    yield Fault(
        file.place(f'[tsig."{inside[0]}"]', inside[0]),
        "tsig-secret-exposed",
        f"the secret of TSIG key {inside[0]} stands in a file that is open to other users"
        f" (mode {stat.S_IMODE(mode):04o})",
        why="whoever reads it can transfer and forge your zones",
        fix=f"chmod 600 {shlex.quote(file.shown_as)}; or put it into a file of its own, with mode"
        " 0600, named by secret-file",
    )

"""What settings about TLS need of each other, and the certificates that they name."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lzc.faults import Fault, InputError, Place
from lzc.file_owner import stranger, take_over

if TYPE_CHECKING:
    from lzc.config.whole import Config


def check_tls(config: Config, place: Callable[..., Place]) -> Iterator[Fault]:
    """What is said of TLS, and not all that it needs."""
    serve = config.serve
    wanting = [
        key
        for key, value in (
            ("tls-certificate-file", serve.tls_certificate_file),
            ("tls-key-file", serve.tls_key_file),
        )
        if value is None
    ]
    if serve.tls_listen and wanting:
        yield Fault(
            place("serve", "tls-listen"),
            "tls-certificate",
            f"tls-listen needs {' and '.join(wanting)}",
            fix="name the files in [serve]; how they are made: lzc help xot",
        )
    for index, secondary in enumerate(config.secondary):
        keys = [
            key
            for key, said in (
                ("require-tls", secondary.require_tls),
                ("tls-pins", secondary.tls_pins),
                ("tls-name", secondary.tls_name),
            )
            if said
        ]
        if keys and not serve.tls_listen:
            yield Fault(
                place("secondary", index, keys[0]),
                "tls-listen",
                f"secondary {secondary.name} has {keys[0]}, and there is no TLS",
                "it would get no zone",
                "set tls-listen in [serve], such as 192.0.2.1:853",
            )
        if secondary.tls_name is not None and serve.tls_client_ca_file is None:
            yield Fault(
                place("secondary", index, "tls-name"),
                "tls-client-ca",
                f"secondary {secondary.name} has tls-name, and no CA vouches for it",
                "anybody could put that name in a certificate",
                "set tls-client-ca-file in [serve], or name its key in tls-pins",
            )


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

"""The files that settings about TLS name, and the pins of secondaries: what a server could not use,
or could not for long.

Warnings, as for other secrets: a bundle may be built where these files are not.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import Config
from lzc.config.tls_material import DAY, Shown, out_of_date, read_material
from lzc.faults import Fault, InputError, Severity
from lzc.foreign_text import shown

_SETTINGS: Final = (
    ("tls-certificate", "tls-certificate-file"),
    ("tls-key", "tls-key-file"),
    ("tls-client-ca", "tls-client-ca-file"),
)
"""How rules about what is in a file begin, and the setting that names it."""


def check_tls_files(config: Config, file: ConfigFile, now: float | None = None) -> list[Fault]:
    """Warnings about what ``[serve]`` says of TLS, at its lines; ``now`` is in seconds since the
    epoch."""
    now = time.time() if now is None else now
    return [replace(fault, severity=Severity.WARNING) for fault in _faults(config, file, now)]


def _faults(config: Config, file: ConfigFile, now: float) -> Iterator[Fault]:
    try:
        _, found = read_material(config)
    except InputError as error:
        yield from (_at_setting(fault, file) for fault in error.faults)
        return
    path = config.path(config.serve.tls_certificate_file or "")
    late = out_of_date(path, found, now)
    if late is not None:
        yield _at_setting(late, file)
    elif found.is_late(now):
        yield Fault(
            file.place("tls-certificate-file"),
            "tls-certificate-date",
            f"the certificate of TLS expires in {(found.not_after - now) / DAY:.1f} days",
            why="secondaries that look at its name refuse to transfer from then on",
            fix="have it renewed: the server takes it when its files change",
        )
    yield from _own_pins(config, file, found)


def _at_setting(fault: Fault, file: ConfigFile) -> Fault:
    """The fault of a file, at the line that names it."""
    setting = next(name for rule, name in _SETTINGS if fault.rule.startswith(rule))
    message = f"{shown(fault.place.file)}: {fault.message}"
    return replace(fault, place=file.place(setting), message=message)


def _own_pins(config: Config, file: ConfigFile, found: Shown) -> Iterator[Fault]:
    for secondary in config.secondary:
        if found.pin in secondary.tls_pins:
            yield Fault(
                file.place(found.pin, "tls-pins"),
                "tls-pin-own",
                f"secondary {secondary.name} has the pin of this server's own certificate",
                why="tls-pins name the key that the secondary shows: it would be refused",
                fix="the log of the server says which key it showed; write that one's pin",
            )

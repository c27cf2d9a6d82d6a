"""Files that other programs read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from lzc.faults import Fault


@dataclass(frozen=True, slots=True)
class ExportedFile:
    """Its name, which may begin with a folder, and its text; ``secret``: for its owner alone."""

    name: str
    text: str
    secret: bool = False


def folder_name(name: str) -> str:
    """The name of a folder for what is called ``name``, of letters, digits and ``-._``; others are
    written ``%XX``, and no two names are the same."""
    if name in (".", ".."):
        return name.replace(".", "%2E")
    octets = name.encode("utf-8", "surrogateescape")
    return "".join(
        chr(one) if chr(one).isascii() and (chr(one).isalnum() or one in b"-._") else f"%{one:02X}"
        for one in octets
    )


@dataclass(frozen=True, slots=True)
class Provision:
    """What there is to set up other servers with, and what is to be said of it."""

    files: list[ExportedFile]
    warnings: list[Fault]

    def __add__(self, other: Self) -> Provision:
        return Provision([*self.files, *other.files], [*self.warnings, *other.warnings])

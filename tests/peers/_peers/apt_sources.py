"""The mirrors of Debian that a machine's apt sources name, in either of their two formats."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

ETC_APT: Final = Path("/etc/apt")

_ARCHIVE: Final = re.compile(
    r"(?:buster|bullseye|bookworm|trixie|forky|duke|oldstable|stable|testing|sid|unstable)/?"
)
"""Suites that the mirrors of the whole archive have; those of updates and of other vendors are not
among them."""

_SCHEMES: Final = ("http://", "https://", "file:")


def mirrors(folder: Path = ETC_APT) -> list[str]:
    """The addresses of all mirrors of the archive, in the order in which the files name them."""
    found = []
    for file in [folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))]:
        if file.suffix in (".list", ".sources") and file.is_file():
            read = _one_line if file.suffix == ".list" else _stanzas
            found += list(read(file.read_text(errors="replace")))
    return list(dict.fromkeys(found))


def _one_line(text: str) -> Iterator[str]:
    """``deb [options] URI suite component...``"""
    for line in text.splitlines():
        entry = re.sub(r"\[[^]]*\]", " ", line.split("#")[0], count=1).split()
        if len(entry) >= 4 and entry[0] == "deb" and "main" in entry[3:]:
            yield from _usable([entry[1]], [entry[2]])


def _stanzas(text: str) -> Iterator[str]:
    """Fields by name, with lines that go on where they begin with a blank; comments are lines."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    for stanza in re.split(r"\n[ \t]*(?:\n[ \t]*)*\n", "\n".join(lines)):
        unfolded = re.sub(r"\n[ \t]+", " ", stanza)
        pairs = (line.partition(":") for line in unfolded.splitlines())
        fields = {name.strip().lower(): value.split() for name, _, value in pairs}
        enabled = fields.get("enabled", ["yes"]) not in (["no"], ["false"], ["0"])
        if enabled and "deb" in fields.get("types", ()) and "main" in fields.get("components", ()):
            yield from _usable(fields.get("uris", []), fields.get("suites", []))


def _usable(addresses: list[str], suites: list[str]) -> Iterator[str]:
    if any(_ARCHIVE.fullmatch(suite) for suite in suites):
        for address in addresses:
            if address.startswith(_SCHEMES):
                yield address

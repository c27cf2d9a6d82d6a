"""The zones that an operator names on the command line: by their names, or by their files."""

from __future__ import annotations

import difflib
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Final

from lzc.compiler.inputs.sources import ZoneSource
from lzc.config import Config
from lzc.wire import name as wire_name

_NEAR: Final = 3
"""Names at most that are offered in place of one."""
_ALIKE: Final = 0.8
"""How much they are alike: most zones of a project may end in the same."""


class UnknownZone(ValueError):
    """A word that names no zone of the project: the message quotes it, with names that are near."""


def choose(
    words: Iterable[str], found: Sequence[ZoneSource], others: Collection[bytes], config: Config
) -> frozenset[bytes]:
    """The apexes of the zones that are meant, of those ``found`` and ``others`` (lower-case wire
    names). A word is the name of a zone, in any case, with or without final dot, or the path of its
    file, relative to the working directory or to the project. Raises `UnknownZone`."""
    apexes = {*others, *(source.apex for source in found)}
    by_file: dict[str, bytes] = {}
    chosen = set()
    for word in words:
        apex = _named(word)
        if apex not in apexes:
            by_file = by_file or {os.path.realpath(one.path): one.apex for one in found}
            paths = (Path(word), config.path(word))
            apex = next((by_file[r] for r in map(os.path.realpath, paths) if r in by_file), None)
        if apex is None:
            raise UnknownZone(_unknown(word, apexes, found))
        chosen.add(apex)
    return frozenset(chosen)


def _named(word: str) -> bytes | None:
    try:
        return wire_name.from_text(word, wire_name.ROOT).lower()
    except wire_name.InvalidName:
        return None


def _unknown(word: str, apexes: Iterable[bytes], found: Sequence[ZoneSource]) -> str:
    names = {wire_name.to_text(apex).rstrip(".") or "." for apex in apexes}
    names |= {source.shown_as for source in found}
    near = difflib.get_close_matches(word.rstrip(".").lower(), sorted(names), _NEAR, _ALIKE)
    what = (
        "no source of a zone of this project" if Path(word).is_file() else "no zone of this project"
    )
    said = f"; did you mean {' or '.join(near)}?" if near else f", which has {len(set(apexes))}"
    return f"{word} is {what}{said}"

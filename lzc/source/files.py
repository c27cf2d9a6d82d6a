"""Files that a zone file names: ``$INCLUDE`` and the ``$FILE`` of LUA records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from lzc.source.lexer import Token, shown
from lzc.source.state import FileScope, ReadState
from lzc.wire.rdata import InvalidRdata, unescape


class Found(NamedTuple):
    """A file: its resolved path, how places show it, and its path as it was named."""

    path: Path
    label: str
    named: str


def find(state: ReadState, scope: FileScope, token: Token, word: str, rule: str) -> Found | None:
    """The file that ``token`` names, relative to the file it stands in; None, reported, when it
    may not be read. ``word`` is the directive, ``rule`` how its rules start: RULE-outside for a
    file that is not in the project's folder, symbolic links followed; RULE-unreadable for what is
    no path. Whether the file exists is not asked."""
    place = scope.place(token)
    if scope.folder is None or state.root is None:
        state.report(
            place,
            f"{rule}-outside",
            f"{word} has no folder to start from: this text is no file",
            fix="put the content in place",
        )
        return None
    try:
        name = os.fsdecode(unescape(token.text))
        named = str(scope.folder / name)
        path = Path(named).resolve()
    except (InvalidRdata, ValueError, OSError, RuntimeError) as error:
        state.report(place, f"{rule}-unreadable", f"{shown(token.text)} is no path: {error}")
        return None
    if not path.is_relative_to(state.root):
        state.report(
            place,
            f"{rule}-outside",
            f"{shown(token.text)} leads out of the project's folder",
            "a zone file may not pull in what the project does not hold: builds would differ, "
            "and other files could leak",
            "copy the file into the project",
        )
        return None
    return Found(path, os.path.normpath(Path(scope.file).parent / name), named)


def names_file(field: Token) -> bool:
    """Whether a field is the word ``$FILE``, after which the path of the code follows."""
    return field.text.upper() == b"$FILE" and not field.quoted

"""Files that a zone file names: ``$INCLUDE`` and the ``$FILE`` of LUA records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple, NoReturn

from lzc.faults import Place
from lzc.source.lexer import Token, shown
from lzc.source.reach import Refusal
from lzc.source.state import FileScope
from lzc.wire.rdata import InvalidRdata, unescape


class Found(NamedTuple):
    """A file that a zone file names: its resolved path, its path in messages, and as it was
    written."""

    path: Path
    label: str
    named: str


def find(scope: FileScope, token: Token, word: str, rule: str) -> Found:
    """The file that ``token`` names, relative to the file it stands in. Raises `AtFault`, reported,
    when it may not be read. ``word`` is the directive, ``rule`` how its rules start:
    RULE-unreadable for what is no path, and what `refuse` reports. Whether the file exists is not
    asked."""
    try:
        name = os.fsdecode(unescape(token.text))
        named = _joined(str(scope.folder), name)
        path = Path(os.path.realpath(named))
    except (InvalidRdata, ValueError, OSError, RuntimeError) as error:
        scope.fail(token, f"{rule}-unreadable", f"{shown(token.text)} is no path: {error}")
    refusal = scope.state.reach.refusal(str(path), is_code=word == "$FILE")
    if refusal is not None:
        refuse(scope, token, rule, shown(token.text), refusal)
    return Found(path, os.path.normpath(_joined(scope.file.rpartition("/")[0], name)), named)


def _joined(folder: str, name: str) -> str:
    """A path below a folder, unless it is whole. For 10,000 includes Path takes seconds."""
    return name if name.startswith("/") or not folder else f"{folder}/{name}"


def refuse(scope: FileScope, at: Token | Place, rule: str, name: str, refusal: Refusal) -> NoReturn:
    """Report a file that may not be read, by a rule that ends in -outside (of the project),
    -not-listed (in ``include-from``), -hidden or -secret. Raises `AtFault`."""
    scope.fail(at, f"{rule}-{refusal.rule}", f"{name} {refusal.message}", refusal.why, refusal.fix)

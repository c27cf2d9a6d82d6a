"""Files with the code of LUA records in them."""

from __future__ import annotations

from typing import Final

from lzc.source import inputs
from lzc.source.files import Found, refuse
from lzc.source.lexer import Token, shown
from lzc.source.limits import INCLUDES, OCTETS, OverLimit
from lzc.source.reach import Refused
from lzc.source.state import FileScope

MAX_FILE: Final = 65536
"""Octets of a .lua file at most. What is left of it without comments has to fit into one RR."""


def read_file(scope: FileScope, token: Token, found: Found) -> tuple[bytes, int]:
    """What is in a file that a record names by a token, and the number of the file among those of
    the zone. Raises `AtFault`."""
    state, label = scope.state, found.label
    try:
        state.spending.take(INCLUDES, 1)
        text, read = inputs.read(found.named, found.path, MAX_FILE + 1, state.reach)
        state.spending.take(OCTETS, len(text))
        state.zone.inputs.append(read)
    except OverLimit as error:
        raise state.over(scope.place(token), error) from error
    except Refused as error:
        refuse(scope, token, "lua-file", shown(token.text), error.refusal)
    except OSError as error:
        scope.fail(
            token,
            "lua-file-unreadable",
            f"{label} cannot be read: {error.strerror or error}",
            "the path is relative to the file it stands in",
            "correct the path, or make the file readable",
        )
    if len(text) > MAX_FILE:
        scope.fail(
            token,
            "lua-file-too-large",
            f"{label} is larger than {MAX_FILE} octets",
            "the code of a LUA record has to fit into one RR",
            "take out what the record does not need",
        )
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = f"{label} is UTF-16, not ASCII or UTF-8"
        scope.fail(token, "not-utf-8", message, fix="save it as UTF-8")
    if not text.strip():
        scope.fail(
            token,
            "lua-file-empty",
            f"{label} is empty",
            "a LUA record without code answers SERVFAIL",
            "write the code into the file, or remove the record",
        )
    files = state.zone.files
    if label not in files:
        files.append(label)
    return text, files.index(label)

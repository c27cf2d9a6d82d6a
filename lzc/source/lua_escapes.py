"""Escapes in the code of LUA records: PowerDNS hands strings to Lua as they are written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lzc.faults import Place
from lzc.source.lexer import Token
from lzc.source.state import SETTING, FileScope

_LUA_ESCAPE = re.compile(rb"\\([0-9]{3}|.)", re.DOTALL)
_LUA_LETTERS: Final = frozenset(b"abfnrtvxzu'")
"""What has a meaning of its own after a backslash in Lua."""
_LUA_CODES: Final = frozenset((b"010", b"013", b"034", b"039", b"092"))
"""Octets that mean another thing in a literal of Lua when they are written as they are."""


def tell_code(scope: FileScope, code: Sequence[Token]) -> None:
    """Tell the first escape that Lua gets to see on PowerDNS, and reads otherwise."""
    found_in = [(token, list(_LUA_ESCAPE.finditer(token.text))) for token in code]
    if any(found[1] == b'"' for _, all_found in found_in for found in all_found):
        # No record of PowerDNS: it cannot run that.
        return
    for token, all_found in found_in:
        for found in all_found:
            escaped = found[1]
            is_letter = escaped[0] in _LUA_LETTERS
            if is_letter or escaped == b"\\" or escaped in _LUA_CODES:
                scope.differs(
                    _inside(scope, token, found.start()),
                    f"{found[0].decode('latin-1')} in a LUA record is an escape of the zone file,"
                    " but one of Lua on PowerDNS",
                    "it hands strings to Lua as they are written",
                    f"{SETTING} reads it as PowerDNS does; \\\\ is a backslash without",
                    is_error=is_letter,
                )
                return


def check_code(scope: FileScope, token: Token) -> None:
    """Refuse an escaped quote in LUA code. Raises `AtFault`."""
    for found in _LUA_ESCAPE.finditer(token.text):
        if found[1] != b'"':
            continue
        scope.fail(
            _inside(scope, token, found.start()),
            "lua-syntax",
            "a double quote in the code of a LUA record",
            "PowerDNS ends the string there, escaped or not, and drops the quote",
            "write ' for a literal, and \\034 in one for the quote",
        )


def _inside(scope: FileScope, token: Token, at: int) -> Place:
    column = token.column + token.quoted + len(token.text[:at].decode("utf-8", "replace"))
    return Place(scope.file, token.line, column)

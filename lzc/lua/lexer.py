"""Lua 5.1 code as tokens with their positions, LuaJIT's additions included.

Only the shape of tokens is checked, not their grammar: ``12ab`` is one (malformed) number, as it is
for Lua itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a token is. Comments are tokens, blanks are not."""

    NAME = "name"
    KEYWORD = "keyword"
    NUMBER = "number"
    STRING = "string"
    SYMBOL = "symbol"
    COMMENT = "comment"


KEYWORDS = frozenset(
    b"and break do else elseif end false for function goto if in local nil not or repeat return"
    b" then true until while".split()
)


@dataclass(frozen=True, slots=True)
class Token:
    """``text`` stands at ``offset`` (from 0), ``line`` and ``column`` (from 1, in octets)."""

    kind: Kind
    text: bytes
    offset: int
    line: int
    column: int

    @property
    def end(self) -> int:
        """The offset of what follows."""
        return self.offset + len(self.text)


class LexError(ValueError):
    """Octets that start no token, or a string or comment without an end."""

    def __init__(self, message: str, offset: int, line: int, column: int) -> None:
        super().__init__(message)
        self.offset = offset
        self.line = line
        self.column = column


# Octets of 128 and more are letters for LuaJIT.
_TOKEN = re.compile(
    rb"""(?P<blank>[ \t\r\n\f\v]+)
    |(?P<name>[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)
    |(?P<number>(?:0[xX](?:[pP][+-]|[0-9A-Za-z_.])*|\.?[0-9](?:[eE][+-]|[0-9A-Za-z_.])*))
    |(?P<long>(?:--)?\[(?P<level>=*)\[)
    |(?P<comment>--[^\r\n]*)
    |(?P<string>"(?:[^"\\\r\n]|\\(?:\r\n|\n\r|z[ \t\r\n\f\v]*|[\s\S]))*"
               |'(?:[^'\\\r\n]|\\(?:\r\n|\n\r|z[ \t\r\n\f\v]*|[\s\S]))*')
    |(?P<symbol>\.\.\.|\.\.|==|~=|<=|>=|::|[-+*/%^\#<>=(){}\[\];:,.])
    """,
    re.VERBOSE,
)


def tokens(code: bytes) -> Iterator[Token]:
    """The tokens of ``code`` in order. Raises `LexError` where there is none."""
    position, line, line_start = 0, 1, 0
    while position < len(code):
        match = _TOKEN.match(code, position)
        column = position - line_start + 1
        if match is None:
            raise LexError(_complaint(code, position), position, line, column)
        end = match.end()
        group = match.lastgroup
        if match["long"] is not None:
            close = code.find(b"]" + match["level"] + b"]", end)
            if close < 0:
                what = "comment" if code.startswith(b"--", position) else "string"
                raise LexError(f"long {what} without an end", position, line, column)
            end = close + 2 + len(match["level"])
            group = "comment" if code.startswith(b"--", position) else "string"
        text = code[position:end]
        if group != "blank":
            kind = Kind.KEYWORD if group == "name" and text in KEYWORDS else Kind(group or "")
            yield Token(kind, text, position, line, column)
        newlines = len(re.findall(rb"\r\n|\n\r|\r|\n", text))
        if newlines:
            line += newlines
            line_start = position + max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        position = end


def _complaint(code: bytes, position: int) -> str:
    if code[position] in b"'\"":
        return "string without an end"
    return f"unexpected symbol near {code[position : position + 1]!r}"

"""Comments that run on where a reader sees a line end.

The strings of a LUA record are joined without line ends, so what stands behind ``--`` in one of
them is a comment up to the end of all of them: on PowerDNS as here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from lzc.lua.syntax.lexer import lex

_COMMENT: Final = re.compile(rb"--(?:\[(?P<mark>=*)\[[\s\S]*?\](?P=mark)\]|(?P<line>[^\r\n]*))")


class Swallowed(NamedTuple):
    """A comment that starts at ``comment`` and takes later strings with it: the first with code
    is ``text``, and starts at ``start``. Offsets in octets, from 0."""

    comment: int
    start: int
    text: bytes


def swallowed(code: bytes, joints: Sequence[int]) -> list[Swallowed]:
    """The comments in ``code`` that take in code of later strings; ``joints`` are the offsets at
    which those start. Strings that are a comment themselves, or blank, lose nothing."""
    if not joints or b"--" not in code:
        return []
    found: list[Swallowed] = []
    for start, end in _line_comments(code):
        inside = [joint for joint in joints if start < joint <= end]
        for joint, following in pairwise([*inside, end]):
            text = code[joint:following].strip()
            if text and not text.startswith(b"--"):
                found.append(Swallowed(start, joint, text))
                break
    return found


def _line_comments(code: bytes) -> Iterator[tuple[int, int]]:
    tokens = lex(code)
    before = 0
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        for match in _COMMENT.finditer(code, before, start):
            if match["line"] is not None:
                yield match.span()
        before = end

"""Cuts LUA code into the character-strings of a record, between tokens only.

Secondaries join the strings again, some with blanks between them and some without. Both must get
the same program.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from lzc.lua.syntax.lexer import lex
from lzc.lua.syntax.tree import LuaCodeError

LIMIT: Final = 255
"""Octets of a character-string at most (RFC 1035 §3.3)."""


class SplitError(LuaCodeError):
    """Code that cannot be cut: ``offset`` is where the token starts that is too long, or none."""


def split_code(code: bytes, limit: int = LIMIT) -> list[bytes]:
    """Cut ``code``, as `lzc.lua.transfer.rewriter.rewrite` leaves it, into the fewest strings of
    at most ``limit`` octets that both ways of joining make the same program of.

    ``b"".join`` of the result is ``code``. Cuts stand between tokens; a blank there is one that the
    program needs, and stays with a neighbour: no string is only a blank, as PowerDNS drops such.
    Each string is as long as it can be, which makes them the fewest: whatever another way of
    cutting has covered with its first n strings, this one has too. Raises `SplitError` for a token
    that fits no string, and for code longer than ``limit`` that does not consist of tokens.
    """
    if len(code) <= limit:
        return [code]
    cuts = _cuts(code, limit)
    strings: list[bytes] = []
    start = 0
    while start < len(code):
        end = cuts[bisect_right(cuts, start + limit) - 1]
        if end <= start:
            following = cuts[bisect_right(cuts, start)]
            raise SplitError(
                f"{following - start} octets that cannot be cut; a character-string holds {limit}",
                start,
            )
        strings.append(code[start:end])
        start = end
    return strings


def _cuts(code: bytes, limit: int) -> list[int]:
    """Where a string may end: before and behind every blank and between tokens that touch, but not
    before a blank whose token fills a string alone, as the blank would be one too."""
    tokens = lex(code)
    if tokens.fault is not None:
        raise SplitError(tokens.fault.reason, tokens.fault.offset)
    cuts: list[int] = []
    before = 0
    for start, end in zip(tokens.starts, tokens.ends, strict=True):
        if before < start and end - before <= limit:
            cuts.append(before)
        cuts.append(start)
        before = end
    return cuts

"""LUA code in the one form that survives every secondary.

A secondary stores the strings of a record in zone-file syntax and never undoes their escapes, so
only printable ASCII without ``"`` and ``\\`` arrives as it was sent. Here the same program is said
in these octets: comments and blanks that nothing needs go, literals that hold other octets become
expressions that make them. A message of `error` may name another line, as there is only one left;
nothing else differs.

It is cut into the character-strings of a record between tokens only. Secondaries join them again,
some with blanks between them and some without, and both must get the same program.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final

from lzc.lua.syntax.lexer import NAME, NUMBER, STRING, Tokens, lex, string_value
from lzc.lua.syntax.tree import LuaCodeError
from lzc.lua.transfer.literals import clean_literal, constructed

LIMIT: Final = 255
"""Octets of a character-string at most (RFC 1035 §3.3)."""

MAX_TOKEN: Final = 254
"""Octets of a token at most: a blank it may need and the token share a string of 255."""

_WORD: Final = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
# Last octet of a token and first one of the next that would read as another token together.
_CLINGING: Final = frozenset(
    [(a, b) for a in _WORD for b in _WORD]
    + [(pair[0], pair[1]) for pair in (b"--", b"..", b"[[", b"[=", b"==", b"<=", b">=", b"~=")]
)
_AFTER_NUMBER: Final = frozenset(_WORD + b".")
_SAFE: Final = re.compile(rb"[ !#-\[\]-~]*+")
# A literal right behind one of these is the argument of a call without parentheses.
_CALLABLE: Final = frozenset((NAME, b"goto", b")", b"]", b"}", STRING))


class RewriteError(LuaCodeError):
    """A program that Lua takes, but that has no form that survives every secondary."""


def joined(tokens: Tokens, is_chunk: bool) -> tuple[bytes, bool]:
    """The tokens of a record behind each other, and whether a literal became an expression. Of one
    that ``is_chunk`` a ``;`` stands in front. Raises `RewriteError`."""
    out = [b";"] if is_chunk else []
    types, starts, ends, code = tokens.types, tokens.starts, tokens.ends, tokens.code
    before = b""
    last = 0
    made = False
    for i in range(len(types) - 1):
        kind = types[i]
        if kind is STRING:
            text = code[starts[i] : ends[i]]
            if text[0] == 0x22 or len(text) > MAX_TOKEN or not _SAFE.fullmatch(text):
                value = string_value(text)
                argument = before in _CALLABLE
                text = clean_literal(value, MAX_TOKEN) or b""
                if not text:
                    made = True
                    text = constructed(value, MAX_TOKEN)
                    if argument:
                        text = b"(%b)" % text
                    elif types[i + 1] == b"(":
                        # Only a new statement can start here; the parenthesis must not become
                        # arguments.
                        text += b";"
        elif kind is NAME or kind is NUMBER:
            text = code[starts[i] : ends[i]]
            if len(text) > MAX_TOKEN or not text.isascii():
                raise _unwritable(text, kind, starts[i])
        else:
            text = kind
        first = text[0]
        if (last, first) in _CLINGING or (before is NUMBER and first in _AFTER_NUMBER):
            out.append(b" ")
        out.append(text)
        last = text[-1]
        before = kind
    code = b"".join(out)
    # "return ;" would read as a chunk.
    return (b"" if code == b";" and not is_chunk else code), made


def _unwritable(text: bytes, kind: bytes, offset: int) -> RewriteError:
    if not text.isascii():
        shown = text.decode("utf-8", "backslashreplace")
        trouble = "has letters beyond ASCII, which secondaries do not keep: use plain letters"
        return RewriteError(f"the name '{shown}' {trouble}", offset, plain=f"a name {trouble}")
    what = "name" if kind is NAME else "number"
    return RewriteError(
        f"a {what} of {len(text)} octets; at most {MAX_TOKEN} fit into a string of a record", offset
    )


_UNSAFE: Final = re.compile(rb"[^\t\n\r !-\[\]-~]|--|\[[=\[]")
# The blanks that no two words need. All of these start with the blank, which a search finds fast.
_IDLE: Final = re.compile(rb" (?:(?![0-9A-Z_a-z])|(?<=[^0-9A-Z_a-z] ))")
# Where a blank may hold symbols or the end of a number apart from what follows.
_HOLDING: Final = re.compile(rb" (?:(?<=- )-|(?<=\. )[.0-9]|(?<=[0-9A-Z_a-z]\. )[0-9A-Z_a-z])")
_NUMBER_AND_DOT: Final = re.compile(rb"[0-9][0-9A-Z_a-z]*+\.?+ \.")
_LONG_WORD: Final = re.compile(rb"[.0-9A-Z_a-z+-]{%d}" % (MAX_TOKEN + 1))


def compacted(code: bytes) -> bytes | None:
    """What `joined` gives for code without comments whose literals are all ``'…'`` or all ``"…"``
    and have no escapes, which most records are: a third of the time. None where it is not sure."""
    if _UNSAFE.search(code):
        return None
    parts = code.split(b"'")
    if b'"' in code:
        if len(parts) > 1:
            return None
        parts = code.split(b'"')
    values = parts[1::2]
    if values and (max(map(len, values)) > MAX_TOKEN - 2 or (b"\t" in code and _tabbed(values))):
        return None
    # What stands between the literals, all at once.
    rest = b" ".join(b"'".join(parts[::2]).split())
    if (
        _HOLDING.search(rest)
        or (b" ." in rest and _NUMBER_AND_DOT.search(rest))
        or (len(rest) > MAX_TOKEN and _LONG_WORD.search(rest))
    ):
        return None
    parts[::2] = _IDLE.sub(b"", rest).split(b"'")
    short = b"'".join(parts)
    return None if short == b";" else short


def _tabbed(values: list[bytes]) -> bool:
    return any(b"\t" in value for value in values)


class SplitError(LuaCodeError):
    """Code that cannot be cut: ``offset`` is where the token starts that is too long, or none."""


def split_code(code: bytes, limit: int = LIMIT) -> list[bytes]:
    """Cut ``code``, as `lzc.lua.program.Program.rewritten` has it, into the fewest strings of at
    most ``limit`` octets that both ways of joining make the same program of.

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

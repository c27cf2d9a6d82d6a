"""Cuts LUA code into the character-strings of a record, between tokens only.

Secondaries join the strings again, some with blanks between them and some without. Both must get
the same program.
"""

from __future__ import annotations

from lzc.lua.lexer import Kind, LexError, Token, tokens

LIMIT = 255
"""Octets of a character-string at most (RFC 1035 §3.3)."""

_BLANKS = b" \t\r\n\f\v"


class SplitError(ValueError):
    """Code that cannot be cut: where the token starts that is too long, or that is none;
    ``offset`` from 0, ``line`` and ``column`` within the code from 1."""

    def __init__(self, message: str, offset: int, line: int, column: int) -> None:
        super().__init__(message)
        self.offset = offset
        self.line = line
        self.column = column


def split_code(code: bytes, limit: int = LIMIT) -> list[bytes]:
    """Cut ``code`` into as few strings of at most ``limit`` octets as can be.

    Cuts stand between tokens, where a blank may or may not be; blanks that a program needs stay
    with one of the strings. No string is only blanks, as PowerDNS drops such: blanks that find no
    place beside a token (a run of hundreds, or one behind the last token) are left out, otherwise
    ``b"".join`` of the result is ``code``. Raises `SplitError` for a token longer than ``limit``,
    and for code longer than ``limit`` that does not consist of Lua tokens.
    """
    if len(code) <= limit:
        return [code]
    try:
        pieces = _solid(list(tokens(code)), limit)
    except LexError as error:
        raise SplitError(str(error), error.offset, error.line, error.column) from error
    strings: list[bytes] = []
    start = end = 0
    for first, last in pieces:
        if last - start > limit:
            if end > start:
                # Blanks that still fit go to the end of the full string, the rest in front of
                # the next one.
                stop = min(first, start + limit)
                strings.append(code[start:stop])
                start = stop
            if last - start > limit:
                # Needed as a separator only if the string before does not end with a blank.
                separated = not strings or strings[-1][-1] in _BLANKS or start == first
                start = first if separated else max(last - limit, start)
                if not separated and start >= first:
                    raise _too_long(code, first, last, limit)
        end = last
    stop = min(len(code), start + limit)
    if code[start:stop].strip(_BLANKS):
        strings.append(code[start:stop])
    return strings


def _solid(found: list[Token], limit: int) -> list[tuple[int, int]]:
    """Spans that must stay whole. A comment may be cut between its words."""
    spans: list[tuple[int, int]] = []
    for token in found:
        if len(token.text) <= limit:
            spans.append((token.offset, token.end))
        elif token.kind is Kind.COMMENT:
            offset = token.offset
            for word in token.text.split(b" "):
                if len(word) > limit:
                    raise SplitError(
                        f"a word of {len(word)} octets in a comment; a string holds {limit}",
                        offset,
                        token.line,
                        token.column,
                    )
                if word:
                    spans.append((offset, offset + len(word)))
                offset += len(word) + 1
        else:
            raise SplitError(
                f"a {token.kind} of {len(token.text)} octets; a character-string holds {limit}",
                token.offset,
                token.line,
                token.column,
            )
    return spans


def _too_long(code: bytes, first: int, last: int, limit: int) -> SplitError:
    line = code.count(b"\n", 0, first) + 1
    return SplitError(
        f"{last - first} octets that need a blank in front; a character-string holds {limit}",
        first,
        line,
        first - code.rfind(b"\n", 0, first),
    )

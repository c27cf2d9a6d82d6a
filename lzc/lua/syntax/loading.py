"""Whether LuaJIT loads a record: the last word on syntax, in 2 microseconds."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import lupa.luajit21 as lupa

from lzc.lua.syntax.parser import is_expression, parse_record
from lzc.lua.syntax.tree import LuaSyntaxError

_LUA = 65402
_REFUSAL = b"function(code) local _, message = loadstring(code, '=') return message end"
_PLACE = re.compile(r"^:(\d+): ")


@cache
def _refusal() -> Callable[[bytes], bytes | None]:
    refusal: Callable[[bytes], bytes | None] = lupa.LuaRuntime(encoding=None).eval(_REFUSAL)
    return refusal


def check_loads(code: bytes, covered: int) -> None:
    """Raise `LuaSyntaxError` unless LuaJIT loads the ``code`` of a record for type ``covered``.

    Nothing runs. The error is the parser's, which knows the place; only for limits of LuaJIT's
    compiler that the parser does not know it is LuaJIT's own, with the place of its line.
    """
    if is_expression(code, covered):
        message = _refusal()(b"return " + code)
    else:
        if covered == _LUA and code.startswith(b";"):
            parse_record(code, covered)
        # LuaJIT would skip a first line that starts with "#", and run bytecode.
        plain = code[1:] if code.startswith(b";") else code.removeprefix(b"\xef\xbb\xbf")
        message = _refusal()(b" " + plain)
    if message is None:
        return
    parse_record(code, covered)
    text = message.decode("utf-8", "backslashreplace")
    place = _PLACE.match(text)
    line = int(place[1]) if place else 1
    offset = 0
    for _ in range(line - 1):
        following = re.compile(rb"\r\n|\n\r|\r|\n").search(code, offset)
        offset = following.end() if following else offset
    raise LuaSyntaxError(
        _PLACE.sub("", text), offset, plain="it is over a limit of LuaJIT's compiler"
    )

"""Lua 5.1 code as tokens, LuaJIT's additions included: ``goto``, ``::``, the escapes ``\\x``,
``\\u`` and ``\\z``, numerals such as ``0x1p4``, ``1ULL`` and ``2i``, letters beyond ASCII.

Blanks and comments are what stands between tokens. A list each of types, starts and ends costs a
third of what an object per token would.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from lzc.lua.syntax.tree import LuaSyntaxError

NAME: Final = b"<name>"
NUMBER: Final = b"<number>"
STRING: Final = b"<string>"
END: Final = b"<end>"
FAULT: Final = b"<fault>"
"""Types of tokens. The type of a keyword or symbol is its text."""

KEYWORDS: Final = frozenset(
    b"and break do else elseif end false for function goto if in local nil not or repeat return"
    b" then true until while".split()
)
"""``goto`` is a name for LuaJIT wherever no name follows it."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Token ``i`` is of ``types[i]`` and spans ``starts[i]`` to ``ends[i]`` of ``code``.

    The last one is `END`, or `FAULT` where no token could be made of what follows; ``fault`` then
    tells why.
    """

    code: bytes
    types: list[bytes]
    starts: list[int]
    ends: list[int]
    fault: LuaSyntaxError | None

    def text(self, index: int) -> bytes:
        """Token ``index`` as it is written."""
        return self.code[self.starts[index] : self.ends[index]]


# Not `)*+`: Python before 3.11.4 gets possessive repeats of groups that capture wrong. Nothing is
# lost, as some alternative of the token always matches.
_LEADING: Final = rb"""
    (?:[ \t\r\n\f\v]++
      |--(?:\[(?P<mark>=*)\[[\s\S]*?\](?P=mark)\]|(?!\[=*\[)[^\r\n]*+)
    )*
"""
# Group numbers are cheaper to tell apart than names: they follow the order here.
_TOKEN: Final = re.compile(
    _LEADING
    + rb"""(?:
     (?P<name>[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)
    |(?P<symbol>\.\.\.?+|\.(?![0-9])|==?+|~=|[<>]=?+|::?+|[+*/%^\#(){}\];,]|-(?!-)|\[(?![=\[]))
    |(?P<string>'[^'\\\r\n]*+'|"[^"\\\r\n]*+")
    |(?P<digits>[0-9]++(?![0-9A-Za-z_.\x80-\xff]))
    |(?P<numeral>\.?+0[xX](?:[pP][+-]|[0-9A-Za-z_.\x80-\xff])*+
               |\.?+[0-9](?:[eE][+-]|[0-9A-Za-z_.\x80-\xff])*+)
    |(?P<escaped>'(?:[^'\\\r\n]++|\\(?:\r\n|\n\r|z[ \t\r\n\f\v]*+|[\s\S]))*+'
                |"(?:[^"\\\r\n]++|\\(?:\r\n|\n\r|z[ \t\r\n\f\v]*+|[\s\S]))*+")
    |(?P<long>\[(?P<level>=*)\[[\s\S]*?\](?P=level)\])
    |(?P<end>\Z)
    |(?P<fault>[\s\S])
    )""",
    re.VERBOSE,
)
_NAME, _SYMBOL, _STRING, _DIGITS, _NUMERAL, _ESCAPED, _LONG, _END, _FAULT = (
    _TOKEN.groupindex[group]
    for group in (
        *("name", "symbol", "string", "digits", "numeral", "escaped", "long", "end", "fault"),
    )
)
_TYPE_OF_GROUP: Final = {
    _DIGITS: NUMBER,
    _NUMERAL: NUMBER,
    _ESCAPED: STRING,
    _LONG: STRING,
    _END: END,
}
_TYPE_OF_WORD: Final = {word: word for word in KEYWORDS}
_NUMERAL_FORM: Final = re.compile(
    rb"(?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e[+-]?[0-9]+)?i?"
    rb"|0x(?:[0-9a-f]+(?:\.[0-9a-f]*)?|\.[0-9a-f]+)(?:p[+-]?[0-9]+)?i?"
    rb"|(?:0x[0-9a-f]+|0b[01]+|[0-9]+)(?:ll|ull|llu)"
    rb"|0b[01]+i?)",
    re.IGNORECASE,
)


_ADDRESS: Final = re.compile(rb"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?![0-9.])")


def lex(code: bytes, position: int = 0) -> Tokens:
    """The tokens of ``code`` from ``position`` on. Never raises: see `Tokens.fault`."""
    types: list[bytes] = []
    starts: list[int] = []
    ends: list[int] = []
    fault: LuaSyntaxError | None = None
    add_type, add_start, add_end = types.append, starts.append, ends.append
    word = _TYPE_OF_WORD.get
    for match in _TOKEN.finditer(code, position):
        group = match.lastindex
        start, end = match.span(group)  # type: ignore[arg-type]
        if group == _NAME:
            add_type(word(match[_NAME], NAME))
        elif group == _SYMBOL:
            add_type(match[_SYMBOL])
        elif group == _STRING:
            add_type(STRING)
        else:
            if group == _NUMERAL:
                fault = _numeral_fault(match[_NUMERAL], start)
            elif group == _ESCAPED:
                fault = _escape_fault(match[_ESCAPED], start)
            elif group == _FAULT:
                fault = _fault(code, start)
            add_type(_TYPE_OF_GROUP[group] if fault is None else FAULT)  # type: ignore[index]
        add_start(start)
        add_end(end)
        if fault is not None or group == _END:
            break
    return Tokens(code, types, starts, ends, fault)


_ESCAPE: Final = re.compile(
    rb"""\\(?:
     (?P<plain>[abfnrtv\\"'])
    |(?P<newline>\r\n|\n\r|\r|\n)
    |x(?P<hex>[0-9A-Fa-f]{2})
    |z(?P<blank>[ \t\r\n\f\v]*)
    |(?P<decimal>[0-9]{1,3})
    |u\{(?P<code>[0-9A-Fa-f]+)\}
    |(?P<fault>[\s\S]?)
    )""",
    re.VERBOSE,
)
_PLAIN: Final = dict(zip(b"abfnrtv\\\"'", b"\a\b\f\n\r\t\v\\\"'", strict=True))
_NEWLINE: Final = re.compile(rb"\r\n|\n\r|\r")


def string_value(text: bytes) -> bytes:
    """What a literal stands for; ``text`` is a token of type `STRING`."""
    if text[0] != 0x5B:
        value = text[1:-1]
        return value if b"\\" not in value else _ESCAPE.sub(_unescape, value)
    size = text.index(b"[", 1) + 1
    value = text[size:-size]
    if b"\r" in value:
        value = _NEWLINE.sub(b"\n", value)
    return value[1:] if value.startswith(b"\n") else value


def _unescape(match: re.Match[bytes]) -> bytes:
    group = match.lastgroup
    text = match[group or 0]
    if group == "plain":
        return bytes((_PLAIN[text[0]],))
    if group == "newline":
        return b"\n"
    if group == "hex":
        return bytes((int(text, 16),))
    if group == "decimal":
        return bytes((int(text),))
    if group == "code":
        return chr(int(text, 16)).encode()
    return b""


def _escape_fault(text: bytes, offset: int) -> LuaSyntaxError | None:
    for match in _ESCAPE.finditer(text):
        group = match.lastgroup
        at = offset + match.start()
        if group == "decimal" and int(match["decimal"]) > 255:
            return _bad_escape(match[0], "is over 255", at)
        if group == "code":
            number = int(match["code"], 16)
            if number > 0x10FFFF or 0xD800 <= number < 0xE000:
                return _bad_escape(match[0], "is no Unicode character", at)
        if group == "fault":
            return _bad_escape(match[0], "is none of Lua's", at)
    return None


def _bad_escape(text: bytes, what: str, offset: int) -> LuaSyntaxError:
    return LuaSyntaxError(f"escape '{_shown(text)}' {what}", offset, plain=f"an escape {what}")


def _numeral_fault(text: bytes, offset: int) -> LuaSyntaxError | None:
    if _NUMERAL_FORM.fullmatch(text):
        return None
    hint = "; an address is text, in single quotes" if _ADDRESS.match(text) else ""
    return LuaSyntaxError(
        f"malformed number '{_shown(text)}'{hint}", offset, plain=f"malformed number{hint}"
    )


_MEANT: Final = {
    b"!=": "write '~=' for not equal",
    b"!": "write 'not'",
    b"&&": "write 'and'",
    b"||": "write 'or'",
    b"~": "Lua 5.1 has no operators on bits, but functions: bit.band, bit.bor, bit.bxor",
    b"&": "Lua 5.1 has no operators on bits, but functions: bit.band, bit.bor, bit.bxor",
    b"|": "Lua 5.1 has no operators on bits, but functions: bit.band, bit.bor, bit.bxor",
}


def _fault(code: bytes, offset: int) -> LuaSyntaxError:
    first = code[offset : offset + 1]
    if first in b"'\"":
        return LuaSyntaxError(f"this string has no closing {first.decode()} on its line", offset)
    if code.startswith(b"--", offset):
        return LuaSyntaxError("this long comment has no end", offset)
    if re.match(rb"\[=*\[", code[offset:]):
        return LuaSyntaxError("this long string has no end", offset)
    if first == b"[":
        return LuaSyntaxError("a long string starts with '[', any number of '=', '['", offset)
    meant = _MEANT.get(code[offset : offset + 2]) or _MEANT.get(first)
    hint = f"; {meant}" if meant else ""
    return LuaSyntaxError(
        f"unexpected symbol '{_shown(first)}'{hint}", offset, plain=f"unexpected symbol{hint}"
    )


def _shown(text: bytes) -> str:
    return text.decode("utf-8", "backslashreplace")[:40]

"""String values as Lua text in printable ASCII without ``"`` and ``\\``."""

from __future__ import annotations

import re
from typing import Final

_SAFE: Final = re.compile(rb"[ !#-\[\]-~]*+")
_RUNS: Final = re.compile(rb"[ !#-\[\]-~]++|[^ !#-\[\]-~]++")
_SPECIAL: Final = re.compile(rb"[^ !#-\[\]-~]")
_MARKS: Final = (b"~", b"!", b"#", b"&", b"@", b"_", b";", b",", b"<", b">", b"/", b"|", b"{", b"}")
_PER_CALL: Final = 40
_PER_CHAIN: Final = 12


def clean_literal(value: bytes, longest: int) -> bytes | None:
    """``value`` as one literal of at most ``longest`` octets, or None: it holds an octet that
    cannot be written so, or is too long."""
    if len(value) > longest - 2 or not _SAFE.fullmatch(value):
        return None
    if b"'" not in value:
        return b"'%b'" % value
    for level in range(len(value)):
        equals = b"=" * level
        close = b"]%b]" % equals
        # Lua 5.1 itself, unlike LuaJIT, refuses [[ within [[ ]].
        if (level or b"[[" not in value) and (value + close).index(close) == len(value):
            text = b"[%b[%b%b" % (equals, value, close)
            return text if len(text) <= longest else None
    return None


def constructed(value: bytes, longest: int) -> bytes:
    """An expression that makes ``value`` of literals of at most ``longest`` octets: a
    concatenation in parentheses, or octets by number put into their places, whichever is shorter.

    It is the same whatever ``string`` names where it stands: functions come through a string's
    own methods. What it is, it is in one value, and binds as a literal does.
    """
    chain = _chain(_operands(value, longest))
    if not _SPECIAL.search(value):
        return chain
    numbered = _numbered(value, longest)
    return chain if len(chain) <= len(numbered) else numbered


def _operands(value: bytes, longest: int) -> list[bytes]:
    found: list[bytes] = []
    for run in _RUNS.findall(value):
        if _SPECIAL.match(run):
            for i in range(0, len(run), _PER_CALL):
                octets = b",".join([b"%d" % octet for octet in run[i : i + _PER_CALL]])
                found.append(b"('').char(%b)" % octets)
        else:
            found.extend(_pieces(run, longest))
    return found


def _pieces(text: bytes, longest: int) -> list[bytes]:
    """Clean ``text`` as literals."""
    found: list[bytes] = []
    size = longest - 2
    start = 0
    while start < len(text):
        piece = text[start : start + size]
        literal = clean_literal(piece, longest)
        while literal is None:
            piece = piece[:-1]
            literal = clean_literal(piece, longest)
        found.append(literal)
        start += len(piece)
    return found


def _chain(operands: list[bytes]) -> bytes:
    """``(a..b..c)``; many operands in groups, as Lua nests 200 levels and has 250 registers."""
    if len(operands) == 1:
        return operands[0] if operands[0].startswith(b"(") else b"(%b)" % operands[0]
    while len(operands) > _PER_CHAIN:
        operands = [
            _chain(operands[i : i + _PER_CHAIN]) for i in range(0, len(operands), _PER_CHAIN)
        ]
    return b"(%b)" % b"..".join(operands)


def _numbered(value: bytes, longest: int) -> bytes:
    """Each octet that cannot be written as a mark and its three digits, which one call undoes: many
    of them cost no more instructions than one."""
    mark = next((mark for mark in _MARKS if mark not in value), b"~")
    special = re.compile(rb"[^ !#-\[\]-~]|" + mark)
    text = special.sub(lambda octet: b"%b%03d" % (mark, ord(octet[0])), value)
    subject = _chain(_pieces(text, longest))
    return b"(%b:gsub('%b(%%d%%d%%d)',('').char))" % (subject, mark)

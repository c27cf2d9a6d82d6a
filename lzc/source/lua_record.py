"""LUA records: from the operator's code to RDATA that every secondary runs alike.

It is known where each octet of the code stands: in strings of the zone file, in hexadecimal digits
(RFC 3597 §5), or in a file of its own. The code is always parsed and rewritten: what a bundle holds
and transfers is printable ASCII without ``"`` and ``\\``, cut where a blank does no harm.

The records of a zone are mostly the same few programs with other addresses and numbers in them.
Each program is parsed and rewritten once; the records then take 3 µs each, where rewriting takes
a hundred and more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Final

from lzc.faults import advance, pack
from lzc.lua.program import Program
from lzc.lua.syntax.tree import LuaCodeError, LuaSyntaxError
from lzc.lua.transfer.rewriter import LIMIT, split_code
from lzc.source.dialect import check_code
from lzc.source.files import find
from lzc.source.lexer import Token
from lzc.source.lua_faults import report
from lzc.source.lua_file import read_file
from lzc.source.state import AtFault, FileScope
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.rdata import InvalidRdata, strings_to_wire, unescape
from lzc.zone.model import LuaRecord, LuaSource

_BOM: Final = b"\xef\xbb\xbf"
_CHARACTER: Final = rb"[\xc2-\xf4][\x80-\xbf]{1,3}|[\x80-\xff]"
_WIDE = re.compile(_CHARACTER)
"""A character that is several octets, but one column."""
_WIDE_OR_ESCAPE = re.compile(rb"(\\(?:[0-9]{3}|[^0-9]))|" + _CHARACTER, re.DOTALL)
_LINE_END = re.compile(rb"\r\n|\n\r|\r|\n")

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

Pieces = list[tuple[int, int]]
"""As in `LuaSource.pieces`."""


def read_lua(
    scope: FileScope,
    tokens: Sequence[Token],
    index: int,
    parts: Sequence[Sequence[Token]] | None = None,
) -> bytes:
    """The RDATA of a LUA record, whose own fields are ``tokens[index:]``. ``parts`` tell, for each
    of those fields, what it was put together from.

    Its source goes to the zone's ``lua_sources``. Raises `InvalidRdata` for fields that are wrong,
    and `AtFault`, reported, when its code is.
    """
    state, fields = scope.state, tokens[index:]
    if fields and fields[0].text == b"\\#" and not fields[0].quoted:
        prefix, source = _from_digits(scope, fields)
        strings = _strings_of(scope, source, prefix)
    else:
        # Of a field that is missing, this says which.
        texts = [field.text for field in fields[:1]] + [b""]
        prefix = wire_rdata.from_fields(rr.LUA, texts[: len(fields)], wire_name.ROOT)[:2]
        if fields[1].names_file:
            source, strings = _from_file(scope, fields, prefix)
        else:
            written = (parts or [(field,) for field in fields])[1:]
            if state.powerdns:
                for part in chain.from_iterable(written):
                    check_code(scope, part)
            source = of_strings(
                written, scope.file_index, state.lua_join, as_written=state.powerdns
            )
            strings = _strings_of(scope, source, prefix)
    size = len(prefix) + len(strings)
    if size > wire_rdata.MAX_RDATA:
        most = wire_rdata.MAX_RDATA
        raise InvalidRdata(f"RDATA of {size} octets; at most {most} are allowed", 1)
    place = pack(scope.file_index, tokens[0].line, tokens[0].column)
    state.zone.lua_sources.setdefault(place, source)
    return prefix + strings


def _from_digits(scope: FileScope, fields: Sequence[Token]) -> tuple[bytes, LuaSource]:
    texts = [field.text for field in fields]
    rdata = wire_rdata.from_fields(rr.LUA, texts, wire_name.ROOT, [f.quoted for f in fields])
    strings = LuaRecord.from_rdata(rdata).strings
    source = of_digits(fields[2:], strings, scope.file_index, scope.state.lua_join)
    return rdata[:2], source


def _strings_of(scope: FileScope, source: LuaSource, prefix: bytes) -> bytes:
    """The strings that code becomes, for the covered type that ``prefix`` has. Raises `AtFault`."""
    covered = int.from_bytes(prefix, "big")
    try:
        return strings_of(source.code, covered == rr.LUA)
    except LuaCodeError as error:
        report(scope, source, error, covered)


def _from_file(scope: FileScope, fields: Sequence[Token], prefix: bytes) -> tuple[LuaSource, bytes]:
    """Code in a file of its own, and its strings: a large file that a million records use is
    rewritten once."""
    if len(fields) != 3:
        raise InvalidRdata('$FILE takes one path: $FILE "lua/www.lua"', min(len(fields), 3))
    found = find(scope, fields[2], "$FILE", "lua-file")
    covered = int.from_bytes(prefix, "big")
    key = (found.path, covered == rr.LUA)
    known = scope.state.lua_files
    if key not in known:
        known[key] = None
        text, index = read_file(scope, fields[2], found)
        source = of_file(text, index, covered)
        known[key] = source, _strings_of(scope, source, prefix)
    made = known[key]
    if made is None:
        raise AtFault
    return made


def of_strings(
    strings: Sequence[Sequence[Token]], file_index: int, join: bytes, *, as_written: bool = False
) -> LuaSource:
    """Code in the strings of one record, joined with ``join``.

    A string is one field, or several where it is put together from parts that stand apart. Raises
    `lzc.wire.rdata.InvalidRdata` for a bad escape; its ``field_index`` is 1 for the first string,
    as the fields of a record are counted. With ``as_written`` Lua gets to see the escapes and
    strings count as they do on PowerDNS: one of a blank is none without ``join``, and with it an
    empty one has a blank less behind it.
    """
    if as_written and not join and len(strings) > 1:
        strings = [parts for parts in strings if b"".join([p.text for p in parts]) != b" "]
    whole = b""
    pieces: Pieces = []
    joints: list[int] = []
    code = b""
    for index, parts in enumerate(strings, 1):
        if index > 1:
            whole += join[:-1] if as_written and not code else join
            joints.append(len(whole))
        offset = len(whole)
        code = b""
        for part in parts:
            start = pack(file_index, part.line, part.column + part.quoted)
            if (as_written or b"\\" not in part.text) and part.text.isascii():
                pieces.append((offset + len(code), start))
                code += part.text
            elif as_written:
                pieces += _pieces(part.text, start, offset + len(code), _WIDE)
                code += part.text
            else:
                pieces += _pieces(part.text, start, offset + len(code), _WIDE_OR_ESCAPE)
                code += unescape(part.text, index)
        whole += code
    return LuaSource(whole, tuple(pieces), tuple(joints))


def of_string(string: bytes, start: int) -> LuaSource:
    """Code in one string without escapes, whose first octet is at the packed place ``start``."""
    if string.isascii():
        return LuaSource(string, ((0, start),))
    return LuaSource(string, tuple(_pieces(string, start, 0, _WIDE)))


def of_digits(
    digits: Sequence[Token], strings: Sequence[bytes], file_index: int, join: bytes
) -> LuaSource:
    """Code in RDATA written as hexadecimal ``digits``, which hold ``strings``."""
    places = [
        pack(file_index, field.line, field.column + at)
        for field in digits
        for at in range(len(field.text))
    ][::2]
    pieces: Pieces = []
    joints: list[int] = []
    offset = 0
    octet = 2
    for string in strings:
        octet += 1
        joints.append(offset)
        pieces += [(offset + at, places[octet + at]) for at in range(len(string))]
        offset += len(string) + len(join)
        octet += len(string)
    return LuaSource(join.join(strings), tuple(pieces) or ((0, places[0]),), tuple(joints[1:]))


def of_file(text: bytes, file_index: int, covered: int) -> LuaSource:
    """Code in a file of its own: an expression, or else a chunk that returns its result.

    A call alone would be a chunk as well, but one without a result, so expressions go first. Of
    text that is neither, the reading is taken that gets further.
    """
    text = text.removeprefix(_BOM)
    pieces: Pieces = []
    start = 0
    for line, found in enumerate([*_LINE_END.finditer(text), None], 1):
        end = found.end() if found else len(text)
        if start < end:
            pieces += _pieces(text[start:end], pack(file_index, line, 1), start, _WIDE)
        start = end
    plain = LuaSource(text, tuple(pieces))
    if covered == rr.LUA or text.startswith(b";"):
        return plain
    failed = _fails_at(plain.code, covered)
    if failed is None:
        return plain
    moved = [(offset + 1, place) for offset, place in pieces]
    chunk = LuaSource(b";" + text, ((0, pieces[0][1]), *moved))
    failed_as_chunk = _fails_at(chunk.code, covered)
    return chunk if failed_as_chunk is None or failed_as_chunk > failed else plain


def _fails_at(code: bytes, covered: int) -> int | None:
    try:
        _ = Program(code, covered).tree
    except LuaSyntaxError as error:
        return error.offset
    return None


def _pieces(text: bytes, start: int, offset: int, uneven: re.Pattern[bytes]) -> Pieces:
    """The pieces of a text on one line that starts at the packed place ``start`` and, escapes
    undone, at ``offset`` of the code. ``uneven`` matches what is not as many columns as octets."""
    pieces = [(offset, start)]
    columns = at = 0
    for match in uneven.finditer(text):
        plain = match.start() - at
        at = match.end()
        is_escape = match.lastindex == 1
        offset += plain + (1 if is_escape else at - match.start())
        columns += plain + (at - match.start() if is_escape else 1)
        pieces.append((offset, advance(start, columns)))
    return pieces


def strings_of(code: bytes, is_included: bool) -> bytes:
    """The character-strings of ``code`` rewritten, in wire format; at least one. ``is_included``
    says that the covered type is LUA. Raises `LuaCodeError`: `lzc.lua.syntax.tree.LuaSyntaxError`
    for what is no Lua, `lzc.lua.transfer.rewriter.RewriteError` for what no secondary would get
    right."""
    if len(code) > _CACHED_SIZE:
        return strings_to_wire(_program(code, is_included).strings)
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
                rewritten = b"".join(parts)
                if len(rewritten) <= LIMIT:
                    return bytes((len(rewritten),)) + rewritten
                return strings_to_wire(split_code(rewritten))
    return _strings_cached(code, is_included)


def _program(code: bytes, is_included: bool) -> Program:
    # Which type it is makes no other difference.
    return Program(code, rr.LUA if is_included else rr.A)


@lru_cache(maxsize=1024)
def _strings_cached(code: bytes, is_included: bool) -> bytes:
    return strings_to_wire(_program(code, is_included).strings)


@lru_cache(maxsize=1024)
def _around_values(shape: bytes, is_included: bool) -> list[bytes] | None:
    """Rewritten ``shape``, cut around its values; None where it cannot be told."""
    if any(start in shape for start in _HIDING):
        return None
    try:
        parts = _VALUE.split(_program(shape, is_included).rewritten)
    except LuaCodeError:
        # The code itself will tell where.
        return None
    return parts if parts[1::2] == _VALUE.split(shape)[1::2] else None

"""LUA records: from the operator's code to RDATA that every secondary runs alike.

The code is always parsed and rewritten: what a bundle holds and transfers is printable ASCII
without ``"`` and ``\\``, cut where a blank does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from lzc.faults import pack, unpack
from lzc.lua.program import Program
from lzc.lua.syntax.tree import LuaCodeError, LuaSyntaxError
from lzc.source import inputs, lua_source
from lzc.source.files import find, names_file, refuse
from lzc.source.lexer import Token, shown
from lzc.source.limits import INCLUDES, OCTETS, OverLimit
from lzc.source.reach import Refused
from lzc.source.state import FileScope, ReadState
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.rdata import InvalidRdata
from lzc.zone.model import LuaRecord, LuaSource

_PATH: Final = re.compile(rb"[^()'{}]*\.lua\s*")
"""What is the path of a file, and hardly code."""

MAX_FILE: Final = 65536
"""Octets of a .lua file at most. What is left of it without comments has to fit into one RR."""


def read_lua(
    state: ReadState,
    scope: FileScope,
    tokens: Sequence[Token],
    index: int,
    parts: Sequence[Sequence[Token]] | None = None,
) -> bytes | None:
    """The RDATA of a LUA record, whose own fields are ``tokens[index:]``; None, reported, when its
    code is at fault. ``parts`` tell, for each of those fields, what it was put together from.

    Its source goes to the zone's ``lua_sources``. Raises `InvalidRdata` for fields that are wrong.
    """
    fields = tokens[index:]
    of_file = 0
    if fields and fields[0].text == b"\\#" and not fields[0].quoted:
        prefix, source = _from_digits(state, scope, fields)
    elif len(fields) > 1 and names_file(fields[1]):
        prefix = _covered(fields)
        found = _from_file(state, scope, fields, int.from_bytes(prefix, "big"))
        if found is None:
            return None
        source = found
        of_file = id(found)
    else:
        prefix = _covered(fields)
        strings = parts or [(field,) for field in fields]
        source = lua_source.of_strings(strings[1:], scope.file_index, state.lua_join)
    covered = int.from_bytes(prefix, "big")
    try:
        # A large file that a million records use is rewritten once.
        code_rdata = state.lua_strings.get(of_file) or lua_source.strings_of(
            source.code, covered == rr.LUA
        )
    except LuaCodeError as error:
        _report_code(state, source, error, covered, scope.file_index)
        return None
    if of_file:
        state.lua_strings[of_file] = code_rdata
    if len(prefix) + len(code_rdata) > wire_rdata.MAX_RDATA:
        raise InvalidRdata(
            f"RDATA of {len(prefix) + len(code_rdata)} octets; "
            f"at most {wire_rdata.MAX_RDATA} are allowed",
            1,
        )
    place = pack(scope.file_index, tokens[0].line, tokens[0].column)
    state.zone.lua_sources.setdefault(place, source)
    return prefix + code_rdata


def _covered(fields: Sequence[Token]) -> bytes:
    """The covered type as RDATA has it."""
    if len(fields) < 2:
        # Raises, and says which field is missing.
        wire_rdata.from_fields(rr.LUA, [field.text for field in fields], wire_name.ROOT)
    return _type_octets(fields[0].text)


@lru_cache(maxsize=64)
def _type_octets(text: bytes) -> bytes:
    return wire_rdata.from_fields(rr.LUA, [text, b""], wire_name.ROOT)[:2]


def _from_digits(
    state: ReadState, scope: FileScope, fields: Sequence[Token]
) -> tuple[bytes, LuaSource]:
    texts = [field.text for field in fields]
    rdata = wire_rdata.from_fields(rr.LUA, texts, wire_name.ROOT, [f.quoted for f in fields])
    strings = LuaRecord.from_rdata(rdata).strings
    source = lua_source.of_digits(fields[2:], strings, scope.file_index, state.lua_join)
    return rdata[:2], source


def _from_file(
    state: ReadState, scope: FileScope, fields: Sequence[Token], covered: int
) -> LuaSource | None:
    if len(fields) != 3:
        raise InvalidRdata('$FILE takes one path: $FILE "lua/www.lua"', min(len(fields), 3))
    found = find(state, scope, fields[2], "$FILE", "lua-file")
    if found is None:
        return None
    key = (found.path, covered == rr.LUA)
    if key in state.lua_files:
        return state.lua_files[key]
    place = scope.place(fields[2])
    source = None
    try:
        state.spending.take(INCLUDES, 1)
        text, read = inputs.read(found.named, found.path, MAX_FILE + 1, state.reach)
        state.spending.take(OCTETS, len(text))
        state.zone.inputs.append(read)
    except OverLimit as error:
        raise state.over(place, error) from error
    except Refused as error:
        refuse(state, place, "lua-file", shown(fields[2].text), error.refusal)
        state.lua_files[key] = None
        return None
    except OSError as error:
        state.report(
            place,
            "lua-file-unreadable",
            f"{found.label} cannot be read: {error.strerror or error}",
            "the path is relative to the file it stands in",
            "correct the path, or make the file readable",
        )
        state.lua_files[key] = None
        return None
    if len(text) > MAX_FILE:
        state.report(
            place,
            "lua-file-too-large",
            f"{found.label} is larger than {MAX_FILE} octets",
            "the code of a LUA record has to fit into one RR",
            "take out what the record does not need",
        )
    elif text.startswith((b"\xff\xfe", b"\xfe\xff")):
        state.report(
            place,
            "not-utf-8",
            f"{found.label} is UTF-16, not ASCII or UTF-8",
            fix="save it as UTF-8",
        )
    elif not text.strip():
        state.report(
            place,
            "lua-file-empty",
            f"{found.label} is empty",
            "a LUA record without code answers SERVFAIL",
            "write the code into the file, or remove the record",
        )
    else:
        if found.label not in state.zone.files:
            state.zone.files.append(found.label)
        source = lua_source.of_file(text, state.zone.files.index(found.label), covered)
    state.lua_files[key] = source
    return source


def _report_code(
    state: ReadState, source: LuaSource, error: LuaCodeError, covered: int, file_index: int
) -> None:
    """Report code at fault; of code in a file of its own, which may be no Lua at all, nothing is
    shown."""
    place = unpack(source.place_at(error.offset), state.zone.files)
    if place in state.lua_faults:
        # A file that several records use.
        return
    state.lua_faults.add(place)
    reason = error.reason if place.file == state.zone.files[file_index] else error.plain
    if error.opened is not None:
        opened = unpack(source.place_at(error.opened), state.zone.files)
        reason += f", to close what {opened} opens"
    lost = Program(source.code, covered).swallowed(source.joints)
    if lost:
        comment = unpack(source.place_at(lost[0].comment), state.zone.files)
        reason += f"; the comment at {comment} swallows the strings after it"
    if not isinstance(error, LuaSyntaxError):
        state.report(
            place,
            "lua-not-transferable",
            f"the LUA record's code has no form that secondaries run as it is: {reason}",
            "they get code as strings of printable ASCII, at most 255 octets each",
            "write it in another way",
        )
        return
    is_chunk = covered == rr.LUA or source.code.startswith(b";")
    state.report(
        place,
        "lua-syntax",
        f"the LUA record's code is not Lua: {reason}",
        "every answer would be SERVFAIL",
        "strings are joined without line ends: write --[[ the comment ]] instead"
        if lost
        else 'to take the code from a file write: $FILE "lua/www.lua"'
        if _PATH.fullmatch(source.code) and not is_chunk
        else "correct the code"
        if is_chunk
        else "correct the code; what is more than an expression starts with `;` and returns its "
        "result",
    )

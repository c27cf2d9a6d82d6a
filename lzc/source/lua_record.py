"""LUA records: from the operator's code to RDATA that every secondary runs alike.

The code is always parsed and rewritten: what a bundle holds and transfers is printable ASCII
without ``"`` and ``\\``, cut where a blank does no harm.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from typing import Final, NoReturn

from lzc.faults import pack, unpack
from lzc.lua.program import Program
from lzc.lua.syntax.tree import LuaCodeError, LuaSyntaxError
from lzc.source import inputs, lua_source
from lzc.source.dialect import check_code
from lzc.source.files import Found, find, refuse
from lzc.source.lexer import Token, shown
from lzc.source.limits import INCLUDES, OCTETS, OverLimit
from lzc.source.reach import Refused
from lzc.source.state import AtFault, FileScope
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
            source = lua_source.of_strings(
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
    source = lua_source.of_digits(fields[2:], strings, scope.file_index, scope.state.lua_join)
    return rdata[:2], source


def _strings_of(scope: FileScope, source: LuaSource, prefix: bytes) -> bytes:
    """The strings that code becomes, for the covered type that ``prefix`` has. Raises `AtFault`."""
    covered = int.from_bytes(prefix, "big")
    try:
        return lua_source.strings_of(source.code, covered == rr.LUA)
    except LuaCodeError as error:
        _report_code(scope, source, error, covered)


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
        source = _read_file(scope, fields[2], found, covered)
        known[key] = source, _strings_of(scope, source, prefix)
    made = known[key]
    if made is None:
        raise AtFault
    return made


def _read_file(scope: FileScope, token: Token, found: Found, covered: int) -> LuaSource:
    state, label = scope.state, found.label
    try:
        state.spending.take(INCLUDES, 1)
        text, read = inputs.read(found.named, found.path, MAX_FILE + 1, state.reach)
        state.spending.take(OCTETS, len(text))
        state.zone.inputs.append(read)
    except OverLimit as error:
        raise state.over(scope.place(token), error) from error
    except Refused as error:
        refuse(scope, token, "lua-file", shown(token.text), error.refusal)
    except OSError as error:
        scope.fail(
            token,
            "lua-file-unreadable",
            f"{label} cannot be read: {error.strerror or error}",
            "the path is relative to the file it stands in",
            "correct the path, or make the file readable",
        )
    if len(text) > MAX_FILE:
        scope.fail(
            token,
            "lua-file-too-large",
            f"{label} is larger than {MAX_FILE} octets",
            "the code of a LUA record has to fit into one RR",
            "take out what the record does not need",
        )
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = f"{label} is UTF-16, not ASCII or UTF-8"
        scope.fail(token, "not-utf-8", message, fix="save it as UTF-8")
    if not text.strip():
        scope.fail(
            token,
            "lua-file-empty",
            f"{label} is empty",
            "a LUA record without code answers SERVFAIL",
            "write the code into the file, or remove the record",
        )
    files = state.zone.files
    if label not in files:
        files.append(label)
    return lua_source.of_file(text, files.index(label), covered)


def _report_code(
    scope: FileScope, source: LuaSource, error: LuaCodeError, covered: int
) -> NoReturn:
    """Report code at fault; of code in a file of its own, which may be no Lua at all, nothing is
    shown. Raises `AtFault`."""
    state, files = scope.state, scope.state.zone.files
    place = unpack(source.place_at(error.offset), files)
    if place in state.lua_faults:
        # A file that several records use.
        raise AtFault
    state.lua_faults.add(place)
    reason = error.reason if place.file == files[scope.file_index] else error.plain
    if error.opened is not None:
        reason += f", to close what {unpack(source.place_at(error.opened), files)} opens"
    lost = Program(source.code, covered).swallowed(source.joints)
    if lost:
        comment = unpack(source.place_at(lost[0].comment), files)
        reason += f"; the comment at {comment} swallows the strings after it"
    if not isinstance(error, LuaSyntaxError):
        scope.fail(
            place,
            "lua-not-transferable",
            f"the LUA record's code has no form that secondaries run as it is: {reason}",
            "they get code as strings of printable ASCII, at most 255 octets each",
            "write it in another way",
        )
    is_chunk = covered == rr.LUA or source.code.startswith(b";")
    fix = "correct the code"
    if lost:
        fix = "strings are joined without line ends: write --[[ the comment ]] instead"
    elif _PATH.fullmatch(source.code) and not is_chunk:
        fix = 'to take the code from a file write: $FILE "lua/www.lua"'
    elif not is_chunk:
        fix += "; what is more than an expression starts with `;` and returns its result"
    scope.fail(
        place,
        "lua-syntax",
        f"the LUA record's code is not Lua: {reason}",
        "every answer would be SERVFAIL",
        fix,
    )

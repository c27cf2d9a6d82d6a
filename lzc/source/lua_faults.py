"""What is wrong with the code of a LUA record, and what to do about it."""

from __future__ import annotations

import re
from typing import Final, NoReturn

from lzc.faults import unpack
from lzc.lua.program import Program
from lzc.lua.syntax.tree import LuaCodeError, LuaSyntaxError
from lzc.source.state import AtFault, FileScope
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaSource

_PATH: Final = re.compile(rb"[^()'{}]*\.lua\s*")
"""What is the path of a file, and hardly code."""


def report(scope: FileScope, source: LuaSource, error: LuaCodeError, covered: int) -> NoReturn:
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

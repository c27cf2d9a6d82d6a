"""Plans for the LUA records of a zone that need no Lua to be answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from lzc.wire import rrtype
from lzc.wire.name import key_of_labels
from lzc.zone.model import LuaRecord, Record

if TYPE_CHECKING:
    from lzc.health_check import Check
    from lzc.lua.health.constants import Constants

_PLAIN: Final = re.compile(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,9}")
"""A relative name without escapes, not too long for any zone but what is out of reach anyway."""


def lua_plans(
    lua_records: Sequence[Record], apex: bytes, insert_whitespace: bool, exec_limit: int = 0
) -> dict[bytes, bytes]:
    """The plans of a zone's LUA records, sorted as zones are, by `lzc.lua.plan.plan_key`. Several
    records that answer for one type at one name are run: there is no plan for them together. So is
    what might take more instructions than ``exec_limit`` (0: no limit)."""
    from lzc.lua.functions.recogniser import most_instructions, recognise
    from lzc.lua.plan import plan_key

    codes: dict[tuple[bytes, int], list[bytes]] = {}
    for key, _, rdata, ttl, _ in lua_records:
        lua = LuaRecord.from_rdata(rdata, ttl)
        codes.setdefault((key, lua.covered), []).append(lua.join(insert_whitespace))

    included: list[bytes] = []

    def include(name: bytes) -> bytes | None:
        relative = name.removesuffix(b".")
        if not _PLAIN.fullmatch(relative):
            return None
        found = codes.get((key_of_labels(relative.lower().split(b".")), rrtype.LUA), ())
        if len(found) != 1:
            return None
        included.append(found[0])
        return found[0]

    alone = {(found[0], covered) for (_, covered), found in codes.items() if len(found) == 1}
    plans = {}
    for code, covered in sorted(alone):
        included.clear()
        plan = recognise(code, covered, include)
        most = most_instructions(b"".join((code, *included)))
        if plan is not None and (not exec_limit or most <= exec_limit):
            plans[plan_key(code, covered, apex)] = plan
    return plans


def checks_behind_choices(plans: dict[bytes, bytes]) -> set[Check]:
    """What plans ask about only for some clients, which trying them out may not have shown."""
    from lzc.lua.plan import checks_in

    found: set[Check] = set()
    for plan in plans.values():
        if b'["if",' in plan and (b'["up",' in plan or b'["weights",' in plan):
            found |= checks_in(plan)
    return found


def checks_without_plans(
    lua_records: Sequence[Record], plans: dict[bytes, bytes], apex: bytes, insert_whitespace: bool
) -> set[Check]:
    """What the code of the other records asks about on ways that trying them out may not have
    taken."""
    from lzc.compiler.lua.written_checks import written_checks

    found: set[Check] = set()
    for code, covered in _without_plans(lua_records, plans, apex, insert_whitespace):
        if covered != rrtype.LUA:
            found |= written_checks(code, covered)
    return found


def constants_without_plans(
    lua_records: Sequence[Record], plans: dict[bytes, bytes], apex: bytes, insert_whitespace: bool
) -> Constants:
    """The constants in calls of that code, which may look at candidates that a query decides."""
    from lzc.compiler.lua.written_constants import written_constants
    from lzc.lua.health.constants import Constants

    found = Constants()
    for code, covered in _without_plans(lua_records, plans, apex, insert_whitespace):
        found |= written_constants(code, covered)
    return found


def _without_plans(
    lua_records: Sequence[Record], plans: dict[bytes, bytes], apex: bytes, insert_whitespace: bool
) -> set[tuple[bytes, int]]:
    """The code, and the type that it answers for, of records that have to be run."""
    from lzc.lua.plan import plan_key

    records = [LuaRecord.from_rdata(rdata, ttl) for _, _, rdata, ttl, _ in lua_records]
    codes = {(lua.join(insert_whitespace), lua.covered) for lua in records}
    return {one for one in codes if plan_key(*one, apex) not in plans}

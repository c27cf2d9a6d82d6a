"""Plans for the LUA records of a zone that need no Lua to be answered."""

from __future__ import annotations

from collections.abc import Sequence

from lzc.zone.model import LuaRecord, Record


def lua_plans(lua_records: Sequence[Record], insert_whitespace: bool) -> dict[bytes, bytes]:
    """The plans of a zone's LUA records, sorted as zones are, by `lzc.lua.plan.plan_key`. Several
    records that answer for one type at one name are run: there is no plan for them together."""
    from lzc.lua.idioms import recognise
    from lzc.lua.plan import plan_key

    codes: dict[tuple[bytes, int], list[bytes]] = {}
    for key, _, rdata, ttl, _ in lua_records:
        lua = LuaRecord.from_rdata(rdata, ttl)
        codes.setdefault((key, lua.covered), []).append(lua.join(insert_whitespace))
    alone = {(found[0], covered) for (_, covered), found in codes.items() if len(found) == 1}
    plans = {}
    for code, covered in sorted(alone):
        plan = recognise(code, covered)
        if plan is not None:
            plans[plan_key(code, covered)] = plan
    return plans

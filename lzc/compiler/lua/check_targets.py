"""Whether the health checks that a build found may be made, by the networks of ``[health]``.

An address that stands in the zone is an error where checks may not reach it. One that only came of
trying the code out, with a made-up client and name, says nothing of the author's: it is not listed,
and the server judges what queries make of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final

from lzc.faults import Fault
from lzc.health_check import Check
from lzc.lua.health.reach import CheckReach, host_of
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord, Record, Zone

MADE_UP: Final = frozenset(("127.0.0.1", "198.51.100.0", "2001:db8::1", "2001:db8::"))
"""Addresses of the clients that code is tried out with (`lzc.compiler.lua.health_checks`)."""


def judge(
    zone: Zone,
    lua_records: Sequence[Record],
    checks: Collection[Check],
    reach: CheckReach,
    insert_whitespace: bool,
) -> tuple[frozenset[Check], list[Fault]]:
    """The checks that are to be listed, and an error for each address in the zone that checks may
    not reach."""
    written: dict[str, Record] | None = None
    kept = []
    faults: dict[str, Fault] = {}
    for check in sorted(checks, key=Check.to_json):
        target = check.address or host_of(check.url)
        refusal = reach.refusal(target, written=True) if target else None
        if refusal is None and target not in MADE_UP:
            kept.append(check)
            continue
        if written is None:
            written = _written(zone, lua_records, insert_whitespace)
        record = written.get(target)
        if record is None:
            continue
        if refusal is None:
            kept.append(check)
        elif target not in faults:
            faults[target] = Fault(
                zone.place(record),
                "lua-check-target",
                f"a health check may not reach its target: {refusal.why}",
                "whoever may change the zone, or ask it, could learn of what only this machine"
                " reaches",
                f"correct the address; {refusal.fix}",
            )
    return frozenset(kept), list(faults.values())


def _written(
    zone: Zone, lua_records: Sequence[Record], insert_whitespace: bool
) -> dict[str, Record]:
    """The addresses that stand in a zone as constants, each with the first record that has it."""
    from lzc.lua import address
    from lzc.lua.functions.recogniser import recognise
    from lzc.lua.plan import checks_in
    from lzc.lua.syntax.lexer import STRING, lex, string_value

    found: dict[str, Record] = {}
    for record in lua_records:
        lua = LuaRecord.from_rdata(record[2])
        code = lua.join(insert_whitespace)
        tokens = lex(code)
        spans = zip(tokens.types, tokens.starts, tokens.ends, strict=True)
        for text in [string_value(code[start:end]) for kind, start, end in spans if kind == STRING]:
            parsed = address.parse(text)
            host = parsed[1].decode() if parsed is not None else host_of(text.decode("latin-1"))
            if host:
                found.setdefault(host, record)
        # Constants may be put together of others.
        plan = recognise(code, lua.covered)
        for check in checks_in(plan) if plan is not None else ():
            found.setdefault(check.address or host_of(check.url), record)
    for record in zone.records:
        if record[1] in (rr.A, rr.AAAA) and len(record[2]) in (4, 16):
            found.setdefault(address.to_text(record[2]).decode(), record)
    return found

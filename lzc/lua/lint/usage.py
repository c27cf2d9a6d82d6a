"""Ways of using the API that work, and yet are not what an operator wants; and ``include``."""

from __future__ import annotations

from typing import Final

from lzc.lua.lint.context import Inclusion, Record, quoted
from lzc.lua.lint.literals import number_of
from lzc.lua.syntax import tree as syntax

CHECKS: Final = ("ifportup", "ifurlup", "ifurlextup", "pickselfweighted")

TTL: Final = 60
"""Seconds of a TTL that are always fine."""

ROUNDS: Final = 12
"""Rounds of health checks that a TTL may span."""

_NOTHING: Final = Inclusion(True, dynamic=True)


def inclusions(record: Record, calls: list[syntax.Call]) -> list[Inclusion]:
    """What the record includes; names that are not literal may be anything. Reports those that are
    not there."""
    found: list[Inclusion] = []
    for call in calls:
        if record.function_name(call.function) != "include" or not call.arguments:
            continue
        name = record.literals.text(call.arguments[0])
        if name is None:
            found.append(_NOTHING)
            continue
        inclusion = record.zone.included(name)
        found.append(inclusion)
        if not inclusion.found:
            instead = inclusion.instead or "there is no such name"
            record.report(
                record.literals.behind(call.arguments[0]),
                "lua-include",
                f"{quoted(name)} cannot be included: {instead}",
            )
    return found


def check_forwards(record: Record, calls: list[syntax.Call]) -> None:
    """Report createForward where filterForward does not say which addresses it may give."""
    filtered: set[int] = set()
    made: list[tuple[syntax.Call, str]] = []
    for call in calls:
        name = record.function_name(call.function)
        if name == "filterForward" and call.arguments:
            behind = record.literals.behind(call.arguments[0])
            if isinstance(behind, syntax.String):
                continue
            if not isinstance(behind, syntax.Call):
                # Where it comes from is not known: perhaps from createForward.
                return
            filtered.add(behind.offset)
        elif name in ("createForward", "createForward6"):
            made.append((call, name))
    for call, name in made:
        if call.offset not in filtered:
            net = "192.0.2.0/24" if name == "createForward" else "2001:db8::/32"
            record.report(
                call,
                "lua-open-forward",
                f"{name} without filterForward gives any address",
                fix=f"wrap it: filterForward({name}(), newNMG({{'{net}'}}))",
            )


def check_ttl(record: Record, calls: list[syntax.Call]) -> None:
    """Report a TTL by which answers outlive many rounds of the checks they depend on."""
    intervals: list[float] = []
    first: syntax.Call | None = None
    for call in calls:
        if record.function_name(call.function) in CHECKS:
            first = first or call
            intervals.append(_interval(record, call))
    if first is None:
        return
    ttl, interval = record.facts.ttl, int(max(intervals))
    longest = max(TTL, ROUNDS * interval)
    if ttl > longest:
        record.report(
            first,
            "lua-ttl",
            f"the TTL is {ttl} s, the health checks run every {interval} s",
            fix=f"take a TTL of {longest} seconds or less",
        )


def _interval(record: Record, call: syntax.Call) -> float:
    for argument in call.arguments[1:]:
        table = record.literals.table(argument)
        for field in table.fields if table is not None else ():
            if field.key is not None and record.literals.text(field.key) == b"interval":
                text = record.literals.text(field.value)
                number = None if text is None else number_of(text)
                return number or record.zone.interval
    return record.zone.interval

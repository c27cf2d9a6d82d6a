"""Calls of PowerDNS's functions: their arguments as far as they are literals, what ``include``
finds, and a TTL that does not go with health checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lzc.lua.definition.function import Function
from lzc.lua.definition.record import Examination, Inclusion, is_multiple, number_of, quoted
from lzc.lua.functions import meant
from lzc.lua.syntax import tree as syntax

TTL: Final = 60
"""Seconds of a TTL that are always fine."""

ROUNDS: Final = 12
"""Rounds of health checks that a TTL may span."""

_NOTHING: Final = Inclusion(True, dynamic=True)


def check_calls(record: Examination, calls: Sequence[syntax.Call]) -> None:
    """Report arguments that the functions do not take."""
    for call in calls:
        function = meant(record, call)
        if function is not None:
            _check_call(record, call, function)


def _check_call(record: Examination, call: syntax.Call, function: Function) -> None:
    name, parameters, given = function.name, function.parameters, call.arguments
    if len(given) < function.required and not (given and is_multiple(given[-1])):
        record.report(
            call,
            "lua-argument",
            f"{name} needs {function.required} argument(s): {parameters[len(given)].what} is"
            " missing",
        )
    if len(given) > len(parameters) and not function.more:
        record.report(
            given[len(parameters)],
            "lua-argument",
            f"{name} takes at most {len(parameters)} argument(s), not {len(given)}",
            fix=parameters[-1].several if parameters else "",
        )
    for position, (argument, parameter) in enumerate(zip(given, parameters, strict=False)):
        if position >= function.required and record.literals.kind(argument) == "nil":
            continue
        parameter.check(record, name, argument)


def includes(record: Examination, call: syntax.Call) -> bool:
    """Whether a call runs another record."""
    function = meant(record, call)
    return function is not None and function.includes


def inclusions(record: Examination, calls: Sequence[syntax.Call]) -> list[Inclusion]:
    """What the record includes; names that are not literal may be anything. Reports those that are
    not there."""
    found: list[Inclusion] = []
    for call in calls:
        if not includes(record, call) or not call.arguments:
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


def check_ttl(record: Examination, calls: Sequence[syntax.Call]) -> None:
    """Report a TTL by which answers outlive many rounds of the checks they depend on."""
    intervals: list[float] = []
    first: syntax.Call | None = None
    for call in calls:
        function = meant(record, call)
        if function is not None and function.options is not None:
            first = first or call
            intervals.append(_interval(record, call))
    if first is None:
        return
    ttl, interval = record.ttl, int(max(intervals))
    longest = max(TTL, ROUNDS * interval)
    if ttl > longest:
        record.report(
            first,
            "lua-ttl",
            f"the TTL is {ttl} s, the health checks run every {interval} s",
            fix=f"take a TTL of {longest} seconds or less",
        )


def _interval(record: Examination, call: syntax.Call) -> float:
    for argument in call.arguments[1:]:
        for field in record.literals.fields(argument):
            if field.key is not None and record.literals.text(field.key) == b"interval":
                text = record.literals.text(field.value)
                number = None if text is None else number_of(text)
                # PowerDNS looks what is due in rounds, so that less comes to nothing there.
                return max(number or 0, record.zone.interval)
    return record.zone.interval

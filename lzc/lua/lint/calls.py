"""The arguments of calls of PowerDNS's functions, as far as they are literals."""

from __future__ import annotations

from collections.abc import Sequence

from lzc.lua.definition.function import Function
from lzc.lua.definition.record import Examination, is_multiple
from lzc.lua.functions import meant
from lzc.lua.syntax import tree as syntax


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

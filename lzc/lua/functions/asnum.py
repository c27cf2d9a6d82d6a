"""asnum: whether the client's network belongs to one of some autonomous systems."""

from __future__ import annotations

from typing import Final

from lzc.lua.definition.function import Condition, Form, Function
from lzc.lua.definition.parameters import value_or_list
from lzc.lua.definition.record import Examination, number_of, quoted
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import integer, values
from lzc.lua.syntax.tree import Expression


def _look(record: Examination, function: str, node: Expression, text: bytes) -> None:
    if number_of(text) is None:
        message = f"{function} takes {NUMBERS.what}, not {quoted(text)}"
        record.report(node, "lua-argument", message)


NUMBERS: Final = value_or_list("a number, or a list of numbers", _look)


def _condition(_form: Form, argument: Expression) -> Condition:
    numbers = values(argument) if isinstance(argument, syntax.Table) else [argument]
    return ["asnum", [integer(value, 2**32 - 1) for value in numbers]]


FUNCTIONS = (Function("asnum", (NUMBERS,), of_client=True, condition=_condition),)

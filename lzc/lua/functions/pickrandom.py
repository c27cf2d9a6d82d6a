"""pickrandom, pickhashed: one item of a list, by chance or the hash of the client;
pickrandomsample: so many of them in random order; all: every one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from lzc.lua.definition.function import Form, Function, Operation
from lzc.lua.definition.parameters import NUMBER, STRINGS
from lzc.lua.syntax.constants import integer
from lzc.lua.syntax.tree import Expression

_MOST: Final = 2**31 - 1


def _of_items(operation: str) -> Callable[[Form, Expression], Operation]:
    return lambda form, items: [operation, form.items(items)]


def _sample(form: Form, size: Expression, items: Expression) -> Operation:
    found = form.items(items)
    return ["sample", min(integer(size, _MOST), len(found)), found]


FUNCTIONS = (
    Function("pickrandom", (STRINGS,), chosen=0, operation=_of_items("random")),
    Function("pickhashed", (STRINGS,), of_client=True, chosen=0, operation=_of_items("hashed")),
    Function("pickrandomsample", (NUMBER, STRINGS), chosen=1, operation=_sample),
    Function("all", (STRINGS,), chosen=0, operation=_of_items("fixed")),
)

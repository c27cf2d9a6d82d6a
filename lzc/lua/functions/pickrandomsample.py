"""pickrandomsample: so many items of a list, in random order."""

from __future__ import annotations

from typing import Final

from lzc.lua.definition.form import Form
from lzc.lua.definition.function import Function, Operation
from lzc.lua.definition.parameters import NUMBER, STRINGS
from lzc.lua.syntax.constants import integer
from lzc.lua.syntax.tree import Expression

_MOST: Final = 2**31 - 1


def _sample(form: Form, size: Expression, items: Expression) -> Operation:
    found = form.items(items)
    return ["sample", min(integer(size, _MOST), len(found)), found]


FUNCTIONS = (Function("pickrandomsample", (NUMBER, STRINGS), chosen=1, operation=_sample),)

"""pickrandom: one item of a list, by chance."""

from __future__ import annotations

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import STRINGS

FUNCTIONS = (
    Function(
        "pickrandom",
        (STRINGS,),
        chosen=0,
        operation=lambda form, items: ["random", form.items(items)],
    ),
)

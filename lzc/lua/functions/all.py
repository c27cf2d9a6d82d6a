"""all: every item of a list."""

from __future__ import annotations

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import STRINGS

FUNCTIONS = (
    Function(
        "all",
        (STRINGS,),
        chosen=0,
        operation=lambda form, items: ["fixed", form.items(items)],
    ),
)

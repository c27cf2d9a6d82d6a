"""pickhashed: one item of a list, by the hash of the client."""

from __future__ import annotations

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import STRINGS

FUNCTIONS = (
    Function(
        "pickhashed",
        (STRINGS,),
        chosen=0,
        operation=lambda form, items: ["hashed", form.items(items)],
    ),
)

"""newQType: the type of a record, by its name."""

from typing import Final

from lzc.lua.definition.function import Change, Function
from lzc.lua.definition.parameters import TEXT

CHANGES: Final = (
    Change((4, 9), "TSIG is a type, of number 250; before, it is none", "write the number"),
)

FUNCTIONS = (Function("newQType", (TEXT,), changes=CHANGES),)

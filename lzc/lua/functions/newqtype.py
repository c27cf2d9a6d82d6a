"""newQType: the type of a record, by its name."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import TEXT

FUNCTIONS = (Function("newQType", (TEXT,)),)

"""newCA, newCAFromRaw: a ComboAddress, from its text or its octets; newCAS: a set of such."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import ADDRESS, NUMBER, TEXT

FUNCTIONS = (
    Function("newCA", (ADDRESS,)),
    Function("newCAFromRaw", (TEXT, NUMBER), optional=1),
    Function("newCAS"),
)

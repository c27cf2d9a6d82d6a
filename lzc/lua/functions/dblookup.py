"""dblookup: the contents of records that this server has."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import ANY

FUNCTIONS = (Function("dblookup", (ANY, ANY), since=(4, 9), of_zone=True),)

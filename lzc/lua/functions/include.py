"""include: runs the LUA record that covers LUA at a name."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import NAME

FUNCTIONS = (Function("include", (NAME,), includes=True, of_zone=True),)

"""pdnslog: writes a line into the log."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import NUMBER, TEXT

FUNCTIONS = (Function("pdnslog", (TEXT, NUMBER), optional=1),)

"""report: there on PowerDNS, where it always fails."""

from lzc.lua.definition.function import Function

FUNCTIONS = (Function("report", more=True),)

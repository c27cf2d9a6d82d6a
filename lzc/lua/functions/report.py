"""report: there on PowerDNS, where it always fails."""

from __future__ import annotations

from lzc.lua.definition.function import Function

FUNCTIONS = (Function("report", more=True),)

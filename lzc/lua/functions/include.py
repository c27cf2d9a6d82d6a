"""include: runs the LUA record that covers LUA at a name."""

from __future__ import annotations

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import NAME

FUNCTIONS = (Function("include", (NAME,), includes=True),)

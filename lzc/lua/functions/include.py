"""include: runs the LUA record that covers LUA at a name."""

from typing import Final

from lzc.lua.definition.function import Change, Function
from lzc.lua.definition.parameters import NAME

_MARK: Final = Change(
    (5, 1),
    "what is included may start with a semicolon; before, such code is not run, and nobody is told",
    "leave the semicolon out: what is included is always a chunk",
)

FUNCTIONS = (Function("include", (NAME,), changes=(_MARK,), includes=True, of_zone=True),)

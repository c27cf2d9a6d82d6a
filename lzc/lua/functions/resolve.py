"""resolve: asks other servers, which lzc does not."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import ANY, NAME

FUNCTIONS = (Function("resolve", (NAME, ANY), refused="it would have to wait for other servers"),)

"""pdnsrandom: a random number, from 0 and below a limit of at most 2**32."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import NUMBER

FUNCTIONS = (Function("pdnsrandom", (NUMBER,), optional=1),)

"""newDR, newDRR: a DNSRecord, a DNSResourceRecord."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import ANY
from lzc.lua.functions.newqtype import CHANGES

FUNCTIONS = (
    Function("newDR", (ANY,) * 5, changes=CHANGES),
    Function("newDRR", (ANY,) * 6, optional=2, changes=CHANGES),
)

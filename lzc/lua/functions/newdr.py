"""newDR, newDRR: a DNSRecord, a DNSResourceRecord."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import ANY

FUNCTIONS = (
    Function("newDR", (ANY,) * 5),
    Function("newDRR", (ANY,) * 6, optional=2),
)

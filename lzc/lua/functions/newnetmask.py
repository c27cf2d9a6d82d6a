"""newNetmask: a Netmask."""

from __future__ import annotations

from lzc.lua.definition.addresses import is_network
from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import scalar
from lzc.lua.definition.record import Record, quoted
from lzc.lua.syntax.tree import Expression


def _look(record: Record, function: str, node: Expression, text: bytes) -> None:
    if not is_network(text):
        record.report(node, "lua-bad-address", f"{function}: {quoted(text)} is no network")


FUNCTIONS = (Function("newNetmask", (scalar("a network", _look),)),)

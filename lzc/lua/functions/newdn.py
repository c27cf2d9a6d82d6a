"""newDN: a DNSName."""

from __future__ import annotations

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import NAME, scalar
from lzc.lua.definition.record import Examination, quoted
from lzc.lua.syntax.tree import Expression
from lzc.wire import name as wire_name


def _look(record: Examination, function: str, node: Expression, text: bytes) -> None:
    if not text:
        return
    try:
        wire_name.from_text(text, wire_name.ROOT)
    except wire_name.InvalidName as error:
        message = f"{function}: {quoted(text)} is no domain name: {error}"
        record.report(node, "lua-argument", message)


FUNCTIONS = (Function("newDN", (scalar(NAME.what, _look),)),)

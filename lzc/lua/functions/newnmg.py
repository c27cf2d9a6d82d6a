"""newNetmask: a Netmask; newNMG: a NetmaskGroup, of networks that may have "!" in front."""

from __future__ import annotations

from functools import partial
from typing import Final

from lzc.lua.address import is_network
from lzc.lua.definition.function import Change, Function
from lzc.lua.definition.parameters import NETWORKS, list_of, look_at_network, scalar
from lzc.lua.definition.record import Examination, quoted
from lzc.lua.syntax.tree import Expression


def _look(record: Examination, function: str, node: Expression, text: bytes) -> None:
    if not is_network(text):
        record.report(node, "lua-bad-address", f"{function}: {quoted(text)} is no network")


_NEGATABLE = list_of(NETWORKS.what, partial(look_at_network, negatable=True), may_be_empty=True)

_BITS: Final = Change(
    (4, 9),
    "a length beyond the address is the address's own; before, it stays as it is written",
    "write a length of 32 or 128 at most",
)

FUNCTIONS = (
    Function("newNetmask", (scalar("a network", _look),), changes=(_BITS,)),
    Function("newNMG", (_NEGATABLE,), optional=1),
)

"""newNMG: a NetmaskGroup, of networks that may have "!" in front."""

from __future__ import annotations

from functools import partial

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import NETWORKS, list_of, look_at_network

_NEGATABLE = list_of(NETWORKS.what, partial(look_at_network, negatable=True), may_be_empty=True)

FUNCTIONS = (Function("newNMG", (_NEGATABLE,), optional=1),)

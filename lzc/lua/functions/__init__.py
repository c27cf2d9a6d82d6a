"""The functions of PowerDNS in LUA records: a module each, or one for a few that share what they
are, with their Lua in the file of the same name beside it.

To add one, write the two files and list the module here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lzc.lua.definition.function import Function
from lzc.lua.functions import (
    all,
    asnum,
    country,
    createforward,
    createreverse,
    dblookup,
    geoiplookup,
    ifportup,
    ifurlextup,
    ifurlup,
    include,
    latlon,
    netmask,
    newca,
    newdn,
    newdr,
    newnetmask,
    newnmg,
    newqtype,
    pdnslog,
    pdnsrandom,
    pickchashed,
    pickclosest,
    pickhashed,
    pickrandom,
    pickrandomsample,
    pickselfweighted,
    pickwrandom,
    report,
    resolve,
    view,
)
from lzc.lua.syntax.tree import Call, Expression, Name, Node

_MODULES: Final = (
    all,
    asnum,
    country,
    createforward,
    createreverse,
    dblookup,
    geoiplookup,
    ifportup,
    ifurlextup,
    ifurlup,
    include,
    latlon,
    netmask,
    newca,
    newdn,
    newdr,
    newnetmask,
    newnmg,
    newqtype,
    pdnslog,
    pdnsrandom,
    pickchashed,
    pickclosest,
    pickhashed,
    pickrandom,
    pickrandomsample,
    pickselfweighted,
    pickwrandom,
    report,
    resolve,
    view,
)

FUNCTIONS: Final[Mapping[str, Function]] = {
    function.name: function for module in _MODULES for function in module.FUNCTIONS
}
"""Every function by its name."""

CHECKING: Final = frozenset(
    function.name.encode() for function in FUNCTIONS.values() if function.options is not None
)
"""The names of those that ask for health checks."""


def called(node: Node) -> tuple[Function | None, tuple[Expression, ...]]:
    """The function that an expression calls by its name, and the arguments; `None` for anything
    else, and for more or fewer arguments than it takes."""
    if isinstance(node, Call) and isinstance(node.function, Name):
        function = FUNCTIONS.get(node.function.name.decode("latin-1"))
        if function is not None and function.takes(len(node.arguments)):
            return function, node.arguments
    return None, ()

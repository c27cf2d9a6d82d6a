"""pickchashed: one item by its weight and the hash of the client, consistently: a change of one
weight moves only a part of the clients."""

from __future__ import annotations

from lzc.lua.definition.function import Form, Function, Operation
from lzc.lua.engine.ring import MAX_HASHED, MAX_POINTS, hashed_octets
from lzc.lua.functions.pickwrandom import CHANGES, WEIGHTED, pairs
from lzc.lua.syntax.constants import Other
from lzc.lua.syntax.tree import Expression


def _ring(form: Form, items: Expression) -> Operation:
    found = pairs(form, items)
    sizes = [(len(key), weight) for weight, _, key in found]
    if sum(weight for _, weight in sizes) > MAX_POINTS or hashed_octets(sizes) > MAX_HASHED:
        raise Other
    return ["ring", [[weight, item, key.decode("latin-1")] for weight, item, key in found]]


FUNCTIONS = (
    Function(
        "pickchashed",
        (WEIGHTED,),
        since=(4, 9),
        changes=CHANGES,
        of_client=True,
        chosen=0,
        operation=_ring,
    ),
)

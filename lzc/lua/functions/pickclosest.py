"""pickclosest and closestMagic: the nearest of some addresses, of a list or of the name asked
for."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import ADDRESSES
from lzc.lua.syntax.constants import texts

FUNCTIONS = (
    Function(
        "pickclosest",
        (ADDRESSES,),
        of_client=True,
        chosen=0,
        operation=lambda form, items: [
            "closest",
            [form.candidate(written)[:2] for written in texts(items)],
        ],
    ),
    Function("closestMagic", of_client=True, of_name=True, operation=lambda form: ["magic"]),
)

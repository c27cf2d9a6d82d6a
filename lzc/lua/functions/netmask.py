"""netmask: whether the client is in one of some networks."""

from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import NETWORKS

FUNCTIONS = (
    Function(
        "netmask",
        (NETWORKS,),
        of_client=True,
        condition=lambda form, list_: ["netmask", form.networks(list_)],
    ),
)

"""pickselfweighted: one candidate by the hash of the client and the weights that their pages
give."""

from __future__ import annotations

from lzc.lua.definition.check_options import CHANGES, HTTP_OPTIONS, read_options, url_of
from lzc.lua.definition.function import Form, Function, Operation
from lzc.lua.definition.parameters import ADDRESSES, URL
from lzc.lua.functions.ifportup import checked
from lzc.lua.syntax.constants import text
from lzc.lua.syntax.tree import Expression


def _weights(
    form: Form, url: Expression, addresses: Expression, given: Expression | None = None
) -> Operation:
    options = read_options(form.version, given)
    candidates = checked(form, b"weight ", text(url), addresses, options.settings)
    return ["weights", candidates]


FUNCTIONS = (
    Function(
        "pickselfweighted",
        (URL, ADDRESSES, HTTP_OPTIONS),
        optional=1,
        changes=CHANGES,
        since=(5, 0),
        of_client=True,
        chosen=1,
        options=2,
        targets=url_of,
        operation=_weights,
    ),
)

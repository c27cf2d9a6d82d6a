"""ifurlup: candidates that answer an HTTP request for a URL."""

from lzc.lua.definition.check_options import CHANGES, HTTP_OPTIONS, url_of
from lzc.lua.definition.function import Function
from lzc.lua.definition.parameters import URL
from lzc.lua.functions.ifportup import SETS, up
from lzc.lua.syntax.constants import text

FUNCTIONS = (
    Function(
        "ifurlup",
        (URL, SETS, HTTP_OPTIONS),
        optional=1,
        changes=CHANGES,
        chosen=1,
        options=2,
        targets=url_of,
        operation=lambda form, url, *given: up(form, b"url ", text(url), *given),
    ),
)

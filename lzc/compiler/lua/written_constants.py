"""The ports, URLs and options of health checks that stand in a record's code as constants, whatever
candidates they are for."""

from __future__ import annotations

from collections.abc import Callable

from lzc.compiler.lua.written_checks import named
from lzc.health_check import Check
from lzc.lua.definition.check_options import check_document, read_options
from lzc.lua.definition.function import Function
from lzc.lua.functions import CHECKING, FUNCTIONS
from lzc.lua.health.constants import Constants, options_of
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Names, Other, resolve
from lzc.lua.syntax.constructed import restored
from lzc.lua.syntax.effort import Effort, TooMuch
from lzc.lua.syntax.parser import parse_record


def written_constants(code: bytes, covered: int) -> Constants:
    """Those of all calls in a record's joined ``code``; constants may have names, as long as each
    is given once. What would take too long to read is left out."""
    if not any(name in code for name in CHECKING):
        return Constants()
    try:
        nodes = tuple(ast.walk(restored(parse_record(code, covered))))
    except (ast.LuaCodeError, RecursionError):
        return Constants()
    reader = _Reader(named(nodes), Effort(len(code)))
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            continue
        function = FUNCTIONS.get(node.function.name.decode("latin-1"))
        if function is not None and node.arguments:
            try:
                reader.read(function, node.arguments)
            except TooMuch:
                break
    return reader.found


class _Reader:
    """Reads calls, and keeps what it finds."""

    def __init__(self, names: Names, effort: Effort) -> None:
        self._names = names
        self._effort = effort
        self.found = Constants()

    def read(self, function: Function, arguments: tuple[ast.Expression, ...]) -> None:
        """The first argument and the options of a call. Raises `TooMuch`."""
        if function.targets is None or function.options is None:
            return
        none = ast.Table(0, 0, ())
        given = arguments[function.options] if len(arguments) > function.options else none
        self._try(arguments[0], function.targets)
        self._try(given, _options)

    def _try(self, node: ast.Expression, read: Callable[[ast.Expression], Constants]) -> None:
        try:
            known = resolve(node, self._names)
            self._effort.take_tree(known)
            self.found |= read(known)
        except (Other, RecursionError):
            return


def _options(node: ast.Expression) -> Constants:
    document = check_document(b"port ", 0, b"", read_options(node).settings)
    return Constants(options=frozenset((options_of(Check.from_document(document)),)))

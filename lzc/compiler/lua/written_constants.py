"""The ports, URLs and options of health checks that stand in a record's code as constants, whatever
candidates they are for."""

from __future__ import annotations

from collections.abc import Callable

from lzc.compiler.lua.written_checks import CALLS, named
from lzc.health_check import Check
from lzc.lua.functions.checks import check_document, read_options
from lzc.lua.health.constants import Constants, options_of
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Names, Other, fields, integer, resolve, text, values
from lzc.lua.syntax.constructed import restored
from lzc.lua.syntax.effort import Effort, TooMuch
from lzc.lua.syntax.parser import parse_record


def written_constants(code: bytes, covered: int) -> Constants:
    """Those of all calls in a record's joined ``code``; constants may have names, as long as each
    is given once. What would take too long to read is left out."""
    if not any(name in code for name in CALLS):
        return Constants()
    try:
        nodes = tuple(ast.walk(restored(parse_record(code, covered))))
    except (ast.LuaCodeError, RecursionError):
        return Constants()
    reader = _Reader(named(nodes), Effort(len(code)))
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            continue
        if node.function.name in CALLS and node.arguments:
            try:
                reader.read(node.function.name, node.arguments)
            except TooMuch:
                break
    return Constants(frozenset(reader.ports), frozenset(reader.urls), frozenset(reader.options))


class _Reader:
    """Reads calls, and keeps what it finds."""

    def __init__(self, names: Names, effort: Effort) -> None:
        self._names = names
        self._effort = effort
        self.ports: set[int] = set()
        self.urls: set[str] = set()
        self.options: set[str] = set()

    def read(self, name: bytes, arguments: tuple[ast.Expression, ...]) -> None:
        """The first argument and the options of a call. Raises `TooMuch`."""
        place = 1 if name == b"ifurlextup" else 2
        none = ast.Table(0, 0, ())
        given = arguments[place] if len(arguments) > place else none
        if name == b"ifportup":
            self._try(arguments[0], lambda node: self.ports.add(integer(node, 65535)))
        elif name == b"ifurlextup":
            self._try(arguments[0], self._add_external)
        else:
            self._try(arguments[0], lambda node: self.urls.add(text(node).decode("latin-1")))
        self._try(given, self._add_options)

    def _try(self, node: ast.Expression, add: Callable[[ast.Expression], None]) -> None:
        try:
            known = resolve(node, self._names)
            self._effort.take_tree(known)
            add(known)
        except (Other, RecursionError):
            return

    def _add_external(self, node: ast.Expression) -> None:
        urls = [url for group in values(node) for url in fields(group).values()]
        self.urls.update([text(url).decode("latin-1") for url in urls])

    def _add_options(self, node: ast.Expression) -> None:
        document = check_document(b"port ", 0, b"", read_options(node).settings)
        self.options.add(options_of(Check.from_document(document)))

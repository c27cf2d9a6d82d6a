"""The health checks that stand in a record's code, found without running it.

Running a record does not show all: the name asked for, the client's subnet or chance may decide as
well which call comes about. A call on constants says what it checks wherever it stands; one too
many, such as in code that is never reached, is only a check that nobody needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from lzc.lua import syntax as ast
from lzc.lua.check_constants import Constants, options_of
from lzc.lua.constants import Names, Other, fields, integer, is_constant, resolve, text, values
from lzc.lua.effort import Effort, TooMuch
from lzc.lua.health import Check
from lzc.lua.idiom_checks import check_document, read_options
from lzc.lua.idioms import operation_of
from lzc.lua.parser import parse_record
from lzc.lua.plan import checks_of

_CALLS: Final = frozenset((b"ifportup", b"ifurlup", b"ifurlextup", b"pickselfweighted"))
_CHOICE: Final = re.compile(rb"\b(?:if|and|or|for|while|repeat|function)\b")
"""Words without which each run takes the same way."""


def written_checks(code: bytes, covered: int) -> set[Check]:
    """The checks of all calls on constants in a record's joined ``code`` that chooses between some;
    constants may have names, as long as each is given once."""
    if not _CHOICE.search(code) or not any(name in code for name in _CALLS):
        return set()
    try:
        nodes = tuple(ast.walk(parse_record(code, covered)))
    except (ast.LuaCodeError, RecursionError):
        return set()
    names = _named(nodes)
    found: set[Check] = set()
    effort = Effort(len(code))
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            continue
        if node.function.name in _CALLS:
            try:
                found |= checks_of(operation_of(node, names, covered, effort))
            except (Other, RecursionError):
                continue
            except TooMuch:
                break
    return found


def written_constants(code: bytes, covered: int) -> Constants:
    """The ports, URLs and options of all calls in a record's joined ``code``, whatever candidates
    they are given, as far as these are constants."""
    if not any(name in code for name in _CALLS):
        return Constants()
    try:
        nodes = tuple(ast.walk(parse_record(code, covered)))
    except (ast.LuaCodeError, RecursionError):
        return Constants()
    names = _named(nodes)
    found = Constants()
    for node in nodes:
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            continue
        if node.function.name in _CALLS and node.arguments:
            found |= _of_call(node.function.name, node.arguments, names)
    return found


def _of_call(name: bytes, arguments: Sequence[ast.Expression], names: Names) -> Constants:
    place = 1 if name == b"ifurlextup" else 2
    given = arguments[place] if len(arguments) > place else None
    is_port = name == b"ifportup"
    return Constants(
        frozenset(_ports(arguments[0], names) if is_port else ()),
        frozenset(() if is_port else _urls(name, arguments[0], names)),
        frozenset(_options(given, names)),
    )


def _ports(node: ast.Expression, names: Names) -> list[int]:
    try:
        return [integer(resolve(node, names), 65535)]
    except (Other, RecursionError):
        return []


def _urls(name: bytes, node: ast.Expression, names: Names) -> list[str]:
    try:
        known = resolve(node, names)
        if name != b"ifurlextup":
            return [text(known).decode("latin-1")]
        urls = [url for group in values(known) for url in fields(group).values()]
        return [text(url).decode("latin-1") for url in urls]
    except (Other, RecursionError):
        return []


def _options(node: ast.Expression | None, names: Names) -> list[str]:
    try:
        settings = read_options(None if node is None else resolve(node, names)).settings
        return [options_of(Check.from_document(check_document(b"port ", 0, b"", settings)))]
    except (Other, RecursionError):
        return []


def _named(nodes: tuple[ast.Node, ...]) -> Names:
    """The constants that have a name of their own."""
    given: dict[bytes, list[ast.Expression]] = {}
    for name, value in _definitions(nodes):
        given.setdefault(name, []).append(value)
    return {
        name: values[0]
        for name, values in given.items()
        if len(values) == 1 and is_constant(values[0])
    }


def _definitions(nodes: tuple[ast.Node, ...]) -> Iterator[tuple[bytes, ast.Expression]]:
    for node in nodes:
        if isinstance(node, ast.Local):
            targets: tuple[ast.Expression, ...] = node.names
        elif isinstance(node, ast.Assignment):
            targets = node.targets
        else:
            continue
        for target, value in zip(targets, node.values, strict=False):
            if isinstance(target, ast.Name):
                yield target.name, value

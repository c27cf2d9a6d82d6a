"""What the calls of ifportup, ifurlup, ifurlextup and pickselfweighted on constants check."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final, NamedTuple

from lzc.health_check import Check
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import Other, address_of, integer, text, texts, values, whole
from lzc.lua.syntax.constants import fields as fields_of

_NUMBERS: Final = {
    b"timeout": "timeout",
    b"interval": "interval",
    b"httpcode": "httpcode",
    b"byteslimit": "byteslimit",
    b"minimumFailures": "minimum_failures",
}
_TEXTS: Final = frozenset((b"source", b"stringmatch", b"useragent"))
_SELECTORS: Final = frozenset((b"random", b"all", b"hashed", b"pickclosest", b"empty"))
_MOST: Final = 999_999_999
_MAX_SETTINGS: Final = 3000
"""Octets of all settings together: of more than 4096, some of them ours, Lua makes an error."""

_FIELDS: Final = tuple((field.name, field.default) for field in fields(Check))


class Options(NamedTuple):
    """The options of a call. ``selector`` is `None` where none is given; ``strict`` asks for an
    error as long as no check has completed; ``settings`` are those of the check, as
    `lzc.lua.engine.engine.check_of` takes them."""

    selector: str | None
    backup: str
    strict: bool
    settings: dict[str, Any]


def read_options(node: ast.Expression | None) -> Options:
    """The table of options of a call, or that there is none."""
    given = fields_of(node) if node is not None else {}
    selector = _selector(given.pop(b"selector", None))
    backup = _selector(given.pop(b"backupSelector", None)) or "random"
    fail = given.pop(b"failOnIncompleteCheck", None)
    settings: dict[str, Any] = {}
    for name, value in given.items():
        if name in _NUMBERS:
            settings[_NUMBERS[name]] = _number(value)
        elif name in _TEXTS:
            settings[name.decode()] = text(value)
        elif name == b"headers":
            settings["headers"] = _headers(value)
        elif not isinstance(value, ast.String):
            _number(value)
    if "source" in settings:
        settings["source"] = address_of(settings["source"])[1]
    return Options(selector, backup, fail is not None and _is_true(fail), settings)


def check_document(
    kind: bytes, target: int | bytes, candidate: bytes, settings: dict[str, Any]
) -> dict[str, Any]:
    """The check that a call asks about a candidate: what of it is not as usual."""
    # Not every build has LUA records.
    from lzc.lua.engine.engine import check_of

    size = sum(len(str(value)) + 3 for value in (target, *settings.values()))
    if size > _MAX_SETTINGS:
        raise Other
    try:
        check = check_of(kind, target, candidate, **settings)
    except ValueError as error:
        raise Other from error
    return {name: value for name, usual in _FIELDS if (value := getattr(check, name)) != usual}


def _selector(node: ast.Expression | None) -> str | None:
    if node is None:
        return None
    name = text(node)
    if name not in _SELECTORS:
        raise Other
    return name.decode()


def _number(node: ast.Expression) -> int:
    if isinstance(node, ast.String) and len(node.value) <= len(str(_MOST)):
        return whole(node.value, _MOST)
    return integer(node, _MOST)


def _is_true(node: ast.Expression) -> bool:
    if isinstance(node, ast.Boolean):
        return node.value
    return text(node) == b"true"


def _headers(node: ast.Expression) -> bytes:
    """Headers as lines: from one such text, a list of them, or a table by name."""
    if not isinstance(node, ast.Table):
        return text(node)
    if not node.fields:
        return b""
    if node.fields[0].key is None:
        lines = texts(node) if len(values(node)) else []
    else:
        lines = [name + b": " + text(value) for name, value in fields_of(node).items()]
    return b"\n".join(sorted(lines))

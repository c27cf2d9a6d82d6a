"""The options of health checks."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from lzc.lua.lint import versions
from lzc.lua.lint.addresses import family
from lzc.lua.lint.context import Record, quoted
from lzc.lua.lint.literals import number_of
from lzc.lua.lint.versions import Version
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.tree import Expression

MILLISECONDS: Final = 20
"""A timeout of so many seconds is taken for milliseconds: no resolver waits that long, and a
status would be that old."""


class _Value(StrEnum):
    SELECTOR = "'random', 'all', 'hashed' or 'pickclosest'"
    SECONDS = "a whole number of seconds"
    COUNT = "a whole number"
    ADDRESS = "an address"
    TEXT = "a string"
    ANY = "anything"


COMMON: Final[Mapping[str, tuple[_Value, Version | None]]] = {
    "selector": (_Value.SELECTOR, None),
    "backupSelector": (_Value.SELECTOR, None),
    "source": (_Value.ADDRESS, None),
    "timeout": (_Value.SECONDS, None),
    "interval": (_Value.SECONDS, (5, 0)),
    "minimumFailures": (_Value.COUNT, (5, 0)),
    "failOnIncompleteCheck": (_Value.ANY, (5, 0)),
}
"""Options of every check: what they take, and since when."""
OF_URLS: Final[Mapping[str, tuple[_Value, Version | None]]] = {
    "stringmatch": (_Value.TEXT, None),
    "useragent": (_Value.TEXT, None),
    "byteslimit": (_Value.COUNT, None),
    "httpcode": (_Value.COUNT, (5, 0)),
    "headers": (_Value.ANY, (5, 0)),
}
"""Those of checks of a URL besides."""
_SELECTORS: Final = (b"random", b"all", b"hashed", b"pickclosest")
_EMPTY_SINCE: Final[Version] = (5, 1)


def check_options(record: Record, function: str, argument: Expression) -> None:
    """Report options that a health check does not know or take."""
    kind = record.literals.kind(argument)
    node = record.literals.behind(argument)
    if kind not in (None, "table", "nil"):
        record.report(
            node,
            "lua-argument",
            f"{function} takes a table of options, not a {kind}",
            fix="write {timeout=2}",
        )
    table = record.literals.table(argument)
    known = dict(COMMON) if function == "ifportup" else {**COMMON, **OF_URLS}
    for field in table.fields if table is not None else ():
        if field.key is None:
            if record.literals.kind(field.value) is not None:
                record.report(
                    field,
                    "lua-option",
                    "an option without a name",
                    fix="write name=value, such as timeout=2",
                )
            continue
        name = record.literals.text(field.key)
        if name is not None:
            _check_option(record, function, field, name.decode("latin-1"), known)


def _check_option(
    record: Record,
    function: str,
    field: syntax.Field,
    name: str,
    known: Mapping[str, tuple[_Value, Version | None]],
) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        only = name in OF_URLS
        record.report(
            field,
            "lua-option",
            f"{function} has no option {quoted(name)}",
            why="it is of checks over HTTP; here it is ignored" if only else "",
            fix="use ifurlup" if only else f"did you mean {close[0]}?" if close else "",
        )
        return
    value, since = known[name]
    if since is not None:
        _check_version(record, field, f"option {name}", since)
    _check_value(record, field, name, value)


def _check_version(record: Record, field: syntax.Field, what: str, since: Version) -> None:
    old = versions.too_old(record.zone.secondaries, since)
    if old:
        record.report(
            field,
            "lua-secondary-version",
            f"{what} is in PowerDNS from {versions.shown(since)} on; too old: {old}",
        )


def _check_value(record: Record, field: syntax.Field, name: str, value: _Value) -> None:
    text = record.literals.text(field.value)
    kind = record.literals.kind(field.value)
    if kind == "nil":
        return
    if value is not _Value.ANY and kind in ("table", "function", "boolean"):
        record.report(field, "lua-option", f"option {name} takes {value}, not a {kind}")
        return
    if text is None:
        return
    match value:
        case _Value.SELECTOR:
            _check_selector(record, field, name, text)
        case _Value.SECONDS | _Value.COUNT:
            number = number_of(text)
            if number is None or number < 0 or number != int(number):
                record.report(
                    field, "lua-option", f"option {name} takes {value}, not {quoted(text)}"
                )
            elif name == "timeout" and number >= MILLISECONDS:
                _report_timeout(record, field, int(number))
        case _Value.ADDRESS if family(text) is None:
            record.report(field, "lua-bad-address", f"option {name}: {quoted(text)} is no address")
        case _:
            pass


def _check_selector(record: Record, field: syntax.Field, name: str, text: bytes) -> None:
    if text == b"empty":
        _check_version(record, field, f"{name}='empty'", _EMPTY_SINCE)
    elif text not in _SELECTORS:
        shown = [selector.decode() for selector in (*_SELECTORS, b"empty")]
        close = difflib.get_close_matches(text.decode("latin-1"), shown, n=1, cutoff=0.5)
        record.report(
            field,
            "lua-option",
            f"{name} takes {_Value.SELECTOR}, not {quoted(text)}",
            why="an unknown selector means 'random', without a word",
            fix=f"did you mean '{close[0]}'?" if close else "",
        )


def _report_timeout(record: Record, field: syntax.Field, seconds: int) -> None:
    likely = max(1, round(seconds / 1000)) if seconds >= 100 else 2
    record.report(
        field,
        "lua-timeout",
        f"timeout={seconds} is {seconds} seconds; it looks like milliseconds",
        why=f"timeout is in whole seconds, as on PowerDNS: a target that does not answer keeps its"
        f" status for {seconds} s",
        fix=f"write timeout={likely}",
    )

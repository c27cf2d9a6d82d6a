"""The options of health checks in calls: what is wrong with them, and what a plan has of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, Final, NamedTuple

from lzc.health_check import Check
from lzc.lua.address import family
from lzc.lua.definition.function import Change, Parameter
from lzc.lua.definition.record import Examination, number_of, quoted
from lzc.lua.health.constants import Constants
from lzc.lua.health.options import (
    EMPTY_SINCE,
    OPTIONS,
    SELECTORS,
    Option,
    Takes,
)
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, address_of, integer, text, whole
from lzc.lua.syntax.constants import fields as fields_of
from lzc.lua.syntax.tree import Expression
from lzc.powerdns_versions import Version

CHANGES: Final = (
    Change(
        (5, 0),
        "interval, minimumFailures, failOnIncompleteCheck, httpcode and headers are options, and an"
        " option may be a table; before, the former are passed over, and a table is an error",
        "leave these options out",
    ),
    Change(
        (5, 1),
        "where all candidates are down, those of the first set alone are chosen from; before, those"
        " of all sets. With backupSelector='empty' that is no answer; before, a random one. A list"
        " without candidates is an error; before, with backupSelector='all', no answer",
        "give one set, or choose among all with a second call:"
        " ;local a = ifportup(443, first) ... return a",
    ),
)
"""In what all that look at health give."""

MILLISECONDS: Final = 20
"""A timeout of so many seconds is taken for milliseconds: no resolver waits that long, and a
status would be that old."""

_OF_TCP: Final = {name: option for name, option in OPTIONS.items() if not option.http}
_MOST: Final = 999_999_999
_MAX_SETTINGS: Final = 3000
"""Octets of all settings together: of more than 4096, some of them ours, Lua makes an error."""

_FIELDS: Final = tuple((field.name, field.default) for field in fields(Check))


def _check_options(
    known: Mapping[str, Option], record: Examination, function: str, argument: Expression
) -> None:
    kind = record.literals.kind(argument)
    node = record.literals.behind(argument)
    if kind not in (None, "table", "nil"):
        record.report(
            node,
            "lua-argument",
            f"{function} takes a table of options, not a {kind}",
            fix="write {timeout=2}",
        )
    for field in record.literals.fields(argument):
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
    record: Examination,
    function: str,
    field: syntax.Field,
    name: str,
    known: Mapping[str, Option],
) -> None:
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        only = name in OPTIONS
        record.report(
            field,
            "lua-option",
            f"{function} has no option {quoted(name)}",
            why="it is of checks over HTTP; here it is ignored" if only else "",
            fix="use ifurlup" if only else f"did you mean {close[0]}?" if close else "",
        )
        return
    option = known[name]
    if option.since is not None:
        record.report_older(field, f"option {name} is", option.since)
    _check_value(record, field, name, option.takes)


def _check_value(record: Examination, field: syntax.Field, name: str, takes: Takes) -> None:
    text = record.literals.text(field.value)
    kind = record.literals.kind(field.value)
    if kind == "nil":
        return
    if takes is Takes.HEADERS:
        wrong = kind not in (None, "table")
    else:
        wrong = kind in ("table", "function", "boolean")
    if wrong:
        record.report(field, "lua-option", f"option {name} takes {takes}, not a {kind}")
        return
    if text is None:
        return
    match takes:
        case Takes.SELECTOR:
            _check_selector(record, field, name, text)
        case Takes.SECONDS | Takes.COUNT:
            number = number_of(text)
            if number is None or number < 0 or number != int(number):
                record.report(
                    field, "lua-option", f"option {name} takes {takes}, not {quoted(text)}"
                )
            elif name == "timeout" and number >= MILLISECONDS:
                _report_timeout(record, field, int(number))
        case Takes.ADDRESS if family(text) is None:
            record.report(field, "lua-bad-address", f"option {name}: {quoted(text)} is no address")
        case _:
            pass


def _check_selector(record: Examination, field: syntax.Field, name: str, text: bytes) -> None:
    found = text.decode("latin-1")
    if found == "empty":
        record.report_older(field, f"{name}='empty' is", EMPTY_SINCE)
    elif found not in SELECTORS:
        close = difflib.get_close_matches(found, SELECTORS, n=1, cutoff=0.5)
        record.report(
            field,
            "lua-option",
            f"{name} takes {Takes.SELECTOR}, not {quoted(text)}",
            why="an unknown selector means 'random', without a word",
            fix=f"did you mean '{close[0]}'?" if close else "",
        )


def _report_timeout(record: Examination, field: syntax.Field, seconds: int) -> None:
    likely = max(1, round(seconds / 1000)) if seconds >= 100 else 2
    record.report(
        field,
        "lua-timeout",
        f"timeout={seconds} is {seconds} seconds; it looks like milliseconds",
        why=f"timeout is in whole seconds, as on PowerDNS: a target that does not answer keeps its"
        f" status for {seconds} s",
        fix=f"write timeout={likely}",
    )


TCP_OPTIONS: Final = Parameter("a table of options", partial(_check_options, _OF_TCP))
HTTP_OPTIONS: Final = Parameter("a table of options", partial(_check_options, OPTIONS))


class Options(NamedTuple):
    """The options of a call. ``strict`` asks for an error as long as no check has completed;
    ``settings`` are those of the check, as `Check.of_call` takes them."""

    selector: str
    backup: str
    strict: bool
    settings: dict[str, Any]


def read_options(version: Version, node: Expression | None) -> Options:
    """The table of options of a call, as a version reads it, or that there is none."""
    given = fields_of(node) if node is not None else {}
    selector = _selector(version, given.pop(b"selector", None))
    backup = _selector(version, given.pop(b"backupSelector", None))
    strict = False
    settings: dict[str, Any] = {}
    for name, value in given.items():
        option = OPTIONS.get(name.decode("latin-1"))
        if option is None or not option.is_in(version):
            if not isinstance(value, syntax.String):
                _number(value)
        elif option.field:
            settings[option.field] = _READ[option.takes](value)
        else:
            strict = text(value) == b"true"
    return Options(selector, backup, strict, settings)


def check_document(
    kind: bytes, target: int | bytes, candidate: bytes, settings: dict[str, Any]
) -> dict[str, Any]:
    """The check that a call asks about a candidate: what of it is not as usual."""
    size = sum(len(str(value)) + 3 for value in (target, *settings.values()))
    if size > _MAX_SETTINGS:
        raise Other
    try:
        check = Check.of_call(kind, target, candidate, settings)
    except ValueError as error:
        raise Other from error
    return {name: value for name, usual in _FIELDS if (value := getattr(check, name)) != usual}


def _selector(version: Version, node: Expression | None) -> str:
    if node is None:
        return SELECTORS[0]
    name = text(node).decode("latin-1")
    if name == "empty" and version < EMPTY_SINCE:
        return SELECTORS[0]
    if name not in SELECTORS:
        raise Other
    return name


def _number(node: Expression) -> int:
    if isinstance(node, syntax.String) and len(node.value) <= len(str(_MOST)):
        return whole(node.value, _MOST)
    return integer(node, _MOST)


def _headers(node: Expression) -> bytes:
    """Headers as lines, of a table by name."""
    lines = [name + b": " + text(value) for name, value in fields_of(node).items()]
    return b"\n".join(sorted(lines))


_READ: Final[Mapping[Takes, Callable[[Expression], int | bytes]]] = {
    Takes.SECONDS: _number,
    Takes.COUNT: _number,
    Takes.TEXT: text,
    Takes.ADDRESS: lambda node: address_of(text(node))[1],
    Takes.HEADERS: _headers,
}
"""How a value of each kind is read as Lua hands it on."""


def url_of(node: Expression) -> Constants:
    """The URL that an argument is, as a constant that checks may be made with."""
    return Constants(urls=frozenset((text(node).decode("latin-1"),)))

"""The arguments of calls of the API, as far as they are literals."""

from __future__ import annotations

import re
from typing import Final

from lzc.lua.lint.addresses import family, is_network
from lzc.lua.lint.api import FUNCTIONS, Function, Shape
from lzc.lua.lint.candidates import check_list
from lzc.lua.lint.context import Record, quoted
from lzc.lua.lint.geo_codes import CONTINENTS, COUNTRIES
from lzc.lua.lint.literals import is_multiple, number_of
from lzc.lua.lint.options import check_options
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.tree import Expression
from lzc.wire import name as wire_name

_LISTS: Final = (
    Shape.SETS,
    Shape.GROUPS,
    Shape.STRINGS,
    Shape.ADDRESSES,
    Shape.WEIGHTED,
    Shape.VIEWS,
    Shape.NETWORKS,
)
_NUMBERS: Final = (Shape.PORT, Shape.NUMBER)
_TEXTS: Final = (
    Shape.URL,
    Shape.TEXT,
    Shape.NAME,
    Shape.ADDRESS,
    Shape.NETWORK,
    Shape.REVERSE,
    Shape.REVERSE6,
)


def check_calls(record: Record, calls: list[syntax.Call]) -> None:
    """Report arguments that functions of the API do not take."""
    for call in calls:
        name = record.function_name(call.function)
        if name is not None and name in FUNCTIONS:
            _check_call(record, call, name, FUNCTIONS[name])


def _check_call(record: Record, call: syntax.Call, name: str, function: Function) -> None:
    given = call.arguments
    if len(given) < function.required and not (given and is_multiple(given[-1])):
        missing = [str(shape) for shape in function.shapes[len(given) : function.required]]
        record.report(
            call,
            "lua-argument",
            f"{name} needs {function.required} argument(s): {missing[0]} is missing",
        )
    if len(given) > len(function.shapes) and not function.more:
        record.report(
            given[len(function.shapes)],
            "lua-argument",
            f"{name} takes at most {len(function.shapes)} argument(s), not {len(given)}",
            fix="several values go into one list, as in country({'US', 'CA'})"
            if name in ("country", "continent", "region", "asnum")
            else "",
        )
    for position, (argument, shape) in enumerate(zip(given, function.shapes, strict=False)):
        if position >= function.required and record.literals.kind(argument) == "nil":
            continue
        _check_argument(record, name, argument, shape)


def _check_argument(record: Record, name: str, argument: Expression, shape: Shape) -> None:
    if shape in _LISTS:
        check_list(record, shape, name, argument)
    elif shape is Shape.CHECK:
        check_options(record, name, argument)
    elif shape in (Shape.COUNTRY, Shape.CONTINENT, Shape.REGION, Shape.NUMBERS):
        _check_codes(record, name, argument, shape)
    elif shape in (Shape.GROUP, Shape.EXCEPTIONS):
        _check_object(record, name, argument, shape)
    elif shape is not Shape.ANY:
        _check_scalar(record, name, argument, shape)


def _refuse(record: Record, name: str, argument: Expression, shape: Shape, fix: str = "") -> None:
    kind = record.literals.kind(argument)
    text = record.literals.text(argument)
    what = "nil" if kind == "nil" else f"a {kind}" if text is None else quoted(text)
    node = record.literals.behind(argument)
    record.report(node, "lua-argument", f"{name} takes {shape} here, not {what}", fix=fix)


def _check_scalar(record: Record, name: str, argument: Expression, shape: Shape) -> None:
    kind = record.literals.kind(argument)
    if kind in ("table", "boolean", "nil", "function"):
        _refuse(record, name, argument, shape)
        return
    text = record.literals.text(argument)
    if text is None:
        return
    node = record.literals.behind(argument)
    if shape in _NUMBERS:
        number = number_of(text)
        if number is None or (shape is Shape.PORT and not 1 <= number <= 65535):
            _refuse(record, name, argument, shape)
    elif shape is Shape.URL and not re.match(rb"https?://[^/]", text, re.IGNORECASE):
        record.report(
            node,
            "lua-option",
            f"{name}: {quoted(text)} is not a URL that can be checked",
            why="every check of it fails, so the addresses are always down",
            fix="start it with http:// or https:// and a host",
        )
    elif shape is Shape.ADDRESS and family(text) is None:
        record.report(node, "lua-bad-address", f"{name}: {quoted(text)} is no address")
    elif shape is Shape.NETWORK and not is_network(text):
        record.report(node, "lua-bad-address", f"{name}: {quoted(text)} is no network")
    elif shape is Shape.NAME and name == "newDN" and text:
        try:
            wire_name.from_text(text, wire_name.ROOT)
        except wire_name.InvalidName as error:
            record.report(node, "lua-argument", f"newDN: {quoted(text)} is no domain name: {error}")
    elif shape in (Shape.REVERSE, Shape.REVERSE6):
        _check_format(record, name, node, text, 6 if shape is Shape.REVERSE else 41)


_FIELD: Final = re.compile(rb"%([0-9]+)%|%%")


def _check_format(record: Record, name: str, node: Expression, text: bytes, last: int) -> None:
    if b"%" in _FIELD.sub(b"", text.replace(b"%%", b"")):
        record.report(
            node,
            "lua-argument",
            f"{name}: {quoted(text)} has a percent sign that starts no field",
            why="the answer would be the word error",
            fix=f"fields are %1% to %{last}%; a percent sign is %%",
        )
        return
    for found in _FIELD.finditer(text):
        if found[1] is not None and not 1 <= int(found[1]) <= last:
            record.report(
                node,
                "lua-argument",
                f"{name}: {found[0].decode()} is no field",
                why="nothing is put in its place",
                fix=f"fields are %1% to %{last}%",
            )


def _check_codes(record: Record, name: str, argument: Expression, shape: Shape) -> None:
    kind = record.literals.kind(argument)
    table = record.literals.table(argument)
    if kind in ("boolean", "nil", "function"):
        _refuse(record, name, argument, shape)
        return
    for item in [argument] if table is None else [field.value for field in table.fields]:
        text = record.literals.text(item)
        node = record.literals.behind(item)
        if table is not None and record.literals.kind(item) in ("table", "boolean", "function"):
            _refuse(record, name, item, shape)
        elif text is not None:
            _check_code(record, name, node, text, shape)


def _check_code(record: Record, name: str, node: Expression, text: bytes, shape: Shape) -> None:
    code = text.decode("latin-1").upper()
    if shape is Shape.NUMBERS:
        if number_of(text) is None:
            record.report(node, "lua-argument", f"{name} takes {shape}, not {quoted(text)}")
    elif shape is Shape.COUNTRY and code not in COUNTRIES:
        fix = {"UK": "the United Kingdom is 'GB'"}.get(code, "")
        if code in CONTINENTS or code == "EU":
            fix = f"continent('{code}') asks for the continent"
        record.report(node, "lua-geo-code", f"{quoted(text)} is no country code", fix=fix)
    elif shape is Shape.CONTINENT and code not in (*CONTINENTS, "--"):
        record.report(node, "lua-geo-code", f"{quoted(text)} is no continent code")


def _check_object(record: Record, name: str, argument: Expression, shape: Shape) -> None:
    kind = record.literals.kind(argument)
    if shape is Shape.EXCEPTIONS:
        if kind not in (None, "table"):
            _refuse(record, name, argument, shape)
        table = record.literals.table(argument)
        for field in table.fields if table is not None else ():
            key = None if field.key is None else record.literals.text(field.key)
            if field.key is None and record.literals.kind(field.value) is not None:
                record.report(field, "lua-argument", f"{name}: an exception without its address")
            elif key is not None and family(key) is None:
                record.report(field, "lua-bad-address", f"{name}: {quoted(key)} is no address")
    elif kind is not None:
        _refuse(record, name, argument, shape, fix="write newNMG({'192.0.2.0/24'})")

"""What parameters take, as far as functions have it in common; other kinds stand with the function
that has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from lzc.lua.address import family, is_network
from lzc.lua.definition.function import Parameter
from lzc.lua.definition.record import Examination, number_of, quoted
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.tree import Expression

LookAtText = Callable[[Examination, str, Expression, bytes], None]
"""Reports what is wrong with a text in an argument of a function, or in an item of one."""

NO_ITEM: Final = ("table", "boolean", "function")
"""Kinds of values that are no items; nil leaves no trace in a list."""


def refuse(
    record: Examination, function: str, what: str, argument: Expression, fix: str = ""
) -> None:
    """Report an argument that is not ``what`` a parameter takes."""
    kind = record.literals.kind(argument)
    text = record.literals.text(argument)
    found = "nil" if kind == "nil" else f"a {kind}" if text is None else quoted(text)
    node = record.literals.behind(argument)
    record.report(node, "lua-argument", f"{function} takes {what} here, not {found}", fix=fix)


def scalar(what: str, look: LookAtText | None = None) -> Parameter:
    """A string or a number, of which ``look`` says more."""

    def check(record: Examination, function: str, argument: Expression) -> None:
        if record.literals.kind(argument) in (*NO_ITEM, "nil"):
            refuse(record, function, what, argument)
            return
        text = record.literals.text(argument)
        if text is not None and look is not None:
            look(record, function, record.literals.behind(argument), text)

    return Parameter(what, check)


def whole_table(
    record: Examination, function: str, what: str, argument: Expression
) -> syntax.Table | None:
    """The literal table that an argument is; a fault if it is certain to be none."""
    kind = record.literals.kind(argument)
    if kind is not None and kind != "table":
        node = record.literals.behind(argument)
        a_kind = "nil" if kind == "nil" else f"a {kind}"
        fix = "put it in braces: {…}" if kind == "string" else ""
        record.report(node, "lua-argument", f"{function} takes {what}, not {a_kind}", fix=fix)
    return record.literals.table(argument)


def listed(
    record: Examination,
    function: str,
    what: str,
    argument: Expression,
    *,
    may_be_empty: bool = False,
) -> list[syntax.Field]:
    """The fields of a literal list; none where that is not known, or something is wrong with it,
    which is reported."""
    table = whole_table(record, function, what, argument)
    if table is None:
        return []
    if not table.fields and not may_be_empty:
        record.report(table, "lua-empty-candidates", f"the list of {function} has nothing in it")
    for field in table.fields:
        if isinstance(field.key, syntax.String):
            record.report(
                field, "lua-argument", f"{function} takes {what}; this one has a named field"
            )
            return []
    return list(table.fields)


def check_item(
    look: LookAtText | None, what: str, record: Examination, function: str, item: Expression
) -> None:
    """Report an item of a list that is no string, or what ``look`` finds in it."""
    kind = record.literals.kind(item)
    node = record.literals.behind(item)
    if kind in NO_ITEM:
        record.report(node, "lua-argument", f"{function} takes {what}; this item is a {kind}")
        return
    text = record.literals.text(item)
    if text is not None and look is not None:
        look(record, function, node, text)


def list_of(
    what: str,
    look: LookAtText | None = None,
    *,
    may_be_empty: bool = False,
    addresses: bool = False,
) -> Parameter:
    """A list of strings, of which ``look`` says more."""

    def check(record: Examination, function: str, argument: Expression) -> None:
        for field in listed(record, function, what, argument, may_be_empty=may_be_empty):
            check_item(look, what, record, function, field.value)

    return Parameter(what, check, each_item, addresses)


def value_or_list(what: str, look: LookAtText | None = None) -> Parameter:
    """A value, or a list of such, of which ``look`` says more."""

    def check(record: Examination, function: str, argument: Expression) -> None:
        table = record.literals.table(argument)
        if record.literals.kind(argument) in ("boolean", "nil", "function"):
            refuse(record, function, what, argument)
            return
        for item in [argument] if table is None else [field.value for field in table.fields]:
            text = record.literals.text(item)
            if table is not None and record.literals.kind(item) in NO_ITEM:
                refuse(record, function, what, item)
            elif text is not None and look is not None:
                look(record, function, record.literals.behind(item), text)

    several = "several values go into one list, as in country({'US', 'CA'})"
    return Parameter(what, check, several=several)


def spread(
    of_field: Callable[[Examination, syntax.Field], Iterable[Expression]],
) -> Callable[[Examination, Expression], Iterator[Expression]]:
    """What a function may choose from an argument, by what it may choose from each field; an
    argument that is no literal table is given as it is."""

    def candidates(record: Examination, argument: Expression) -> Iterator[Expression]:
        table = record.literals.table(argument)
        if table is None:
            yield argument
            return
        for field in table.fields:
            yield from of_field(record, field)

    return candidates


each_item = spread(lambda _record, field: (field.value,))
"""The items of a list."""


def look_at_address(record: Examination, _function: str, node: Expression, text: bytes) -> None:
    """Report an item that is no address."""
    if family(text) is None:
        record.report(node, "lua-bad-address", f"{quoted(text)} is no address")


def look_at_network(
    record: Examination, _function: str, node: Expression, text: bytes, *, negatable: bool = False
) -> None:
    """Report an item that is no network, before which there may be a "!" where it is negatable."""
    if not is_network(text, negatable=negatable):
        fix = "write an address, or a network such as '192.0.2.0/24' or '2001:db8::/32'"
        record.report(node, "lua-bad-address", f"{quoted(text)} is no network", fix=fix)


def _look_at_number(record: Examination, function: str, node: Expression, text: bytes) -> None:
    if number_of(text) is None:
        refuse(record, function, NUMBER.what, node)


def _look_at_url(record: Examination, function: str, node: Expression, text: bytes) -> None:
    if not re.match(rb"https?://[^/]", text, re.IGNORECASE):
        record.report(
            node,
            "lua-option",
            f"{function}: {quoted(text)} is not a URL that can be checked",
            why="every check of it fails, so the addresses are always down",
            fix="start it with http:// or https:// and a host",
        )


def _look_at_one_address(record: Examination, function: str, node: Expression, text: bytes) -> None:
    if family(text) is None:
        record.report(node, "lua-bad-address", f"{function}: {quoted(text)} is no address")


ANY: Final = Parameter("anything", lambda _record, _function, _argument: None)
NUMBER: Final = scalar("a number", _look_at_number)
TEXT: Final = scalar("a string")
NAME: Final = scalar("a name")
URL: Final = scalar("a URL", _look_at_url)
ADDRESS: Final = scalar("an address", _look_at_one_address)
STRINGS: Final = list_of("a list of strings")
ADDRESSES: Final = list_of("a list of addresses", look_at_address, addresses=True)
NETWORKS: Final = list_of("a list of networks", look_at_network, may_be_empty=True)

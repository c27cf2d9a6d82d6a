"""ifportup: candidates to which a TCP connection can be made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lzc.lua.definition.check_options import (
    CHANGES,
    TCP_OPTIONS,
    Options,
    check_document,
    read_options,
)
from lzc.lua.definition.function import Change, Form, Function, Operation, Parameter
from lzc.lua.definition.parameters import (
    check_item,
    listed,
    look_at_address,
    refuse,
    scalar,
    spread,
)
from lzc.lua.definition.record import Examination, number_of
from lzc.lua.health.constants import Constants
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, integer, port_of, texts, values
from lzc.lua.syntax.tree import Expression, Field
from lzc.powerdns_versions import Version, since

_SETS_SINCE: Final[Version] = (4, 8)
"""Several sets of addresses."""
_FIRST: Final = {(4, 7): False, (5, 1): True}
"""Whether, where all is down, those of the first set alone are chosen from."""


def _look_at_port(record: Examination, function: str, node: Expression, text: bytes) -> None:
    number = number_of(text)
    if number is None or not 1 <= number <= 65535:
        refuse(record, function, _PORT.what, node)


_PORT: Final = scalar("a port number", _look_at_port)


def _check_sets(record: Examination, function: str, argument: Expression) -> None:
    fields = listed(record, function, SETS.what, argument)
    kinds = {record.literals.kind(field.value) for field in fields}
    if "table" not in kinds:
        for field in fields:
            check_item(look_at_address, SETS.what, record, function, field.value)
        return
    table = record.literals.behind(argument)
    if kinds - {"table", "nil", None}:
        record.report(
            table,
            "lua-argument",
            f"{function} takes {SETS.what}; this one mixes both",
            fix="put single addresses in braces too: {{'192.0.2.1'}, {'192.0.2.2'}}",
        )
        return
    if function == "ifportup":
        record.report_older(table, f"sets of addresses in {function} are", _SETS_SINCE)
    sets = [record.literals.table(field.value) for field in fields]
    if all(found is not None and not found.fields for found in sets):
        record.report(table, "lua-empty-candidates", f"the sets of {function} have nothing in them")
    for field in fields:
        for one in record.literals.fields(field.value):
            check_item(look_at_address, SETS.what, record, function, one.value)


def _chosen(record: Examination, field: Field) -> Iterator[Expression]:
    inner = record.literals.table(field.value)
    if inner is None:
        yield field.value
    else:
        yield from (one.value for one in inner.fields)


SETS: Final = Parameter(
    "a list of addresses, or a list of such lists", _check_sets, spread(_chosen), addresses=True
)


def up(
    form: Form,
    kind: bytes,
    target: int | bytes,
    addresses: Expression,
    given: Expression | None = None,
) -> Operation:
    """The operation for one set of addresses, or several, checked as `Check.of_call` of
    `lzc.health_check` says of a kind."""
    options = read_options(form.version, given)
    outer = values(addresses)
    nested = bool(outer) and isinstance(outer[0], syntax.Table)
    if nested and kind == b"port " and form.version < _SETS_SINCE:
        raise Other
    sets = []
    for node in outer if nested else [addresses]:
        sets.append(checked(form, kind, target, node, options.settings))
    return up_of(form, options, sets)


def up_of(form: Form, options: Options, sets: list[list[list[Any]]]) -> Operation:
    """The operation for sets of candidates."""
    first = since(form.version, _FIRST)
    return ["up", options.selector, options.backup, sets, first, options.strict]


def checked(
    form: Form, kind: bytes, target: int | bytes, addresses: Expression, settings: dict[str, Any]
) -> list[list[Any]]:
    """Candidates with what is checked of each."""
    found = []
    for written in texts(addresses):
        item, packed, canonical = form.candidate(written)
        own = port_of(written) if kind == b"port " else 0
        found.append([item, packed, check_document(kind, own or target, canonical, settings)])
    return found


FUNCTIONS = (
    Function(
        "ifportup",
        (_PORT, SETS, TCP_OPTIONS),
        optional=1,
        changes=(
            Change(
                _SETS_SINCE,
                "ifportup takes sets of addresses; before, such are an error",
                "use ifurlup, or give one set",
            ),
            *CHANGES,
        ),
        chosen=1,
        options=2,
        targets=lambda port: Constants(ports=frozenset((integer(port, 65535),))),
        operation=lambda form, port, *given: up(form, b"port ", integer(port, 65535), *given),
    ),
)

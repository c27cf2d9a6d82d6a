"""view: one item by chance, of the first of some lists whose networks hold the client."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lzc.lua.definition.function import Form, Function, Operation, Parameter
from lzc.lua.definition.parameters import NETWORKS, STRINGS, each_item, listed, spread
from lzc.lua.definition.record import Examination, is_open
from lzc.lua.syntax.constants import Other, pair, values
from lzc.lua.syntax.tree import Expression, Field
from lzc.wire import rrtype as rr

_FIX: Final = "write {{'192.0.2.0/24'}, {'198.51.100.1'}}"


def _check(record: Examination, function: str, argument: Expression) -> None:
    # An empty view gives the empty string, which is fine as a text.
    is_text = record.covered == rr.TXT
    for field in listed(record, function, VIEWS.what, argument, may_be_empty=is_text):
        _check_rule(record, field)


def _check_rule(record: Examination, field: Field) -> None:
    kind = record.literals.kind(field.value)
    rule = record.literals.table(field.value)
    if rule is None:
        if kind not in (None, "nil"):
            message = f"view takes {VIEWS.what}; this item is a {kind}"
            record.report(field, "lua-argument", message, fix=_FIX)
        return
    if any(one.key is not None for one in rule.fields) or is_open(rule):
        return
    if len(rule.fields) != 2:
        message = f"view takes {VIEWS.what}; this one has {len(rule.fields)} part(s), not two"
        record.report(rule, "lua-argument", message, fix=_FIX)
        return
    NETWORKS.check(record, "view", rule.fields[0].value)
    STRINGS.check(record, "view", rule.fields[1].value)


def _chosen(record: Examination, field: Field) -> Iterator[Expression]:
    for items in record.literals.fields(field.value)[1:2]:
        yield from each_item(record, items.value)


VIEWS: Final = Parameter("a list of {{network, …}, {item, …}}", _check, spread(_chosen))


def _view(form: Form, rules: Expression) -> Operation:
    branches: list[Any] = []
    for rule in values(rules):
        networks, destinations = pair(rule)
        condition = ["netmask", form.networks(networks)]
        branches.append([condition, ["random", form.items(destinations)]])
    try:
        otherwise: Operation | None = ["fixed", [form.item(b"")]]
    except Other:
        otherwise = None
    return ["if", branches, otherwise]


FUNCTIONS = (Function("view", (VIEWS,), of_client=True, chosen=0, operation=_view),)

"""Lists of candidates: what they must look like, and which literals are in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from lzc.lua.lint import versions
from lzc.lua.lint.addresses import family, is_network
from lzc.lua.lint.api import SETS_SINCE, Shape
from lzc.lua.lint.context import Record, quoted
from lzc.lua.lint.literals import is_open
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.tree import Expression, Field
from lzc.wire import rrtype as rr

_DIGITS: Final = 20
_NO_ITEM: Final = ("table", "boolean", "function")
"""Kinds of values that are no items; nil leaves no trace in a list."""


def check_list(record: Record, shape: Shape, function: str, argument: Expression) -> None:
    """Report what is wrong with a list of candidates, or of such lists."""
    table = _table(record, shape, function, argument)
    if table is None:
        return
    if not table.fields:
        # An empty view gives the empty string, which is fine as a text.
        is_fine = shape is Shape.VIEWS and record.facts.covered == rr.TXT
        if shape is not Shape.NETWORKS and not is_fine:
            record.report(
                table, "lua-empty-candidates", f"the list of {function} has nothing in it"
            )
        return
    for field in table.fields:
        if shape is not Shape.GROUPS and _is_named(field):
            record.report(
                field, "lua-argument", f"{function} takes {shape}; this one has a named field"
            )
            return
    match shape:
        case Shape.SETS:
            _check_sets(record, function, table)
        case Shape.WEIGHTED:
            _check_weighted(record, function, table)
        case Shape.VIEWS:
            for field in table.fields:
                _check_view(record, field)
        case Shape.GROUPS:
            pass
        case _:
            for field in table.fields:
                _check_item(record, shape, function, field.value)


def _table(
    record: Record, shape: Shape, function: str, argument: Expression
) -> syntax.Table | None:
    """The literal table that an argument is; a fault if it is certain to be none."""
    kind = record.literals.kind(argument)
    if kind is not None and kind != "table":
        node = record.literals.behind(argument)
        a_kind = "nil" if kind == "nil" else f"a {kind}"
        fix = "put it in braces: {…}" if kind == "string" else ""
        record.report(node, "lua-argument", f"{function} takes {shape}, not {a_kind}", fix=fix)
    return record.literals.table(argument)


def _is_named(field: Field) -> bool:
    return isinstance(field.key, syntax.String)


def _check_item(record: Record, shape: Shape, function: str, item: Expression) -> None:
    kind = record.literals.kind(item)
    node = record.literals.behind(item)
    if kind in _NO_ITEM:
        record.report(node, "lua-argument", f"{function} takes {shape}; this item is a {kind}")
        return
    text = record.literals.text(item)
    if text is None:
        return
    if shape in (Shape.ADDRESSES, Shape.SETS) and family(text) is None:
        record.report(node, "lua-bad-address", f"{quoted(text)} is no address")
    elif shape is Shape.NETWORKS and not is_network(text, negatable=function == "newNMG"):
        record.report(node, "lua-bad-address", f"{quoted(text)} is no network", fix=_NETWORK_FIX)


_NETWORK_FIX: Final = "write an address, or a network such as '192.0.2.0/24' or '2001:db8::/32'"


def _check_sets(record: Record, function: str, table: syntax.Table) -> None:
    kinds = {record.literals.kind(field.value) for field in table.fields}
    if "table" not in kinds:
        for field in table.fields:
            _check_item(record, Shape.SETS, function, field.value)
        return
    if kinds - {"table", "nil", None}:
        record.report(
            table,
            "lua-argument",
            f"{function} takes {Shape.SETS}; this one mixes both",
            fix="put single addresses in braces too: {{'192.0.2.1'}, {'192.0.2.2'}}",
        )
        return
    old = versions.too_old(record.zone.secondaries, SETS_SINCE)
    if old:
        record.report(
            table,
            "lua-secondary-version",
            f"sets of addresses in {function} are in PowerDNS from {versions.shown(SETS_SINCE)}"
            f" on; too old: {old}",
        )
    sets = [record.literals.table(field.value) for field in table.fields]
    if all(found is not None and not found.fields for found in sets):
        record.report(table, "lua-empty-candidates", f"the sets of {function} have nothing in them")
    for found in sets:
        for field in found.fields if found is not None else ():
            _check_item(record, Shape.SETS, function, field.value)


def _check_weighted(record: Record, function: str, table: syntax.Table) -> None:
    weights: list[int | None] = []
    for field in table.fields:
        if record.literals.kind(field.value) == "nil":
            continue
        complaint = _pair_complaint(record, field)
        if complaint is not None:
            node, message, fix = complaint
            record.report(node, "lua-argument", f"{function}: {message}", fix=fix)
            return
        pair = record.literals.table(field.value)
        known = pair is not None and len(pair.fields) > 1 and pair.fields[0].key is None
        text = record.literals.text(pair.fields[0].value) if pair is not None and known else None
        weights.append(None if text is None else _whole(text))
    if weights and all(weight == 0 for weight in weights):
        record.report(
            table,
            "lua-argument",
            f"{function}: all weights are 0, so there is nothing to choose",
            fix="give at least one item a weight of 1 or more",
        )


def _pair_complaint(record: Record, field: Field) -> tuple[syntax.Node, str, str] | None:
    """Where and why an item is no pair of weight and item, and what to do."""
    literals = record.literals
    kind = literals.kind(field.value)
    pair = literals.table(field.value)
    if pair is None:
        node = literals.behind(field.value)
        fix = "write a weight in front: {10, '192.0.2.1'}"
        return None if kind is None else (node, f"an item is {{weight, item}}, not a {kind}", fix)
    if is_open(pair) or any(one.key is not None for one in pair.fields):
        return None
    if len(pair.fields) < 2:
        return pair, "an item is {weight, item}; one of the two is missing", ""
    weight, item = (one.value for one in pair.fields[:2])
    none = (*_NO_ITEM, "nil")
    if literals.kind(weight) in none or not _is_weight(literals.text(weight)):
        message = "a weight is a whole number from 0 to 2147483647"
        return weight, message, "the weight comes first: {10, '192.0.2.1'}"
    if literals.kind(item) in none:
        return item, "what is chosen is a string", ""
    return None


def _is_weight(text: bytes | None) -> bool:
    if text is None:
        return True
    weight = _whole(text)
    return weight is not None and weight <= 2**31 - 1


def _whole(text: bytes) -> int | None:
    """The whole number that a text starts with, which is all that counts of a weight."""
    digits = re.match(rb"\s*\+?0*([0-9]+)", text)
    if digits is None:
        return None
    # Of more digits Python makes no number (CVE-2020-10735), and the largest weight has ten.
    return int(digits[1][:_DIGITS])


def _check_view(record: Record, field: Field) -> None:
    kind = record.literals.kind(field.value)
    rule = record.literals.table(field.value)
    if rule is None:
        if kind not in (None, "nil"):
            record.report(
                field,
                "lua-argument",
                f"view takes {Shape.VIEWS}; this item is a {kind}",
                fix="write {{'192.0.2.0/24'}, {'198.51.100.1'}}",
            )
        return
    if any(one.key is not None for one in rule.fields) or is_open(rule):
        return
    if len(rule.fields) != 2:
        record.report(
            rule,
            "lua-argument",
            f"view takes {Shape.VIEWS}; this one has {len(rule.fields)} part(s), not two",
            why="the answer is SERVFAIL here; PowerDNS 4.7 crashes with it"
            if len(rule.fields) < 2
            else "",
            fix="write {{'192.0.2.0/24'}, {'198.51.100.1'}}",
        )
        return
    check_list(record, Shape.NETWORKS, "view", rule.fields[0].value)
    check_list(record, Shape.STRINGS, "view", rule.fields[1].value)


def candidates(record: Record, shape: Shape, argument: Expression) -> Iterator[Expression]:
    """What a function may choose from its argument: the items, where they are in the code; an
    argument that is no literal table is given as it is."""
    table = record.literals.table(argument)
    if table is None:
        yield argument
        return
    for field in table.fields:
        inner = record.literals.table(field.value)
        match shape:
            case Shape.SETS if inner is not None:
                yield from (one.value for one in inner.fields)
            case Shape.WEIGHTED:
                if inner is not None and len(inner.fields) > 1:
                    yield inner.fields[1].value
            case Shape.VIEWS:
                if inner is not None and len(inner.fields) > 1:
                    yield from candidates(record, Shape.STRINGS, inner.fields[1].value)
            case Shape.GROUPS:
                for one in inner.fields if inner is not None else ():
                    if one.key is not None:
                        yield one.key
            case _:
                yield field.value

"""Lists of candidates: what they must look like, and which literals are in them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lzc.lua import syntax
from lzc.lua.lint import versions
from lzc.lua.lint.addresses import family, is_network
from lzc.lua.lint.api import SETS_SINCE, Shape
from lzc.lua.lint.context import Record, quoted
from lzc.lua.lint.literals import is_open, number_of
from lzc.lua.syntax import Expression, Field

_NO_ITEM: Final = ("table", "boolean", "nil", "function")


def check_list(record: Record, shape: Shape, function: str, argument: Expression) -> None:
    """Report what is wrong with a list of candidates, or of such lists."""
    table = _table(record, shape, function, argument)
    if table is None:
        return
    if not table.fields:
        if shape is not Shape.NETWORKS:
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
        what = "nil" if kind == "nil" else f"a {kind}"
        record.report(node, "lua-argument", f"{function} takes {shape}; this item is {what}")
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
    if kinds - {"table", None}:
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
    weights: list[float | None] = []
    for field in table.fields:
        kind = record.literals.kind(field.value)
        node = record.literals.behind(field.value)
        pair = record.literals.table(field.value)
        if kind is not None and pair is None:
            record.report(
                node,
                "lua-argument",
                f"{function} takes {Shape.WEIGHTED}; this item is a {kind}",
                fix="write a weight in front: {10, '192.0.2.1'}",
            )
            return
        if pair is None or is_open(pair) or any(one.key is not None for one in pair.fields):
            weights.append(None)
            continue
        if len(pair.fields) < 2:
            record.report(
                pair,
                "lua-argument",
                f"{function} takes {Shape.WEIGHTED}; one of the two is missing",
            )
            return
        weight = record.literals.text(pair.fields[0].value)
        if record.literals.kind(pair.fields[0].value) in _NO_ITEM or not _is_weight(weight):
            record.report(
                pair.fields[0],
                "lua-argument",
                f"{function}: a weight is a whole number from 0 to 2147483647",
                fix="the weight comes first: {10, '192.0.2.1'}",
            )
            return
        weights.append(None if weight is None else number_of(weight))
        if record.literals.kind(pair.fields[1].value) in _NO_ITEM:
            record.report(pair.fields[1], "lua-argument", f"{function}: an item is a string")
    if weights and all(weight == 0 for weight in weights):
        record.report(
            table,
            "lua-argument",
            f"{function}: all weights are 0, so there is nothing to choose",
            fix="give at least one item a weight of 1 or more",
        )


def _is_weight(text: bytes | None) -> bool:
    if text is None:
        return True
    number = number_of(text)
    return number is not None and 0 <= number <= 2**31 - 1


def _check_view(record: Record, field: Field) -> None:
    kind = record.literals.kind(field.value)
    rule = record.literals.table(field.value)
    if rule is None:
        if kind is not None:
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

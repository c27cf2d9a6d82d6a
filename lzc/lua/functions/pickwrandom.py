"""pickwrandom, pickwhashed, picknamehashed: one item by its weight, by chance, the hash of the
client, or that of the name asked for."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from lzc.lua.definition.function import Change, Form, Function, Operation, Parameter
from lzc.lua.definition.parameters import NO_ITEM, listed, spread
from lzc.lua.definition.record import Examination, is_open
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, integer, pair, text, values, whole
from lzc.lua.syntax.tree import Expression, Field
from lzc.powerdns_versions import since

_MAX_WEIGHT: Final = 2**31 - 1
LEAST: Final = {(4, 7): 0, (5, 1): 1}
"""The least weight."""
_DIGITS: Final = 20
_ROOM: Final = (13, 29, 59, 127, 257, 541, 1109, 2357)
"""Buckets of a hash table of C++ as it grows; it grows when it holds as many keys. They are more
than a list may have items."""


def _check(record: Examination, function: str, argument: Expression) -> None:
    weights: list[int | None] = []
    for field in listed(record, function, WEIGHTED.what, argument):
        if record.literals.kind(field.value) == "nil":
            continue
        complaint = _complaint(record, field)
        if complaint is not None:
            node, message, fix = complaint
            record.report(node, "lua-argument", f"{function}: {message}", fix=fix)
            return
        written = record.literals.fields(field.value)
        known = len(written) > 1 and written[0].key is None
        text = record.literals.text(written[0].value) if known else None
        weights.append(None if text is None else _whole(text))
    if weights and all(weight == 0 for weight in weights):
        record.report(
            record.literals.behind(argument),
            "lua-argument",
            f"{function}: all weights are 0, so there is nothing to choose",
            fix="give at least one item a weight of 1 or more",
        )


def _complaint(record: Examination, field: Field) -> tuple[syntax.Node, str, str] | None:
    """Where and why an item is no pair of weight and item, and what to do."""
    literals = record.literals
    kind = literals.kind(field.value)
    found = literals.table(field.value)
    if found is None:
        node = literals.behind(field.value)
        fix = "write a weight in front: {10, '192.0.2.1'}"
        return None if kind is None else (node, f"an item is {{weight, item}}, not a {kind}", fix)
    if is_open(found) or any(one.key is not None for one in found.fields):
        return None
    if len(found.fields) < 2:
        return found, "an item is {weight, item}; one of the two is missing", ""
    weight, item = (one.value for one in found.fields[:2])
    none = (*NO_ITEM, "nil")
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
    return weight is not None and weight <= _MAX_WEIGHT


def _whole(text: bytes) -> int | None:
    """The whole number that a text starts with, which is all that counts of a weight."""
    digits = re.match(rb"\s*\+?0*([0-9]+)", text)
    if digits is None:
        return None
    # Of more digits Python makes no number (CVE-2020-10735), and the largest weight has ten.
    return int(digits[1][:_DIGITS])


def _chosen(record: Examination, field: Field) -> list[Expression]:
    return [one.value for one in record.literals.fields(field.value)[1:2]]


WEIGHTED: Final = Parameter("a list of {weight, item}", _check, spread(_chosen))


def pairs(form: Form, node: Expression) -> list[tuple[int, int, bytes]]:
    """Weights, items and texts of a list of such pairs; the sum of the weights is one itself."""
    found: list[tuple[int, int, bytes]] = []
    for value in values(node):
        weight, item = pair(value)
        if isinstance(weight, syntax.String):
            number = whole(weight.value, _MAX_WEIGHT)
        else:
            number = integer(weight, _MAX_WEIGHT)
        content = text(item)
        found.append((number, form.item(content), content))
    least = since(form.version, LEAST)
    if any(number < least for number, _, _ in found):
        raise Other
    if not 0 < sum(number for number, _, _ in found) <= _MAX_WEIGHT:
        raise Other
    return found


@lru_cache(maxsize=256)
def _list_walk(count: int) -> tuple[int, ...]:
    """The positions of ``count`` items, from 0, in the order in which PowerDNS walks them: that of
    a hash table of C++ (libstdc++'s ``unordered_map<int, …>``) that they were put into by their
    positions. ``api/walk.lua`` has it for records that run, and for tables that are no plain
    list."""
    chain: list[int] = []
    rooms = iter(_ROOM)
    room = 0
    for place in range(1, count + 1):
        if len(chain) == room:
            room = next(rooms)
            grown: list[int] = []
            for key in chain:
                _put(grown, key, room)
            chain = grown
        _put(chain, place, room)
    return tuple(key - 1 for key in chain)


def _put(chain: list[int], key: int, room: int) -> None:
    """All keys hang on one chain. A key goes in front of those of its bucket, or of all."""
    bucket = key % room
    for at, other in enumerate(chain):
        if other % room == bucket:
            chain.insert(at, key)
            return
    chain.insert(0, key)


def _weighted(how: str) -> Callable[[Form, Expression], Operation]:
    def operation(form: Form, items: Expression) -> Operation:
        found = pairs(form, items)
        return ["weighted", how, [found[number][:2] for number in _list_walk(len(found))]]

    return operation


CHANGES: Final = (
    Change(
        (5, 1),
        "a weight has to be greater than 0; before, an item of weight 0 is never chosen, and a sum"
        " beyond 2147483647 is an error",
        "leave out what is never to be chosen",
    ),
)

FUNCTIONS = (
    Function("pickwrandom", (WEIGHTED,), changes=CHANGES, chosen=0, operation=_weighted("random")),
    Function(
        "pickwhashed",
        (WEIGHTED,),
        changes=CHANGES,
        of_client=True,
        chosen=0,
        operation=_weighted("hashed"),
    ),
    # It came with 4.9 or 5.0; it is not held against 4.9.
    Function(
        "picknamehashed",
        (WEIGHTED,),
        since=(4, 9),
        changes=CHANGES,
        of_name=True,
        chosen=0,
        operation=_weighted("named"),
    ),
)

"""createForward, createForward6: an address from the name asked for; filterForward: such an address
where some networks hold it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lzc.lua.definition.function import Change, Form, Function, Operation, Parameter
from lzc.lua.definition.parameters import ADDRESS, TEXT, refuse
from lzc.lua.definition.record import Examination
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, network_of, text, texts
from lzc.lua.syntax.tree import Call, Expression
from lzc.powerdns_versions import since

_MADE: Final = {
    "createForward": ("forward", str(IPv4Address(0)), "192.0.2.0/24"),
    "createForward6": ("forward6", str(IPv6Address(0)), "2001:db8::/32"),
}
"""The operation of each, what filterForward gives instead, and a network for an example."""

_DIGITS: Final = {(4, 7): "ten", (4, 9): "ending"}
"""Which digits of a label make an address; signs and the like among them are left to Lua."""
_LISTED: Final = {(4, 7): False, (4, 9): True}
"""Whether filterForward gives a list, in which an empty text leaves no trace."""
_OF_ZONE: Final = {(4, 7): True, (5, 1): False}
"""Whether labels in front of the apex are read; else those in front of the wildcard."""


def _check_group(record: Examination, function: str, argument: Expression) -> None:
    if record.literals.kind(argument) is not None:
        fix = "write newNMG({'192.0.2.0/24'})"
        refuse(record, function, _GROUP.what, argument, fix=fix)


_GROUP: Final = Parameter("a NetmaskGroup, as newNMG gives", _check_group)


def _judge(record: Examination, calls: Sequence[Call]) -> None:
    """Report createForward where filterForward does not say which addresses it may give."""
    filtered: set[int] = set()
    made: list[tuple[Call, str]] = []
    for call in calls:
        name = record.function_name(call.function)
        if name == "filterForward" and call.arguments:
            behind = record.literals.behind(call.arguments[0])
            if isinstance(behind, syntax.String):
                continue
            if not isinstance(behind, Call):
                # Where it comes from is not known: perhaps from createForward.
                return
            filtered.add(behind.offset)
        elif name in _MADE:
            made.append((call, name))
    for call, name in made:
        if call.offset not in filtered:
            record.report(
                call,
                "lua-open-forward",
                f"{name} without filterForward gives any address",
                fix=f"wrap it: filterForward({name}(), newNMG({{'{_MADE[name][2]}'}}))",
            )


def _forward(form: Form, name: str) -> Operation:
    behind = 0 if since(form.version, _OF_ZONE) else form.encloser
    return [name, None, None, since(form.version, _DIGITS), behind]


def _filtered(
    form: Form, address: Expression, group: Expression, fallback: Expression | None = None
) -> Operation:
    """Of one of the above, with a group of networks that says no to none."""
    made, _ = _call(address, 0)
    maker, (networks,) = _call(group, 1)
    if made not in _MADE or maker != "newNMG":
        raise Other
    name, nowhere, _ = _MADE[made]
    operation = _forward(form, name)
    operation[1] = [network_of(written) for written in texts(networks)]
    instead = nowhere if fallback is None else text(fallback).decode("latin-1")
    operation[2] = instead if instead or not since(form.version, _LISTED) else None
    return operation


def _call(node: Expression, count: int) -> tuple[str, tuple[Expression, ...]]:
    """The name of the function that is called, and ``count`` arguments."""
    if not isinstance(node, Call) or not isinstance(node.function, syntax.Name):
        raise Other
    if len(node.arguments) != count:
        raise Other
    return node.function.name.decode("latin-1"), node.arguments


_FORWARD_CHANGES: Final = (
    Change(
        (4, 9),
        "createForward takes eight hexadecimal digits at the end of any label, and only whole"
        " numbers between hyphens, behind a word such as host; before, the digits behind two"
        " characters, and numbers with whatever follows",
        "ask for names such as ip40414243 or 192-0-2-1, which all read alike",
        ("40414243", "ip-40414243", "host1-2-3-4", "1-2-3-4x", "1-2-3-010", "0x1-2-3-4"),
    ),
    Change(
        (5, 1),
        "createForward reads the labels in front of the wildcard, and none without one; before,"
        " those in front of the zone",
        "have the record at a wildcard, without numbers as labels behind it",
        ("1.2.3", "1.2", "1"),
    ),
    Change(
        (5, 1),
        "createForward makes nothing of 0x among hexadecimal digits; before, 0",
        "ask for names such as ip40414243",
        ("xx0102030x",),
    ),
)
_FORWARD6_CHANGES: Final = (
    Change(
        (4, 9),
        "createForward6 takes 32 hexadecimal digits in one label, and what is no address gives ::;"
        " before, that is an error",
        "ask for names such as 2001-db8--1",
        ("20010db8000000000000000000000001", "g--1"),
    ),
    Change(
        (5, 1),
        "createForward6 reads the labels in front of the wildcard; before, those in front of the"
        " zone, so that below a wildcard further down it gave ::",
        "put the wildcard at the apex of a zone of its own",
        ("2001-db8--1", "20010db8000000000000000000000001", "2001.db8.0.0.0.0.0.1"),
    ),
)
_FILTER_CHANGES: Final = (
    Change(
        (4, 9),
        "filterForward gives a list, without an empty text in it; before, it gave a text",
        "return its result as it is, with a fallback that is an address; to compare it, write"
        " ;local a = filterForward(...) if type(a) == 'table' then a = a[1] or '' end",
        ("10-1-2-3", "192-0-2-1", "203-0-113-9", "2001-db8--1", "foo"),
    ),
)

FUNCTIONS = (
    Function(
        "createForward",
        changes=_FORWARD_CHANGES,
        of_name=True,
        operation=lambda form: _forward(form, "forward"),
    ),
    Function(
        "createForward6",
        changes=_FORWARD6_CHANGES,
        of_name=True,
        operation=lambda form: _forward(form, "forward6"),
    ),
    Function(
        "filterForward",
        (ADDRESS, _GROUP, TEXT),
        optional=1,
        changes=_FILTER_CHANGES,
        chosen=2,
        judge=_judge,
        operation=_filtered,
    ),
)

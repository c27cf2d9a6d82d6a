"""createForward, createForward6: an address from the name asked for; filterForward: such an address
where some networks hold it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lzc.lua.definition.function import Form, Function, Operation, Parameter
from lzc.lua.definition.parameters import ADDRESS, TEXT, refuse
from lzc.lua.definition.record import Examination
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other, network_of, text, texts
from lzc.lua.syntax.tree import Call, Expression

_MADE: Final = {
    "createForward": ("forward", str(IPv4Address(0)), "192.0.2.0/24"),
    "createForward6": ("forward6", str(IPv6Address(0)), "2001:db8::/32"),
}
"""The operation of each, what filterForward gives instead, and a network for an example."""


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


def _filtered(
    _form: Form, address: Expression, group: Expression, fallback: Expression | None = None
) -> Operation:
    """Of one of the above, with a group of networks that says no to none."""
    made, _ = _call(address, 0)
    maker, (networks,) = _call(group, 1)
    if made not in _MADE or maker != "newNMG":
        raise Other
    name, nowhere, _ = _MADE[made]
    found = [network_of(written) for written in texts(networks)]
    return [name, found, nowhere if fallback is None else text(fallback).decode("latin-1")]


def _call(node: Expression, count: int) -> tuple[str, tuple[Expression, ...]]:
    """The name of the function that is called, and ``count`` arguments."""
    if not isinstance(node, Call) or not isinstance(node.function, syntax.Name):
        raise Other
    if len(node.arguments) != count:
        raise Other
    return node.function.name.decode("latin-1"), node.arguments


FUNCTIONS = (
    Function("createForward", operation=lambda form: ["forward", None, None]),
    Function("createForward6", operation=lambda form: ["forward6", None, None]),
    Function(
        "filterForward",
        (ADDRESS, _GROUP, TEXT),
        optional=1,
        chosen=2,
        judge=_judge,
        operation=_filtered,
    ),
)

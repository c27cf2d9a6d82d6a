"""What a record returns, as far as it is literal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lzc.lua.address import FAMILY_OF_TYPE, family
from lzc.lua.definition.function import Parameter
from lzc.lua.definition.parameters import STRINGS
from lzc.lua.definition.record import Examination, is_open, quoted
from lzc.lua.functions import meant
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.tree import Block, Expression
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr

_MOST: Final = 20_000
"""Expressions looked at for one record at most."""


def check_results(record: Examination, body: Block) -> None:
    """Report literals that are no data of the covered type, wherever they may be the result, and
    results that are empty."""
    covered = record.covered
    if covered == rr.LUA:
        return
    for returned in _returns(body):
        if returned.values:
            _check_result(record, returned.values[0])
        else:
            _report_empty(record, returned, "nothing is returned")
    last = _falls_through(record, body)
    if last is not None:
        _report_empty(record, last, "the code may run on to its end")


def _returns(body: Block) -> Iterator[syntax.Return]:
    """The ``return`` statements of the record itself, not of functions in it."""
    waiting: list[syntax.Node] = [body]
    while waiting:
        node = waiting.pop()
        if isinstance(node, syntax.Return):
            yield node
        elif not isinstance(node, syntax.Function):
            waiting.extend(reversed(syntax.children(node)))


def _falls_through(record: Examination, body: Block) -> syntax.Node | int | None:
    """Where a block ends without ``return``; `None` when it does not, or may not."""
    if not body.statements:
        return body.offset
    last = body.statements[-1]
    match last:
        case syntax.If(branches=branches, otherwise=otherwise):
            if otherwise is None:
                return last
            for block in (*(branch.body for branch in branches), otherwise):
                found = _falls_through(record, block)
                if found is not None:
                    return found
            return None
        case syntax.Do(body=inner):
            return _falls_through(record, inner)
        case syntax.Local() | syntax.Assignment() | syntax.LocalFunction():
            return last
        case syntax.FunctionStatement():
            return last
        case syntax.CallStatement(call=syntax.Call(function=function)):
            return None if record.function_name(function) == "error" else last
        case _:
            return None


def _report_empty(record: Examination, node: syntax.Node | int, what: str) -> None:
    if record.zone.signed:
        record.report(node, "lua-empty-result", f"the result may be empty: {what}")


def _check_result(record: Examination, result: Expression) -> None:
    # Pairs of an expression and what kind of list it comes from (`None`: it is a result).
    waiting: list[tuple[Expression, Parameter | None]] = [(result, None)]
    for _ in range(_MOST):
        if not waiting:
            return
        expression, within = waiting.pop()
        node = record.literals.behind(expression)
        text = record.literals.text(node)
        if text is not None:
            _check_text(record, node, text, within)
            continue
        match node:
            case syntax.Nil() if within is None:
                _report_empty(record, node, "nil is returned")
            case syntax.Binary(operator=b"and", right=right):
                waiting.append((right, within))
            case syntax.Binary(operator=b"or", left=left, right=right):
                waiting += ((right, within), (left, within))
            case syntax.Table():
                if not node.fields and within is None:
                    _report_empty(record, node, "{} is returned")
                items = [field for field in node.fields if field.key is None]
                open_end = items[-1:] if is_open(node) else []
                waiting.extend(
                    (field.value, within or STRINGS)
                    for field in reversed(items)
                    if field not in open_end
                )
            case syntax.Call():
                waiting.extend(reversed(_chosen_from(record, node, within)))


def _chosen_from(
    record: Examination, call: syntax.Call, within: Parameter | None
) -> list[tuple[Expression, Parameter | None]]:
    """What the result of a call may be, where it is a function of the API that chooses."""
    function = meant(record, call)
    given = call.arguments
    if function is None or function.chosen is None or function.chosen >= len(given):
        return []
    if within is None and function.options is not None and function.options < len(given):
        _check_selectors(record, given[function.options])
    parameter, argument = function.parameters[function.chosen], given[function.chosen]
    if parameter.candidates is None:
        return [(argument, within)]
    return [(item, parameter) for item in parameter.candidates(record, argument)]


def _check_selectors(record: Examination, options: Expression) -> None:
    for field in record.literals.fields(options):
        if field.key is not None and record.literals.text(field.value) == b"empty":
            key = record.literals.text(field.key)
            if key in (b"selector", b"backupSelector"):
                _report_empty(record, field, f"with {key.decode()}='empty' nothing is returned")


def _check_text(
    record: Examination, node: Expression, text: bytes, within: Parameter | None
) -> None:
    covered = record.covered
    if text == b"" and covered not in (rr.TXT, rr.SPF):
        if within is None:
            record.report(
                node,
                "lua-empty-result",
                "the result may be empty: '' is returned",
                why=f"an empty string is no {rr.to_text(covered)} record: the answer is SERVFAIL",
            )
        return
    wanted = FAMILY_OF_TYPE.get(covered)
    found = None if wanted is None else family(text)
    if found is not None and found != wanted:
        record.report(
            node,
            "lua-address-family",
            f"{quoted(text)} is an IPv{found} address; the record answers for"
            f" {rr.to_text(covered)}",
            fix=f"move it to a LUA {'AAAA' if found == 6 else 'A'} record",
        )
        return
    if wanted is not None and within is not None and within.addresses:
        # Checked with the arguments; and a port may follow here.
        return
    try:
        wire_rdata.from_result(covered, text)
    except wire_rdata.InvalidRdata as error:
        shown, what = quoted(text), rr.to_text(covered)
        if wanted is not None:
            record.report(node, "lua-bad-address", f"{shown} is no address for {what}")
        elif covered == rr.TXT:
            record.report(
                node,
                "lua-bad-content",
                f"{shown} is no TXT record, because of the quotes or backslashes in it",
                why="the result is put between double quotes and read as in a zone file; what"
                " cannot be read so is SERVFAIL",
                fix="put a backslash in front of each of them",
            )
        else:
            record.report(node, "lua-bad-content", f"{shown} is no {what} record: {error}")

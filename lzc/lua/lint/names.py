"""Names: of globals, of the members of libraries, of methods."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

from lzc.lua.definition.record import Examination, quoted
from lzc.lua.functions import FUNCTIONS
from lzc.lua.lint import environment
from lzc.lua.lint.environment import METHODS, VARIABLES
from lzc.lua.syntax import tree as syntax
from lzc.wire import rrtype as rr

_GLOBALS: Final = frozenset(
    (*FUNCTIONS, *VARIABLES, *environment.FUNCTIONS, *environment.VALUES, *environment.LIBRARIES)
)
_CALLABLE: Final = (*FUNCTIONS, *environment.FUNCTIONS)


def check_globals(
    record: Examination, nodes: Sequence[syntax.Node], known: frozenset[bytes], dynamic: bool
) -> None:
    """Report globals that nobody sets, that lead to the host, or that lzc or a secondary does not
    have. ``known`` are those set by the record or what it includes; with ``dynamic`` there may be
    others."""
    accesses = [access for access in record.scopes.accesses if not access.written]
    asked = _asked_about(nodes)
    told: set[bytes] = set()
    for access in accesses:
        name = access.name.name
        if name in known or name in told:
            continue
        told.add(name)
        text = name.decode("latin-1")
        if text in environment.CLOSED:
            what = environment.CLOSED[text]
            record.report(access.name, "lua-forbidden", f"{text} leads to {what}")
        elif text in _GLOBALS:
            if name not in asked:
                _check_provided(record, access.name, text)
        elif not dynamic:
            _report_unknown(record, access.name, text, access.called, known)


def _asked_about(nodes: Sequence[syntax.Node]) -> set[bytes]:
    """Names that the code asks whether they are there, as in ``if pickchashed then``: it copes
    without."""
    asked: list[syntax.Expression] = []
    for node in nodes:
        match node:
            case syntax.Binary(operator=b"and" | b"or" | b"==" | b"~=", left=left, right=right):
                asked += (left, right)
            case syntax.Unary(operator=b"not", operand=operand):
                asked.append(operand)
            case syntax.Branch(condition=condition):
                asked.append(condition)
            case syntax.Call(function=syntax.Name(name=b"type"), arguments=arguments):
                asked += arguments
    return {one.name for one in asked if isinstance(one, syntax.Name)}


def _check_provided(record: Examination, node: syntax.Name, name: str) -> None:
    function = FUNCTIONS.get(name)
    since = function.since if function is not None else VARIABLES.get(name)
    if since is not None:
        record.report_older(node, f"{name} is", since)
    if function is not None and function.refused:
        record.report(node, "lua-not-provided", f"lzc refuses {name}")


def _report_unknown(
    record: Examination, node: syntax.Name, name: str, called: bool, known: frozenset[bytes]
) -> None:
    others = [text.decode("latin-1") for text in known]
    among = [*_CALLABLE, *others] if called else [*_GLOBALS, *others]
    fix = did_you_mean(name, among)
    if called:
        record.report(node, "lua-unknown-function", f"there is no function {quoted(name)}", fix=fix)
    else:
        record.report(node, "lua-unknown-global", f"nobody sets {quoted(name)}", fix=fix)


def did_you_mean(name: str, among: Iterable[str]) -> str:
    """A hint at the name that is meant, or nothing. Case counts less than letters."""
    by_lower = {candidate.lower(): candidate for candidate in sorted(among)}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.7)
    return f"did you mean {by_lower[close[0]]}?" if close else ""


def check_members(record: Examination, nodes: Sequence[syntax.Node]) -> None:
    """Report members of libraries, and methods of the objects of the API, that there are not or
    that lead to the host."""
    called = {id(node.function) for node in nodes if isinstance(node, syntax.Call)}
    extended = _extended(record, nodes)
    for node in nodes:
        if isinstance(node, syntax.Index):
            _check_member(record, node, id(node) in called, extended)
        elif isinstance(node, syntax.MethodCall):
            _check_method(record, node)


def _extended(record: Examination, nodes: Sequence[syntax.Node]) -> set[str]:
    """Libraries that the record puts something of its own into."""
    targets: list[syntax.Expression] = []
    for node in nodes:
        if isinstance(node, syntax.Assignment):
            targets += node.targets
        elif isinstance(node, syntax.FunctionStatement):
            targets.append(node.target)
    found: set[str] = set()
    for target in targets:
        if isinstance(target, syntax.Index):
            name = record.function_name(target.table)
            if name is not None:
                found.add(name)
    return found


def _check_member(
    record: Examination, index: syntax.Index, called: bool, extended: set[str]
) -> None:
    key = record.literals.constant(index.key)
    if key is None or not isinstance(key.value, bytes):
        return
    library = record.function_name(index.table)
    if library is None or library not in environment.LIBRARIES or library in extended:
        return
    member = key.value.decode("latin-1")
    what = environment.CLOSED_MEMBERS.get(library, {}).get(member)
    if what is not None:
        record.report(index, "lua-forbidden", f"{library}.{member} leads to {what}")
    elif called and member not in environment.LIBRARIES[library]:
        record.report(
            index.key,
            "lua-unknown-function",
            f"there is no function {quoted(f'{library}.{member}')}",
            fix=did_you_mean(member, environment.LIBRARIES[library]),
        )


def _check_method(record: Examination, call: syntax.MethodCall) -> None:
    name = record.function_name(call.target)
    if name is None or name not in METHODS:
        return
    method = call.method.name.decode("latin-1")
    if method not in METHODS[name]:
        record.report(
            call.method,
            "lua-unknown-function",
            f"{name} has no method {quoted(method)}",
            fix=did_you_mean(method, METHODS[name]),
        )


def check_leaks(record: Examination) -> None:
    """Report globals that outlive the query, where records run in shared mode. One that is read
    before it is set is meant to; and setting them is what configuration records are for."""
    if not record.zone.shared or record.covered == rr.LUA:
        return
    seen: set[bytes] = set()
    for access in record.scopes.accesses:
        name = access.name.name
        if name in seen:
            continue
        seen.add(name)
        if access.written:
            record.report(
                access.name,
                "lua-leaking-global",
                f"{quoted(name)} is a global, and outlives the query",
            )

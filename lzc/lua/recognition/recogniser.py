"""LUA records of common forms, recognised from their code and turned into plans.

A record is recognised when it is one call of an API function on constants, constants alone, a text
made of constants and of who asks what, or a chunk that gives names to constants and chooses among
such by where the client is. What is not known for certain to give the same answer as a plan (odd
types and values, content that is no RDATA of the type) is left to Lua; that concerns the mode
`isolated`, as globals that live on may be anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from lzc.lua.definition.function import Condition, Form, Operation, is_method
from lzc.lua.functions import FUNCTIONS
from lzc.lua.plan import encode
from lzc.lua.program import Program
from lzc.lua.recognition.text import code_of, parts
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import (
    Effort,
    Names,
    Other,
    TooMuch,
    bare,
    is_constant,
    resolve,
    text,
    values,
)
from lzc.lua.syntax.lexer import NAME, STRING
from lzc.powerdns_versions import Version

MAX_BLOCKS: Final = 500
"""Blocks of statements followed at most: what comes after an ``if`` is there once for each way."""

Include = Callable[[bytes], Program | None]
"""Gives the LUA record that is included by a name, or `None`."""

_COPIED: Final = 64
"""Names that take as long to be copied as a node to be looked at."""

_LIKELY: Final = frozenset((STRING, *b"{ ( not return if local do".split()))
_PLANNED: Final = frozenset(
    name.encode()
    for name, found in FUNCTIONS.items()
    if found.operation or found.condition or found.part or found.code or found.includes
) | {b"qname", b"bestwho"}

_After = Callable[[Names], Operation | None]


def recognise(
    program: Program, version: Version, include: Include | None = None, *, encloser: int = 0
) -> bytes | None:
    """The plan (`lzc.lua.plan`) of a record, by which it answers as a version of PowerDNS, or
    `None` for one that has to be run. ``include`` is what the function of this name finds, and
    ``encloser`` how many labels the owner has, if that may matter."""
    if program.is_included or not _is_likely(program):
        return None
    form = Form(program.covered, version, encloser)
    reading = _Reading(form, include, Effort(len(program.code)))
    try:
        # Where statements end without a result, that is an error which Lua reports best.
        operation = reading.block(program.tree.body.statements, {}, lambda globals_: None, {})
    except (Other, TooMuch, ast.LuaCodeError, RecursionError):
        return None
    if operation is None:
        return None
    return encode(program.covered, reading.form.rdatas, operation, version)


def operation_of(
    expression: ast.Expression, names: Names, covered: int, version: Version, effort: Effort
) -> Operation:
    """What a plan does for an expression on constants, or on ``names`` that stand for some, in a
    record that answers for type ``covered``. Raises `Other` for any other, and `TooMuch`."""
    reading = _Reading(Form(covered, version), None, effort)
    return reading.expression(reading.resolved(expression, names))


def _is_likely(program: Program) -> bool:
    """Whether code begins as what may have a plan; most other code need not be parsed then."""
    tokens = program.tokens
    if tokens.types[0] is not NAME:
        return tokens.types[0] in _LIKELY
    # What else begins with a name may give it to something.
    is_given = not program.is_expression and tokens.types[1] in (b"=", b",")
    return is_given or tokens.text(0) in _PLANNED


class _Reading:
    """Reads one record."""

    def __init__(self, form: Form, include: Include | None, effort: Effort) -> None:
        self.form = form
        self.include = include
        self.effort = effort
        self.blocks = 0

    def resolved(self, node: ast.Expression, names: Names) -> ast.Expression:
        """The expression with what ``names`` stand for in their places."""
        found = resolve(node, names)
        if found is not node:
            self.effort.take_tree(found)
        return found

    def block(
        self,
        statements: tuple[ast.Statement, ...],
        locals_: Names,
        after: _After,
        globals_: Names,
    ) -> Operation | None:
        """Statements that only choose what to return, and what comes ``after`` their block where
        they do not."""
        self.blocks += 1
        if self.blocks > MAX_BLOCKS:
            raise Other
        for place, statement in enumerate(statements):
            names = {**globals_, **locals_}
            self.effort.take(1 + len(names) // _COPIED)
            rest = partial(self.block, statements[place + 1 :], locals_, after)
            if isinstance(statement, ast.Return):
                if len(statement.values) != 1:
                    raise Other
                return self.expression(self.resolved(statement.values[0], names))
            if isinstance(statement, ast.If):
                return self.branches(statement, locals_, rest, globals_, names)
            if isinstance(statement, ast.Do):
                return self.block(statement.body.statements, locals_, rest, globals_)
            if isinstance(statement, ast.Local | ast.Assignment):
                locals_, globals_ = self.assigned(statement, locals_, globals_, names)
            else:
                globals_ = self.included(statement, globals_, names)
        return after(globals_)

    def branches(
        self, statement: ast.If, locals_: Names, rest: _After, globals_: Names, names: Names
    ) -> Operation:
        ways = [
            [
                self.condition(self.resolved(branch.condition, names)),
                self.block(branch.body.statements, locals_, rest, globals_),
            ]
            for branch in statement.branches
        ]
        if statement.otherwise is None:
            return ["if", ways, rest(globals_)]
        return ["if", ways, self.block(statement.otherwise.statements, locals_, rest, globals_)]

    def assigned(
        self, statement: ast.Local | ast.Assignment, locals_: Names, globals_: Names, names: Names
    ) -> tuple[Names, Names]:
        """The locals and the globals after a statement that gives names to something."""
        if isinstance(statement, ast.Local):
            written = [name.name for name in statement.names]
            return {**locals_, **self.named(written, statement.values, names)}, globals_
        written = [_global(target, locals_) for target in statement.targets]
        return locals_, {**globals_, **self.named(written, statement.values, names)}

    def named(
        self, written: list[bytes], given: tuple[ast.Expression, ...], names: Names
    ) -> dict[bytes, ast.Expression]:
        """What names stand for from here on. It has to be something that may as well be evaluated
        where it is used: constants, and where the client is."""
        if len(written) != len(given) or len(set(written)) != len(written):
            raise Other
        found = [self.resolved(value, names) for value in given]
        for value in found:
            if not is_constant(value) and code_of(value) is None:
                self.condition(value)
        return dict(zip(written, found, strict=True))

    def included(self, statement: ast.Statement, globals_: Names, names: Names) -> Names:
        """The globals after a call of `include` on code that only gives names to constants."""
        call = statement.call if isinstance(statement, ast.CallStatement) else None
        if self.include is None or not isinstance(call, ast.Call):
            raise Other
        if resolve(call.function, names) is not call.function:
            raise Other
        function, arguments = FUNCTIONS.called(call)
        if function is None or not function.includes:
            raise Other
        included = self.include(text(resolve(arguments[0], names)))
        if included is None:
            raise Other
        self.effort.take(len(included.code) // 4)
        locals_: Names = {}
        for inner in included.tree.body.statements:
            seen = {**globals_, **locals_}
            self.effort.take(1 + len(seen) // _COPIED)
            if not isinstance(inner, ast.Local | ast.Assignment):
                raise Other
            locals_, globals_ = self.assigned(inner, locals_, globals_, seen)
        return globals_

    def condition(self, node: ast.Expression) -> Condition:
        """What is true or false by where the client is."""
        if isinstance(node, ast.Parenthesis):
            return self.condition(node.inner)
        if isinstance(node, ast.Boolean):
            return ["every" if node.value else "some", []]
        if isinstance(node, ast.Unary) and node.operator == b"not":
            return ["not", self.condition(node.operand)]
        if isinstance(node, ast.Binary):
            return self.combined(node)
        if isinstance(node, ast.MethodCall):
            return _family(node)
        function, arguments = FUNCTIONS.called(node)
        if function is None or function.condition is None:
            raise Other
        return function.condition(self.form, *arguments)

    def combined(self, node: ast.Binary) -> Condition:
        if node.operator in (b"and", b"or"):
            name = "every" if node.operator == b"and" else "some"
            return [name, [self.condition(node.left), self.condition(node.right)]]
        if node.operator not in (b"==", b"~="):
            raise Other
        field, constant = code_of(node.left), node.right
        if field is None:
            field, constant = code_of(node.right), node.left
        code = text(constant)
        if field is None or not code.isascii():
            raise Other
        # As they are given: a code is compared as it is, in lower case.
        found = ["code", field, code.decode()]
        return found if node.operator == b"==" else ["not", found]

    def expression(self, node: ast.Expression) -> Operation:
        """What a record returns."""
        if isinstance(node, ast.Parenthesis):
            return self.expression(node.inner)
        if isinstance(node, ast.Table):
            return ["fixed", [self.form.item(text(value)) for value in values(node)]]
        if isinstance(node, ast.Binary) and node.operator == b"or":
            return self.alternatives(node)
        function, arguments = FUNCTIONS.called(node)
        if function is not None and function.operation is not None:
            if not function.is_in(self.form.version):
                raise Other
            return function.operation(self.form, *arguments)
        if isinstance(node, ast.Number):
            raise Other
        found = parts(self.form, node)
        if [part[0] for part in found] == ["is"]:
            return ["fixed", [self.form.item(found[0][1].encode("latin-1"))]]
        return ["text", found]

    def alternatives(self, node: ast.Binary) -> Operation:
        """``condition and this or that``: whatever a record returns counts as true."""
        otherwise = self.expression(node.right)
        first, others = bare(node.left), []
        while isinstance(first, ast.Binary) and first.operator == b"or":
            others.append(first.right)
            first = first.left
        ways = []
        for way in (first, *reversed(others)):
            if not isinstance(way, ast.Binary) or way.operator != b"and":
                raise Other
            ways.append([self.condition(way.left), self.expression(way.right)])
        return ["if", ways, otherwise]


def _global(target: ast.Expression, locals_: Names) -> bytes:
    if not isinstance(target, ast.Name) or target.name in locals_:
        raise Other
    return target.name


def _family(node: ast.MethodCall) -> Condition:
    """Whether the client's address is of a family."""
    octets = {b"isIPv4": 4, b"isIPv6": 16}.get(node.method.name)
    if octets is None or not is_method(node, b"bestwho", node.method.name):
        raise Other
    return ["octets", octets]

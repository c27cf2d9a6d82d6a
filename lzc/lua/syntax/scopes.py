"""Which variable a name means: a local (an upvalue or a parameter too), or a global.

Tables that sit in a local are followed only where nobody can have changed them, which is what
`Variable.escapes` and `Variable.given_to` are about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.tree import Block, Expression, Name, Node, Statement

_HARMLESS: Final = frozenset((b"ipairs", b"pairs", b"next", b"unpack", b"type", b"tostring"))
"""Functions of the language that leave a table as it is."""

_CHANGED: Final = b"<changed>"
_UNCHANGED: Final = b"<unchanged>"
"""What may become of a table; else it is the name of the global function that gets it."""

_ENVIRONMENT: Final = frozenset((b"setfenv", b"getfenv", b"loadstring", b"load"))


@dataclass(slots=True)
class Variable:
    """A local. ``value`` is what it is declared with, if that is known; ``writes`` counts the
    assignments, the declaration being one. It ``escapes`` when a table in it may be changed;
    functions that are global get it as an argument too, and ``given_to`` has their names."""

    name: bytes
    value: Expression | None
    writes: int = 1
    escapes: bool = False
    given_to: set[bytes] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Access:
    """A global is read or written at ``name``; ``called`` when it is the function of a call."""

    name: Name
    written: bool = False
    called: bool = False


@dataclass(slots=True)
class Scopes:
    """``variables`` are the locals, by the offset of each name that means one; ``accesses`` those
    of globals, in the order in which they happen if no branch is left out. ``dynamic`` is code that
    may set globals in ways not seen here (``setfenv``, ``loadstring`` and the like)."""

    variables: dict[int, Variable] = field(default_factory=dict)
    accesses: list[Access] = field(default_factory=list)
    dynamic: bool = False

    @property
    def written(self) -> frozenset[bytes]:
        """The globals that the code sets."""
        return frozenset(access.name.name for access in self.accesses if access.written)


def resolve(chunk: syntax.Chunk) -> Scopes:
    """The scopes of a record."""
    resolver = _Resolver()
    resolver.block(chunk.body)
    return resolver.scopes


class _Resolver:
    """Goes over a chunk in the order of its execution."""

    def __init__(self) -> None:
        self.scopes = Scopes()
        self._visible: list[dict[bytes, Variable]] = []

    def block(self, block: Block, declared: Iterable[Name] = ()) -> None:
        """A block whose scope starts with ``declared`` (parameters, loop variables)."""
        self._visible.append({})
        for name in declared:
            self._declare(name, None)
        for statement in block.statements:
            self._statement(statement)
        self._visible.pop()

    def _declare(self, name: Name, value: Expression | None) -> None:
        variable = Variable(name.name, value)
        self._visible[-1][name.name] = variable
        self.scopes.variables[name.offset] = variable

    def _find(self, name: Name) -> Variable | None:
        for scope in reversed(self._visible):
            variable = scope.get(name.name)
            if variable is not None:
                self.scopes.variables[name.offset] = variable
                return variable
        return None

    def _statement(self, statement: Statement) -> None:
        match statement:
            case syntax.Local(names=names, values=values):
                self._expressions(values)
                for position, name in enumerate(names):
                    self._declare(name, values[position] if position < len(values) else None)
            case syntax.Assignment(targets=targets, values=values):
                self._expressions(values)
                for target in targets:
                    self._assign(target)
            case syntax.CallStatement(call=call):
                self._expressions((call,))
            case syntax.FunctionStatement(target=target, method=method, function=function):
                self._assign(target)
                self._function(function, method)
            case syntax.LocalFunction(name=name, function=function):
                self._declare(name, function)
                self._function(function, False)
            case syntax.Do(body=body):
                self.block(body)
            case syntax.While(condition=condition, body=body):
                self._expressions((condition,))
                self.block(body)
            case syntax.Repeat(body=body, condition=condition):
                self._visible.append({})
                for inner in body.statements:
                    self._statement(inner)
                self._expressions((condition,))
                self._visible.pop()
            case syntax.If(branches=branches, otherwise=otherwise):
                for branch in branches:
                    self._expressions((branch.condition,))
                    self.block(branch.body)
                if otherwise is not None:
                    self.block(otherwise)
            case syntax.NumericFor(variable=variable, start=start, stop=stop, step=step, body=body):
                self._expressions((start, stop) if step is None else (start, stop, step))
                self.block(body, (variable,))
            case syntax.GenericFor(names=names, iterators=iterators, body=body):
                self._expressions(iterators)
                self.block(body, names)
            case syntax.Return(values=values):
                self._expressions(values, _UNCHANGED)
            case _:
                pass

    def _function(self, function: syntax.Function, method: bool) -> None:
        self._visible.append({})
        if method:
            self._visible[-1][b"self"] = Variable(b"self", None)
        self.block(function.body, function.parameters)
        self._visible.pop()

    def _assign(self, target: Expression) -> None:
        if isinstance(target, Name):
            variable = self._find(target)
            if variable is None:
                self.scopes.accesses.append(Access(target, written=True))
            else:
                variable.writes += 1
        elif isinstance(target, syntax.Index):
            if isinstance(target.table, Name) and target.table.name == b"_G":
                self._through_environment(target)
            self._expressions((target.table, target.key))

    def _through_environment(self, target: syntax.Index) -> None:
        """``_G.name = value``"""
        if self._find(target.table) is None:  # type: ignore[arg-type]
            if isinstance(target.key, syntax.String):
                name = Name(target.key.offset, target.key.end, target.key.value)
                self.scopes.accesses.append(Access(name, written=True))
            else:
                self.scopes.dynamic = True

    def _expressions(self, expressions: Iterable[Expression], fate: bytes = _CHANGED) -> None:
        # Pairs of what is still to be seen, and what becomes of a table there. A loop, as an
        # operator chain may be deeper than Python's stack.
        waiting: list[tuple[Node, bytes]] = [(e, fate) for e in reversed(tuple(expressions))]
        while waiting:
            node, fate = waiting.pop()
            match node:
                case Name():
                    self._read(node, fate, called=False)
                case syntax.Function():
                    self._function(node, False)
                case syntax.Call(function=Name() as function, arguments=arguments):
                    self._read(function, _UNCHANGED, called=True)
                    local = self.scopes.variables.get(function.offset)
                    given = function.name if local is None else _CHANGED
                    given = _UNCHANGED if given in _HARMLESS else given
                    waiting.extend((argument, given) for argument in reversed(arguments))
                case syntax.Call(function=function, arguments=arguments):
                    waiting.extend((argument, _CHANGED) for argument in reversed(arguments))
                    waiting.append((function, _UNCHANGED))
                case syntax.MethodCall(target=target, arguments=arguments):
                    waiting.extend((argument, _CHANGED) for argument in reversed(arguments))
                    waiting.append((target, _CHANGED))
                case syntax.Index(table=table, key=key):
                    # What comes out of the table may be a table itself, and be changed.
                    waiting.append((key, _UNCHANGED))
                    waiting.append((table, fate if _holds_tables(table) else _UNCHANGED))
                case syntax.Binary(operator=operator, left=left, right=right):
                    kept = fate if operator in (b"and", b"or") else _UNCHANGED
                    waiting.append((right, kept))
                    waiting.append((left, kept))
                case syntax.Unary(operand=operand):
                    waiting.append((operand, _UNCHANGED))
                case syntax.Parenthesis(inner=inner):
                    waiting.append((inner, fate))
                case syntax.Field(key=key, value=value):
                    waiting.append((value, _UNCHANGED))
                    if key is not None:
                        waiting.append((key, _UNCHANGED))
                case _:
                    waiting.extend((child, fate) for child in reversed(syntax.children(node)))

    def _read(self, name: Name, fate: bytes, called: bool) -> None:
        variable = self._find(name)
        if variable is not None:
            variable.escapes |= fate == _CHANGED
            if fate not in (_CHANGED, _UNCHANGED):
                variable.given_to.add(fate)
            return
        self.scopes.accesses.append(Access(name, called=called))
        if name.name in _ENVIRONMENT or (name.name == b"_G" and fate != _UNCHANGED):
            self.scopes.dynamic = True


def _holds_tables(table: Expression) -> bool:
    """False for ``_G``, whose fields are looked at one by one."""
    return not (isinstance(table, Name) and table.name == b"_G")

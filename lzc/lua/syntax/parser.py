"""LUA code to its syntax tree: what LuaJIT 2.1 loads parses, and nothing else does.

Recursive descent with precedence climbing, as Lua's own parser. Two limits of LuaJIT's compiler are
not known here, as they depend on the bytecode it makes: 60 upvalues and about 250 registers of a
function.
"""

from __future__ import annotations

import sys
from typing import Final

from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.expressions import MAX_LEVEL, NAMES, ExpressionParser
from lzc.lua.syntax.lexer import END, NAME, Tokens
from lzc.lua.syntax.tree import Chunk, Expression, Statement

MAX_LOCALS: Final = 200
"""Local variables of a function that are visible at one time."""

_FRAMES: Final = 1500

_BLOCK_ENDS: Final = frozenset((b"end", b"else", b"elseif", b"until", END))


def parse(tokens: Tokens, expression: bool) -> Chunk:
    """The tree of some code: a chunk or, with ``expression``, a list of expressions in front of
    which ``return`` stands unwritten. Raises `lzc.lua.syntax.tree.LuaSyntaxError`."""
    try:
        return _Parser(tokens).chunk(expression)
    except RecursionError:
        # 200 levels of Lua may be a thousand calls here. Python 3.11 keeps them on its own heap.
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(limit + _FRAMES)
        try:
            return _Parser(tokens).chunk(expression)
        finally:
            sys.setrecursionlimit(limit)


class _Scope:
    """What a block knows of its labels, and the gotos in it that found none yet."""

    __slots__ = ("active", "gotos", "labels")

    def __init__(self, active: int) -> None:
        self.active = active
        self.labels: set[bytes] | None = None
        self.gotos: list[tuple[bytes, int, int]] | None = None


class _Parser(ExpressionParser):
    __slots__ = ("active", "loops", "scopes")

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens)
        # Locals that are visible and loops that are open, in the innermost function.
        self.active = 0
        self.loops = 0
        self.scopes: list[_Scope] = []

    def chunk(self, expression: bool) -> Chunk:
        if expression:
            self.level = 1
            values: tuple[Expression, ...] = ()
            if self.types[0] not in (b";", END):
                values = self._expressions()
            if self.types[self.i] == b";":
                self.i += 1
            end = self.ends[self.i - 1] if self.i else 0
            body = ast.Block(0, end, (ast.Return(0, end, values),))
        else:
            body = self._block()
        if self.types[self.i] != END:
            self._fail("the code should end here" if expression else "a statement is expected")
        return Chunk(0, len(self.code), body, expression)

    def _enter(self) -> None:
        self.level += 1
        if self.level >= MAX_LEVEL:
            self._fail(f"nested more than {MAX_LEVEL} deep")

    def _declare(self, count: int) -> None:
        self.active += count
        if self.active > MAX_LOCALS:
            self._fail(f"more than {MAX_LOCALS} local variables in one function")

    def _block(self) -> ast.Block:
        self.scopes.append(_Scope(self.active))
        block = self._statements()
        self._leave()
        return block

    def _leave(self) -> None:
        """End the innermost scope: its gotos that found no label look further out."""
        scope = self.scopes.pop()
        self.active = scope.active
        for name, _, token in scope.gotos or ():
            if scope.labels and name in scope.labels:
                continue
            if not self.scopes:
                self.i = token
                self._fail(f"no label '{_shown(name)}' for goto", plain="no such label for goto")
            outer = self.scopes[-1]
            outer.gotos = outer.gotos or []
            outer.gotos.append((name, scope.active, token))

    def _statements(self) -> ast.Block:
        self._enter()
        types = self.types
        start = self.starts[self.i]
        end = start
        found: list[Statement] = []
        while types[self.i] not in _BLOCK_ENDS:
            kind = types[self.i]
            statement = self._statement(kind)
            found.append(statement)
            end = statement.end
            if types[self.i] == b";":
                self.i += 1
            if kind == b"return" or kind == b"break":
                if types[self.i] not in _BLOCK_ENDS:
                    self._fail(f"'{kind.decode()}' must be the last statement of its block")
                break
        self.level -= 1
        return ast.Block(start, end, tuple(found))

    def _statement(self, kind: bytes) -> Statement:
        i = self.i
        if kind == NAME or kind == b"(":
            return self._call_or_assignment()
        if kind == b"goto":
            self.peeked = i
            if self.types[i + 1] != NAME:
                return self._call_or_assignment()
            return self._goto()
        parse = _STATEMENTS.get(kind)
        if parse is None:
            self._fail("a statement is expected")
        self.i = i + 1
        return parse(self, i)

    def _call_or_assignment(self) -> Statement:
        first = self._suffixed()
        kind = type(first)
        if kind is ast.Call or kind is ast.MethodCall:
            return ast.CallStatement(first.offset, first.end, first)  # type: ignore[arg-type]
        targets = [first]
        while True:
            if type(targets[-1]) not in (ast.Name, ast.Index):
                if type(targets[-1]) is ast.Parenthesis or len(targets) > 1:
                    self._fail("this cannot be assigned to: syntax error")
                self._fail("'=' or a call is expected")
            if self.types[self.i] != b",":
                break
            if self.level + len(targets) >= MAX_LEVEL:
                self._fail(f"more than {MAX_LEVEL - 1} variables")
            self.i += 1
            targets.append(self._suffixed())
        if self.types[self.i] != b"=":
            self._fail("'=' expected" if len(targets) > 1 else "'=' or a call is expected")
        self.i += 1
        values = self._expressions()
        return ast.Assignment(first.offset, values[-1].end, tuple(targets), values)

    def _local(self, i: int) -> Statement:
        if self.types[self.i] == b"function":
            self.i += 1
            name = self._name()
            self._declare(1)
            function = self._function(self.i - 2)
            return ast.LocalFunction(self.starts[i], function.end, name, function)
        names = self._name_list()
        values: tuple[Expression, ...] = ()
        end = names[-1].end
        if len(names) + self.active > MAX_LOCALS:
            self._fail(f"more than {MAX_LOCALS} local variables in one function")
        if self.types[self.i] == b"=":
            self.i += 1
            values = self._expressions()
            end = values[-1].end
        self._declare(len(names))
        return ast.Local(self.starts[i], end, names, values)

    def _name_list(self) -> tuple[ast.Name, ...]:
        names = [self._name()]
        while self.types[self.i] == b",":
            self.i += 1
            names.append(self._name())
        return tuple(names)

    def _function_statement(self, i: int) -> Statement:
        target: Expression = self._name()
        while self.types[self.i] == b".":
            self.i += 1
            target = self._dotted(target)
        method = self.types[self.i] == b":"
        if method:
            self.i += 1
            target = self._dotted(target)
        function = self._function(i, method)
        return ast.FunctionStatement(self.starts[i], function.end, target, method, function)

    def _function(self, opened: int, method: bool = False) -> ast.Function:
        outer = self.active, self.vararg, self.loops, self.scopes
        self.active, self.vararg, self.loops, self.scopes = 0, False, 0, [_Scope(0)]
        bracket = self.i
        self._expect(b"(")
        parameters: list[ast.Name] = []
        if self.types[self.i] != b")":
            while True:
                if self.types[self.i] == b"...":
                    self.vararg = True
                    self.i += 1
                    break
                parameters.append(self._name())
                if self.types[self.i] != b",":
                    break
                self.i += 1
        self._declare(len(parameters) + method)
        self._expect(b")", bracket if self.vararg or parameters else None)
        body = self._statements()
        vararg = self.vararg
        end = self._expect(b"end", opened)
        self._leave()
        self.active, self.vararg, self.loops, self.scopes = outer
        return ast.Function(self.starts[opened], end, tuple(parameters), vararg, body)

    def _do(self, i: int) -> Statement:
        body = self._block()
        return ast.Do(self.starts[i], self._expect(b"end", i), body)

    def _while(self, i: int) -> Statement:
        condition = self._expression()
        self._expect(b"do")
        self.loops += 1
        body = self._block()
        self.loops -= 1
        return ast.While(self.starts[i], self._expect(b"end", i), condition, body)

    def _repeat(self, i: int) -> Statement:
        self.loops += 1
        self.scopes.append(_Scope(self.active))
        body = self._statements()
        self._expect(b"until", i)
        condition = self._expression()
        self._leave()
        self.loops -= 1
        return ast.Repeat(self.starts[i], condition.end, body, condition)

    def _if(self, i: int) -> Statement:
        branches: list[ast.Branch] = []
        otherwise: ast.Block | None = None
        opened = i
        while True:
            condition = self._expression()
            self._expect(b"then")
            body = self._block()
            branches.append(ast.Branch(self.starts[opened], body.end, condition, body))
            opened = self.i
            if self.types[opened] != b"elseif":
                break
            self.i += 1
        if self.types[self.i] == b"else":
            self.i += 1
            otherwise = self._block()
        end = self._expect(b"end", i)
        return ast.If(self.starts[i], end, tuple(branches), otherwise)

    def _for(self, i: int) -> Statement:
        names = [self._name()]
        active = self.active
        start = stop = step = None
        values: tuple[Expression, ...] = ()
        if self.types[self.i] == b"=":
            self.i += 1
            self._declare(4)
            self.active = active
            start = self._expression()
            self._expect(b",")
            stop = self._expression()
            if self.types[self.i] == b",":
                self.i += 1
                step = self._expression()
        elif self.types[self.i] in (b",", b"in"):
            if self.types[self.i] == b",":
                self.i += 1
                names.extend(self._name_list())
            self._expect(b"in")
            values = self._expressions()
        else:
            self._fail("'=' or 'in' expected")
        self._expect(b"do")
        # The loop keeps three locals of its own, around those of its body.
        self.scopes.append(_Scope(active))
        self._declare(3 + len(names))
        self.loops += 1
        body = self._block()
        self.loops -= 1
        self._leave()
        offset, end = self.starts[i], self._expect(b"end", i)
        if start is None or stop is None:
            return ast.GenericFor(offset, end, tuple(names), values, body)
        return ast.NumericFor(offset, end, names[0], start, stop, step, body)

    def _return(self, i: int) -> Statement:
        kind = self.types[self.i]
        if kind in _BLOCK_ENDS or kind == b";":
            return ast.Return(self.starts[i], self.ends[i], ())
        values = self._expressions()
        return ast.Return(self.starts[i], values[-1].end, values)

    def _break(self, i: int) -> Statement:
        if not self.loops:
            self.i = i
            self._fail("'break' outside of a loop:")
        return ast.Break(self.starts[i], self.ends[i])

    def _goto(self) -> Statement:
        i = self.i
        self.i = i + 1
        label = self._name()
        scope = self.scopes[-1]
        if not scope.labels or label.name not in scope.labels:
            scope.gotos = scope.gotos or []
            scope.gotos.append((label.name, self.active, i + 1))
        return ast.Goto(self.starts[i], label.end, label)

    def _label(self, i: int) -> Statement:
        name = self._name()
        scope = self.scopes[-1]
        if scope.labels is None:
            scope.labels = set()
        if name.name in scope.labels:
            self.i -= 1
            self._fail(
                f"label '{_shown(name.name)}' stands twice in its block",
                plain="a label stands twice in its block",
            )
        scope.labels.add(name.name)
        end = self._expect(b"::")
        self._check_label_run(i)
        # Behind the last statement of a block no local is in scope any more.
        j = self.i
        while self.types[j] == b"::" and self.types[j + 1] in NAMES and self.types[j + 2] == b"::":
            j += 3
        closing = self.types[j] in _BLOCK_ENDS and self.types[j] != b"until"
        active = scope.active if closing else self.active
        waiting = []
        for goto in scope.gotos or ():
            if goto[0] != name.name:
                waiting.append(goto)
            elif goto[1] < active:
                self.i = goto[2]
                self._fail(
                    f"goto '{_shown(name.name)}' jumps into the scope of a local",
                    plain="a goto jumps into the scope of a local",
                )
        scope.gotos = waiting
        return ast.Label(self.starts[i], end, name)

    def _check_label_run(self, i: int) -> None:
        """LuaJIT takes labels that follow each other for nested."""
        run = 1
        while i >= 3 and self.types[i - 1] == b"::" and self.types[i - 3] == b"::":
            i -= 3
            run += 1
        if self.level + run - 1 >= MAX_LEVEL:
            self._fail(f"nested more than {MAX_LEVEL} deep")


_STATEMENTS: Final = {
    b"local": _Parser._local,
    b"if": _Parser._if,
    b"return": _Parser._return,
    b"for": _Parser._for,
    b"function": _Parser._function_statement,
    b"while": _Parser._while,
    b"repeat": _Parser._repeat,
    b"do": _Parser._do,
    b"break": _Parser._break,
    b"::": _Parser._label,
}


def _shown(name: bytes) -> str:
    return name.decode("utf-8", "backslashreplace")

"""LUA code to its syntax tree: what LuaJIT 2.1 loads parses, and nothing else does.

Recursive descent with precedence climbing, as Lua's own parser. Two limits of LuaJIT's compiler are
not known here, as they depend on the bytecode it makes: 60 upvalues and about 250 registers of a
function.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Final, NoReturn

from lzc.lua import syntax as ast
from lzc.lua.lexer import END, FAULT, NAME, NUMBER, STRING, Tokens, lex, string_value
from lzc.lua.syntax import Chunk, Expression, LuaSyntaxError, Statement

MAX_LEVEL: Final = 200
"""Expressions and blocks stand in each other less than this deep, as LuaJIT has it."""
MAX_LOCALS: Final = 200
"""Local variables of a function that are visible at one time."""

_LUA: Final = 65402
_BOM: Final = b"\xef\xbb\xbf"
_FRAMES: Final = 1500

# Left and right binding power: right-associative where the right one is weaker.
_BINARY: Final = {
    b"or": (1, 1),
    b"and": (2, 2),
    b"<": (3, 3),
    b">": (3, 3),
    b"<=": (3, 3),
    b">=": (3, 3),
    b"~=": (3, 3),
    b"==": (3, 3),
    b"..": (5, 4),
    b"+": (6, 6),
    b"-": (6, 6),
    b"*": (7, 7),
    b"/": (7, 7),
    b"%": (7, 7),
    b"^": (10, 9),
}
_UNARY_POWER: Final = 8
_UNARY: Final = frozenset((b"-", b"not", b"#"))
_BLOCK_ENDS: Final = frozenset((b"end", b"else", b"elseif", b"until", END))
_NAMES: Final = frozenset((NAME, b"goto"))


@lru_cache(maxsize=256)
def parse_record(code: bytes, covered: int) -> Chunk:
    """The tree of a record's ``code``, which answers for type ``covered``.

    Code that covers LUA itself, or starts with ``;``, is a chunk; anything else is a list of
    expressions, and ``return`` stands in front of it unwritten. Raises `LuaSyntaxError`. Trees are
    immutable and the last few hundred are kept: zones repeat their records.
    """
    tokens = lex_record(code, covered)
    expression = is_expression(code, covered)
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


def is_expression(code: bytes, covered: int) -> bool:
    """Whether ``return`` is put in front of ``code``."""
    return covered != _LUA and not code.startswith(b";")


def lex_record(code: bytes, covered: int) -> Tokens:
    """The tokens of a record, the ``;`` that only marks a chunk left out."""
    if code.startswith(b";"):
        return lex(code, 1)
    return lex(code, 3 if covered == _LUA and code.startswith(_BOM) else 0)


class _Scope:
    """What a block knows of its labels, and the gotos in it that found none yet."""

    __slots__ = ("active", "gotos", "labels")

    def __init__(self, active: int) -> None:
        self.active = active
        self.labels: set[bytes] | None = None
        self.gotos: list[tuple[bytes, int, int]] | None = None


class _Parser:
    __slots__ = (
        "active",
        "code",
        "ends",
        "i",
        "level",
        "loops",
        "peeked",
        "scopes",
        "starts",
        "tokens",
        "types",
        "vararg",
    )

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.code = tokens.code
        self.types = tokens.types
        self.starts = tokens.starts
        self.ends = tokens.ends
        self.i = 0
        self.level = 0
        self.active = 0
        self.loops = 0
        self.vararg = True
        self.scopes: list[_Scope] = []
        self.peeked = -1

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

    def _fail(self, reason: str, opened: int | None = None) -> NoReturn:
        kind, offset = self.types[self.i], self.starts[self.i]
        if kind == FAULT:
            assert self.tokens.fault is not None
            raise self.tokens.fault
        if kind == END:
            near = "at the end"
            offset = len(self.code.rstrip())
        else:
            text = self.tokens.text(self.i)
            shown = text.decode("utf-8", "backslashreplace").splitlines()[0][:30]
            near = f"near '{shown}'"
        closing = ""
        if opened is not None:
            line = self.code.count(b"\n", 0, self.starts[opened]) + 1
            closing = f" (to close '{self.tokens.text(opened).decode()}' at line {line})"
        at = None if opened is None else self.starts[opened]
        raise LuaSyntaxError(f"{reason} {near}", offset, at, closing)

    def _expect(self, kind: bytes, opened: int | None = None) -> int:
        """Step over a token of type ``kind``; gives its end."""
        i = self.i
        if self.types[i] != kind:
            self._fail(f"'{kind.decode()}' expected", opened)
        self.i = i + 1
        return self.ends[i]

    def _name(self) -> ast.Name:
        i = self.i
        if self.types[i] not in _NAMES:
            self._fail("a name is expected")
        self.i = i + 1
        start, end = self.starts[i], self.ends[i]
        return ast.Name(start, end, self.code[start:end])

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
                self._fail(f"no label '{_shown(name)}' for goto")
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
            if self.level + len(targets) > MAX_LEVEL:
                self._fail(f"more than {MAX_LEVEL} variables")
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

    def _dotted(self, table: Expression) -> ast.Index:
        name = self._name()
        key = ast.String(name.offset, name.end, name.name)
        return ast.Index(table.offset, name.end, table, key, True)

    def _function(self, opened: int, method: bool = False) -> ast.Function:
        """The rest behind the name, or behind ``function``, which is token ``opened``."""
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
        self._declare(3 + len(names))
        self.loops += 1
        body = self._block()
        self.loops -= 1
        self.active = active
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
            self._fail(f"label '{_shown(name.name)}' stands twice in its block")
        scope.labels.add(name.name)
        end = self._expect(b"::")
        self._check_label_run(i)
        # Behind the last statement of a block no local is in scope any more.
        j = self.i
        while self.types[j] == b"::" and self.types[j + 1] in _NAMES and self.types[j + 2] == b"::":
            j += 3
        closing = self.types[j] in _BLOCK_ENDS and self.types[j] != b"until"
        active = scope.active if closing else self.active
        waiting = []
        for goto in scope.gotos or ():
            if goto[0] != name.name:
                waiting.append(goto)
            elif goto[1] < active:
                self.i = goto[2]
                self._fail(f"goto '{_shown(name.name)}' jumps into the scope of a local")
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

    def _expressions(self) -> tuple[Expression, ...]:
        first = self._expression()
        if self.types[self.i] != b",":
            return (first,)
        found = [first]
        while self.types[self.i] == b",":
            self.i += 1
            found.append(self._expression())
        return tuple(found)

    def _expression(self, limit: int = 0) -> Expression:
        """An expression of operators that bind tighter than ``limit``."""
        self.level += 1
        if self.level >= MAX_LEVEL:
            self._fail(f"nested more than {MAX_LEVEL} deep")
        types = self.types
        i = self.i
        kind = types[i]
        left: Expression
        if kind == STRING:
            self.i = i + 1
            start, end = self.starts[i], self.ends[i]
            left = ast.String(start, end, string_value(self.code[start:end]))
        elif kind == NAME or kind == b"(":
            left = self._suffixed()
        elif kind == NUMBER:
            self.i = i + 1
            start, end = self.starts[i], self.ends[i]
            left = ast.Number(start, end, self.code[start:end])
        elif kind == b"{":
            left = self._table()
        elif kind in _UNARY:
            self.i = i + 1
            operand = self._expression(_UNARY_POWER)
            left = ast.Unary(self.starts[i], operand.end, kind, operand)
        else:
            left = self._rare(kind)
        while (powers := _BINARY.get(types[self.i])) is not None and powers[0] > limit:
            operator = types[self.i]
            self.i += 1
            right = self._expression(powers[1])
            left = ast.Binary(left.offset, right.end, operator, left, right)
        self.level -= 1
        return left

    def _rare(self, kind: bytes) -> Expression:
        i = self.i
        start, end = self.starts[i], self.ends[i]
        if kind == b"goto":
            return self._suffixed()
        if kind == b"function":
            self.i = i + 1
            return self._function(i)
        if kind == b"nil":
            self.i = i + 1
            return ast.Nil(start, end)
        if kind == b"true" or kind == b"false":
            self.i = i + 1
            return ast.Boolean(start, end, kind == b"true")
        if kind == b"...":
            if not self.vararg:
                self._fail("the function has no '...' among its parameters:")
            self.i = i + 1
            return ast.Vararg(start, end)
        self._fail("an expression is expected")

    def _suffixed(self) -> Expression:
        """A name or parenthesis with all its keys and calls."""
        types = self.types
        i = self.i
        offset = self.starts[i]
        node: Expression
        if types[i] == b"(":
            self.i = i + 1
            inner = self._expression()
            node = ast.Parenthesis(offset, self._expect(b")", i), inner)
        elif types[i] in _NAMES:
            self.i = i + 1
            end = self.ends[i]
            node = ast.Name(offset, end, self.code[offset:end])
        else:
            self._fail("an expression is expected")
        while True:
            i = self.i
            kind = types[i]
            if kind == b"(" or kind == STRING or kind == b"{":
                arguments = self._arguments(kind)
                node = ast.Call(offset, self.ends[self.i - 1], node, arguments)
            elif kind == b".":
                self.i = i + 1
                node = self._dotted(node)
            elif kind == b"[":
                self.i = i + 1
                key = self._expression()
                node = ast.Index(offset, self._expect(b"]", i), node, key, False)
            elif kind == b":":
                self.i = i + 1
                method = self._name()
                arguments = self._arguments(types[self.i])
                node = ast.MethodCall(offset, self.ends[self.i - 1], node, method, arguments)
            else:
                return node

    def _arguments(self, kind: bytes) -> tuple[Expression, ...]:
        i = self.i
        if kind == b"(":
            # LuaJIT compares lines, and forgets the older one when it has looked ahead.
            if self.peeked != i - 1 and self._newline_before(i):
                self._fail(
                    "ambiguous: call of the line above, or a new statement? Put ';' between,"
                )
            self.i = i + 1
            if self.types[i + 1] == b")":
                self.i = i + 2
                return ()
            found = self._expressions()
            self._expect(b")", i)
            return found
        if kind == STRING:
            self.i = i + 1
            start, end = self.starts[i], self.ends[i]
            return (ast.String(start, end, string_value(self.code[start:end])),)
        if kind == b"{":
            return (self._table(),)
        self._fail("arguments of the call are expected")

    def _newline_before(self, i: int) -> bool:
        start, end = self.ends[i - 1], self.starts[i]
        if start == end:
            return False
        between = self.code[start:end]
        return b"\n" in between or b"\r" in between

    def _table(self) -> ast.Table:
        types = self.types
        opened = self.i
        self.i = opened + 1
        fields: list[ast.Field] = []
        while types[self.i] != b"}":
            i = self.i
            kind = types[i]
            key: Expression | None = None
            if kind == b"[":
                self.i = i + 1
                key = self._expression()
                self._expect(b"]", i)
                self._expect(b"=")
            elif kind == NAME or kind == b"goto":
                if types[i + 1] == b"=":
                    start, end = self.starts[i], self.ends[i]
                    key = ast.String(start, end, self.code[start:end])
                    self.i = i + 2
                else:
                    self.peeked = i
            value = self._expression()
            fields.append(ast.Field(self.starts[i], value.end, key, value))
            if types[self.i] != b"," and types[self.i] != b";":
                break
            self.i += 1
        end = self._expect(b"}", opened)
        return ast.Table(self.starts[opened], end, tuple(fields))


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

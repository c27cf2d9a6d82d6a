"""The expressions of Lua: precedence climbing over a list of tokens."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final, NoReturn

from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.lexer import END, FAULT, NAME, NUMBER, STRING, Tokens, string_value
from lzc.lua.syntax.tree import Expression, LuaSyntaxError

MAX_LEVEL: Final = 200
"""Expressions and blocks stand in each other less than this deep, as LuaJIT has it."""

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
NAMES: Final = frozenset((NAME, b"goto"))


class ExpressionParser(ABC):
    """Where the parser stands in the tokens, and what it makes of expressions there.

    ``i`` is the token that comes next, ``level`` how deep it stands. ``vararg`` says whether the
    function around has a ``...``. Functions are for whoever knows statements.
    """

    __slots__ = ("code", "ends", "i", "level", "peeked", "starts", "tokens", "types", "vararg")

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.code = tokens.code
        self.types = tokens.types
        self.starts = tokens.starts
        self.ends = tokens.ends
        self.i = 0
        self.level = 0
        self.vararg = True
        # The token behind which LuaJIT has looked ahead.
        self.peeked = -1

    @abstractmethod
    def _function(self, opened: int, method: bool = False) -> ast.Function:
        """The rest behind the name, or behind ``function``, which is token ``opened``."""

    def _fail(self, reason: str, opened: int | None = None, plain: str | None = None) -> NoReturn:
        kind, offset = self.types[self.i], self.starts[self.i]
        if kind == FAULT:
            assert self.tokens.fault is not None
            raise self.tokens.fault
        if kind == END:
            near = plain_near = " at the end"
            offset = self.ends[self.i - 1] if self.i else offset
        else:
            text = self.tokens.text(self.i)
            shown = text.decode("utf-8", "backslashreplace").splitlines()[0][:30]
            near, plain_near = f" near '{shown}'", ""
        closing = ""
        if opened is not None:
            line = self.code.count(b"\n", 0, self.starts[opened]) + 1
            closing = f" (to close '{self.tokens.text(opened).decode()}' at line {line})"
        at = None if opened is None else self.starts[opened]
        raise LuaSyntaxError(
            reason + near, offset, at, closing, (plain or reason.rstrip(":")) + plain_near
        )

    def _expect(self, kind: bytes, opened: int | None = None) -> int:
        """Step over a token of type ``kind``; gives its end."""
        i = self.i
        if self.types[i] != kind:
            self._fail(f"'{kind.decode()}' expected", opened)
        self.i = i + 1
        return self.ends[i]

    def _name(self) -> ast.Name:
        i = self.i
        if self.types[i] not in NAMES:
            self._fail("a name is expected")
        self.i = i + 1
        start, end = self.starts[i], self.ends[i]
        return ast.Name(start, end, self.code[start:end])

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

    def _dotted(self, table: Expression) -> ast.Index:
        name = self._name()
        key = ast.String(name.offset, name.end, name.name)
        return ast.Index(table.offset, name.end, table, key, True)

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
        elif types[i] in NAMES:
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

"""The syntax tree of Lua 5.1, LuaJIT's ``goto`` and labels included.

Every node knows its span: ``offset`` of its first octet and ``end``, the offset behind its last,
both from 0 into the code of the record as it was given. Names and string values are bytes, as
Lua's are. Tools go over a tree with `walk`, which needs no recursion: an operator chain of a
thousand terms is a thousand nodes deep.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Final, get_args


class LuaCodeError(ValueError):
    """Code that lzc cannot take: ``reason`` in words, ``offset`` of where it shows.

    ``opened`` is the offset of what should have been closed there, if that is the trouble; the
    text of the error then names its line within the code, from 1. ``plain`` is the reason without
    any of the code's own text, for code that nobody may be shown.
    """

    def __init__(
        self,
        reason: str,
        offset: int,
        opened: int | None = None,
        closing: str = "",
        plain: str | None = None,
    ) -> None:
        super().__init__(reason + closing)
        self.reason = reason
        self.plain = reason if plain is None else plain
        self.offset = offset
        self.opened = opened


class LuaSyntaxError(LuaCodeError):
    """Code that LuaJIT would refuse to load."""


@dataclass(frozen=True, slots=True)
class Node:
    """A span of the code; the base of everything below."""

    offset: int
    end: int


@dataclass(frozen=True, slots=True)
class Nil(Node):
    """``nil``"""


@dataclass(frozen=True, slots=True)
class Boolean(Node):
    """``true`` or ``false``"""

    value: bool


@dataclass(frozen=True, slots=True)
class Number(Node):
    """A numeral as it is written (LuaJIT's ``0x1p4``, ``1LL`` and ``2i`` too)."""

    text: bytes


@dataclass(frozen=True, slots=True)
class String(Node):
    """A literal, or the name behind a dot (``Index.dotted``); ``value`` has escapes undone."""

    value: bytes


@dataclass(frozen=True, slots=True)
class Vararg(Node):
    """``...``"""


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable where it is read or assigned, or a name where it is declared."""

    name: bytes


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``table[key]``, or ``table.key`` where ``dotted``: then ``key`` is a `String`."""

    table: Expression
    key: Expression
    dotted: bool


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``function(arguments)``, ``function'literal'`` and ``function{…}``."""

    function: Expression
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class MethodCall(Node):
    """``target:method(arguments)``"""

    target: Expression
    method: Name
    arguments: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Parenthesis(Node):
    """``(inner)``: one value, whatever a call in it returns."""

    inner: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """``left operator right``"""

    operator: bytes
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``-``, ``not`` or ``#`` before its operand."""

    operator: bytes
    operand: Expression


@dataclass(frozen=True, slots=True)
class Field(Node):
    """One field of a table constructor: ``[key] = value``, ``name = value`` (a `String` as key),
    or ``value`` alone (``key`` is None)."""

    key: Expression | None
    value: Expression


@dataclass(frozen=True, slots=True)
class Table(Node):
    """``{fields}``"""

    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Function(Node):
    """``function (parameters) body end``. A method's ``self`` is not among ``parameters``; its
    statement says `FunctionStatement.method`."""

    parameters: tuple[Name, ...]
    vararg: bool
    body: Block


@dataclass(frozen=True, slots=True)
class Block(Node):
    """Statements with a scope of their own."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Local(Node):
    """``local names = values``"""

    names: tuple[Name, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Assignment(Node):
    """``targets = values``; targets are `Name` and `Index`."""

    targets: tuple[Expression, ...]
    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class CallStatement(Node):
    """A call whose results nobody wants."""

    call: Call | MethodCall


@dataclass(frozen=True, slots=True)
class FunctionStatement(Node):
    """``function target(…) … end``; with ``target:name`` ``method`` is true, and the target is the
    `Index` that is assigned to."""

    target: Expression
    method: bool
    function: Function


@dataclass(frozen=True, slots=True)
class LocalFunction(Node):
    """``local function name(…) … end``: the name is known in its own body."""

    name: Name
    function: Function


@dataclass(frozen=True, slots=True)
class Do(Node):
    """``do body end``"""

    body: Block


@dataclass(frozen=True, slots=True)
class While(Node):
    """``while condition do body end``"""

    condition: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class Repeat(Node):
    """``repeat body until condition``; the condition sees the locals of the body."""

    body: Block
    condition: Expression


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """``if`` or ``elseif`` ``condition then body``"""

    condition: Expression
    body: Block


@dataclass(frozen=True, slots=True)
class If(Node):
    """``branches`` in order, then ``otherwise`` (the ``else``)."""

    branches: tuple[Branch, ...]
    otherwise: Block | None


@dataclass(frozen=True, slots=True)
class NumericFor(Node):
    """``for variable = start, stop, step do body end``"""

    variable: Name
    start: Expression
    stop: Expression
    step: Expression | None
    body: Block


@dataclass(frozen=True, slots=True)
class GenericFor(Node):
    """``for names in iterators do body end``"""

    names: tuple[Name, ...]
    iterators: tuple[Expression, ...]
    body: Block


@dataclass(frozen=True, slots=True)
class Return(Node):
    """``return values``; the last statement of its block."""

    values: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Break(Node):
    """``break``; the last statement of its block."""


@dataclass(frozen=True, slots=True)
class Goto(Node):
    """``goto label``"""

    label: Name


@dataclass(frozen=True, slots=True)
class Label(Node):
    """``::name::``"""

    name: Name


@dataclass(frozen=True, slots=True)
class Chunk(Node):
    """The code of a record. An expression record is a chunk whose only statement is a `Return`;
    ``expression`` tells that its ``return`` is not written."""

    body: Block
    expression: bool


Expression = (
    Nil
    | Boolean
    | Number
    | String
    | Vararg
    | Name
    | Index
    | Call
    | MethodCall
    | Parenthesis
    | Binary
    | Unary
    | Table
    | Function
)
Statement = (
    Local
    | Assignment
    | CallStatement
    | FunctionStatement
    | LocalFunction
    | Do
    | While
    | Repeat
    | If
    | NumericFor
    | GenericFor
    | Return
    | Break
    | Goto
    | Label
)

_CHILDREN: Final[dict[type[Node], tuple[str, ...]]] = {
    kind: tuple(one.name for one in fields(kind) if one.type not in ("int", "bytes", "bool"))
    for kind in (*get_args(Expression), *get_args(Statement), Block, Branch, Chunk, Field)
}
"""The fields of each kind of node that hold nodes, in the order of the code."""


def children(node: Node) -> list[Node]:
    """The nodes directly below ``node``, in the order of the code."""
    found: list[Node] = []
    for name in _CHILDREN[type(node)]:
        value = getattr(node, name)
        if type(value) is tuple:
            found.extend(value)
        elif value is not None:
            found.append(value)
    return found


def walk(node: Node) -> Iterator[Node]:
    """``node`` and everything below it, parents first, in the order of the code."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))

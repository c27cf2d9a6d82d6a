"""What an expression is, as far as the code says: constants folded through locals that are set
once."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Final

from lzc.lua.syntax import constants
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Other
from lzc.lua.syntax.effort import Effort
from lzc.lua.syntax.scopes import Scopes
from lzc.lua.syntax.tree import Expression

_DEPTH: Final = 40
_LONGEST: Final = 4096

_MULTIPLE: Final = (syntax.Call, syntax.MethodCall, syntax.Vararg)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known before the code runs: a string, a number, a Boolean, or ``nil`` (`None`)."""

    value: bytes | float | bool | None


class Literals:
    """Answers questions about the expressions of one record, as long as its ``effort`` lasts: then
    all raise `lzc.lua.syntax.effort.TooMuch`. ``harmless`` are global functions that leave tables
    as they are."""

    def __init__(self, scopes: Scopes, effort: Effort, harmless: frozenset[bytes]) -> None:
        self._scopes = scopes
        self._effort = effort
        self._harmless = harmless

    def behind(self, expression: Expression) -> Expression:
        """The expression without parentheses, and in place of a local that is set once and whose
        table nobody changes, what it is set to."""
        for _ in range(_DEPTH):
            self._effort.take()
            if isinstance(expression, syntax.Parenthesis):
                expression = expression.inner
                continue
            if not isinstance(expression, syntax.Name):
                break
            variable = self._scopes.variables.get(expression.offset)
            if variable is None or variable.value is None or variable.writes != 1:
                break
            changed = variable.escapes or not variable.given_to <= self._harmless
            if changed and isinstance(variable.value, syntax.Table):
                break
            expression = variable.value
        return expression

    def global_name(self, expression: Expression) -> bytes | None:
        """The name of the global that the expression means, also through a local (``local pick =
        pickrandom``) and ``_G``."""
        expression = self.behind(expression)
        if isinstance(expression, syntax.Name):
            is_local = expression.offset in self._scopes.variables
            return None if is_local else expression.name
        if isinstance(expression, syntax.Index) and isinstance(expression.key, syntax.String):
            table = self.behind(expression.table)
            if isinstance(table, syntax.Name) and table.name == b"_G":
                return expression.key.value
        return None

    def constant(self, expression: Expression) -> Constant | None:
        """The value of a constant expression, or `None`."""
        given, expression = expression, self.behind(expression)
        match expression:
            case syntax.String(value=value):
                return Constant(value)
            case syntax.Boolean(value=truth):
                return Constant(truth)
            case syntax.Nil():
                return Constant(None)
            case syntax.Number(text=text):
                number = number_of(text)
                return None if number is None else Constant(number)
            case syntax.Unary(operator=b"-", operand=operand):
                inner = self.constant(operand)
                if inner is not None and type(inner.value) is float:
                    return Constant(-inner.value)
            case syntax.Binary() | syntax.Call() | syntax.MethodCall():
                with suppress(Other):
                    return Constant(constants.text(given, self.behind, _LONGEST))
        return None

    def text(self, expression: Expression) -> bytes | None:
        """The string that a constant gives where one is taken; numbers are taken too."""
        found = self.constant(expression)
        if found is None or isinstance(found.value, bool) or found.value is None:
            return None
        if isinstance(found.value, float):
            return b"%.14g" % found.value
        return found.value

    def kind(self, expression: Expression) -> str | None:
        """The type of the value, if it is certain."""
        expression = self.behind(expression)
        match expression:
            case syntax.String():
                return "string"
            case syntax.Number():
                return "number"
            case syntax.Boolean():
                return "boolean"
            case syntax.Nil():
                return "nil"
            case syntax.Table():
                return "table"
            case syntax.Function():
                return "function"
            case syntax.Unary(operator=b"not"):
                return "boolean"
            case syntax.Binary(operator=b"=="):
                return "boolean"
            case syntax.Binary(operator=b"~="):
                return "boolean"
        found = self.constant(expression)
        if found is None:
            return None
        return "string" if isinstance(found.value, bytes) else "number"

    def table(self, expression: Expression) -> syntax.Table | None:
        """The constructor that the table comes from, if that is certain."""
        expression = self.behind(expression)
        return expression if isinstance(expression, syntax.Table) else None


def is_open(table: syntax.Table) -> bool:
    """True when the last field may give any number of values."""
    if not table.fields:
        return False
    last = table.fields[-1]
    return last.key is None and isinstance(last.value, _MULTIPLE)


def is_multiple(expression: Expression) -> bool:
    """True for what may give any number of values at the end of a list."""
    return isinstance(expression, _MULTIPLE)


def number_of(text: bytes) -> float | None:
    """A numeral of Lua, or a string that Lua takes for a number; `None` for others, and where the
    number is none that Lua can count with."""
    text = text.strip().lower()
    if b"_" in text or text.lstrip(b"+-")[:1] in (b"i", b"n"):
        return None
    try:
        number = float(int(text, 16)) if text.startswith((b"0x", b"-0x")) else float(text)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) else None

"""What the linter knows of a record: its expressions, as far as the code says (constants folded
through locals that are set once), and what stands around it; and what rules find."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from typing import Final

from lzc.lua.syntax import constants
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.constants import Effort, Other
from lzc.lua.syntax.scopes import Scopes
from lzc.lua.syntax.tree import Expression
from lzc.powerdns_versions import Secondary, Version, shown


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """``rule`` is an id of `lzc.lua.lint.rules`, ``offset`` where in the code it was found (octets,
    from 0); ``why`` and ``fix`` are empty where those of the rule say it all."""

    offset: int
    rule: str
    message: str
    why: str = ""
    fix: str = ""


_DEPTH: Final = 40
_LONGEST: Final = 4096

_KINDS: Final[Mapping[type[syntax.Node], str]] = {
    syntax.String: "string",
    syntax.Number: "number",
    syntax.Boolean: "boolean",
    syntax.Nil: "nil",
    syntax.Table: "table",
    syntax.Function: "function",
}
_MULTIPLE: Final = (syntax.Call, syntax.MethodCall, syntax.Vararg)


@dataclass(frozen=True, slots=True)
class Constant:
    """A value known before the code runs: a string, a number, a Boolean, or ``nil`` (`None`)."""

    value: bytes | float | bool | None


@dataclass(slots=True, eq=False)
class Literals:
    """Answers questions about the expressions of one record, as long as its ``effort`` lasts: then
    all raise `lzc.lua.syntax.constants.TooMuch`. ``harmless`` are global functions that leave
    tables as they are."""

    _scopes: Scopes
    _effort: Effort
    _harmless: frozenset[bytes]

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
        if type(expression) in _KINDS:
            return _KINDS[type(expression)]
        match expression:
            case syntax.Unary(operator=b"not") | syntax.Binary(operator=b"==" | b"~="):
                return "boolean"
        found = self.constant(expression)
        if found is None:
            return None
        return "string" if isinstance(found.value, bytes) else "number"

    def table(self, expression: Expression) -> syntax.Table | None:
        """The constructor that the table comes from, if that is certain."""
        expression = self.behind(expression)
        return expression if isinstance(expression, syntax.Table) else None

    def fields(self, expression: Expression) -> tuple[syntax.Field, ...]:
        """The fields of that constructor; none where it is not certain."""
        table = self.table(expression)
        return () if table is None else table.fields


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


@dataclass(frozen=True, slots=True)
class Inclusion:
    """What ``include`` of a name gives: whether a LUA record that covers LUA is there, else what is
    (``instead``, in words); the globals it sets; ``dynamic`` if it may set others."""

    found: bool
    instead: str = ""
    sets: frozenset[bytes] = frozenset()
    dynamic: bool = False


Included = Callable[[bytes], Inclusion]
"""Tells of a name as ``include`` takes it: in presentation format, relative to the zone."""


@dataclass(frozen=True, slots=True)
class ZoneFacts:
    """``signed``: the zone is DNSSEC-signed; ``shared``: records run in shared mode; ``interval``
    of the health checks in seconds; ``secondaries`` are those that run PowerDNS; ``elsewhere`` the
    globals that any record of the zone sets, ``dynamic`` if there may be others."""

    signed: bool = False
    shared: bool = False
    interval: int = 5
    secondaries: tuple[Secondary, ...] = ()
    included: Included = lambda _name: Inclusion(False)
    elsewhere: frozenset[bytes] = frozenset()
    dynamic: bool = False


@dataclass(slots=True)
class Examination:
    """A record whose code is looked through: what is known of it, and what was found so far.
    ``covered`` is the type that it answers for, ``ttl`` its TTL in seconds."""

    scopes: Scopes
    literals: Literals
    covered: int
    ttl: int
    zone: ZoneFacts
    redefined: frozenset[bytes] = frozenset()
    findings: list[Finding] = field(default_factory=list)

    def report(
        self, node: syntax.Node | int, rule: str, message: str, why: str = "", fix: str = ""
    ) -> None:
        """Note a finding at the start of a node, or at an offset."""
        offset = node if isinstance(node, int) else node.offset
        self.findings.append(Finding(offset, rule, message, why, fix))

    def report_older(self, node: syntax.Node, what_is: str, since: Version) -> None:
        """Report what not all secondaries have, such as ``dblookup is``, if there are such."""
        too_old = [
            f"{one.name} (powerdns-{shown(one.version)})"
            for one in self.zone.secondaries
            if one.version < since
        ]
        if too_old:
            message = f"{what_is} in PowerDNS from {shown(since)} on; too old: {', '.join(too_old)}"
            self.report(node, "lua-secondary-version", message)

    def function_name(self, called: syntax.Expression) -> str | None:
        """The name of the function of the API or the language that a call calls; `None` for the
        record's own."""
        name = self.literals.global_name(called)
        if name is None or name in self.redefined:
            return None
        return name.decode("latin-1")


def quoted(text: bytes | str) -> str:
    """Text of a record as messages show it, cut when it is long."""
    whole = text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
    return f"'{whole}'" if len(whole) <= 60 else f"'{whole[:57]}…'"

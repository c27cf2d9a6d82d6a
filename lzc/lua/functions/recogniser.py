"""LUA records of common forms, recognised from their code and turned into plans.

A record is recognised when it is one call of an API function on constants, constants alone, a text
made of constants and of who asks what, or a chunk that gives names to constants and chooses among
such by where the client is. What is not known for certain to give the same answer as a plan (odd
types and values, content that is no RDATA of the type) is left to Lua; that concerns the mode
`isolated`, as globals that live on may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any, Final

from lzc.lua.engine.ring import MAX_HASHED, MAX_POINTS, hashed_octets
from lzc.lua.functions import names as idiom_names
from lzc.lua.functions.checks import check_document, read_options
from lzc.lua.functions.text import code_of, parts
from lzc.lua.functions.walk import list_walk
from lzc.lua.plan import encode
from lzc.lua.syntax import tree as ast
from lzc.lua.syntax.constants import (
    Names,
    Other,
    address_of,
    fields,
    integer,
    is_constant,
    network_of,
    pair,
    port_of,
    resolve,
    text,
    texts,
    values,
    whole,
)
from lzc.lua.syntax.effort import Effort, TooMuch
from lzc.lua.syntax.parser import parse_record
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype
from lzc.wire.name import ROOT

MAX_BLOCKS: Final = 500
"""Blocks of statements followed at most: what comes after an ``if`` is there once for each way."""

Include = Callable[[bytes], bytes | None]
"""Gives the joined code of the LUA record that is included by a name, or `None`."""

_COPIED: Final = 64
"""Names that take as long to be copied as a node to be looked at."""
MAX_NETWORKS: Final = 8192
"""Networks of all conditions of a record: for a new client it may take a millisecond to go through
them, which nobody is charged for."""
MAX_CANDIDATES: Final = 4096
"""Candidates with a check, likewise, whenever any target came or went."""
_MAX_WEIGHT: Final = 2**31 - 1
_LIKELY: Final = re.compile(
    rb"\s*['\"\[({]"
    rb"|[;\s]*(?:return|if|local|do|include|all|view|if(?:port|url|urlext)up|closestMagic"
    rb"|pick(?:random(?:sample)?|(?:c|name)?hashed|closest|selfweighted|w(?:random|hashed))"
    rb"|create(?:Forward|Reverse)6?|filterForward|(?:country|continent|region)(?:Code)?"
    rb"|asnum|netmask|not|latlon(?:loc)?|geoiplookup|qname|bestwho)\b"
    rb"|;\s*\w+\s*[=,]"
)

Operation = list[Any]
_After = Callable[[Names], Operation | None]


def recognise(code: bytes, covered: int, include: Include | None = None) -> bytes | None:
    """The plan (`lzc.lua.plan`) of a record's joined ``code`` that answers for type ``covered``, or
    `None` for a record that has to be run."""
    if covered == rrtype.LUA or not _LIKELY.match(code):
        return None
    if include is not None and b"include" in code:
        return _recognise(code, covered, include)
    return _kept(code, covered)


def operation_of(
    expression: ast.Expression, names: Names, covered: int, effort: Effort
) -> Operation:
    """What a plan does for an expression on constants, or on ``names`` that stand for some, in a
    record that answers for type ``covered``. Raises `Other` for any other, and `TooMuch`."""
    form = _Form(covered, None, effort)
    return form.expression(form.resolved(expression, names))


def most_instructions(code: bytes) -> int:
    """How many instructions the code of a plan takes at most when it is run; far more than it takes
    for long lists in chunks."""
    # What a table, a call, giving a name, joining texts, and include take where there are many.
    steps = code.count(b"{") + code.count(b"(") + code.count(b"=")
    most = 20 + 4 * steps + 6 * code.count(b"..") + 40 * code.count(b"include")
    if code.startswith(b";"):
        # Lists of strings are constants, but for those that hold names; words are operators, too.
        most += 2 * (code.count(b",") + code.count(b";") + len(code.split()))
    return most


def _recognise(code: bytes, covered: int, include: Include | None = None) -> bytes | None:
    form = _Form(covered, include, Effort(len(code)))
    try:
        operation = form.record(parse_record(code, covered).body.statements)
    except (Other, TooMuch, ast.LuaCodeError, RecursionError):
        return None
    return encode(covered, list(form.data), operation) if operation is not None else None


_kept: Final = lru_cache(maxsize=1024)(_recognise)


class _Form:
    """Reads one record. ``data`` are the RDATA met so far, with their places."""

    def __init__(self, covered: int, include: Include | None, effort: Effort) -> None:
        self.covered = covered
        self.include = include
        self.effort = effort
        self.data: dict[bytes, int] = {}
        self.blocks = 0
        self.networks = 0
        self.candidates = 0

    def resolved(self, node: ast.Expression, names: Names) -> ast.Expression:
        """The expression with what ``names`` stand for in their places."""
        found = resolve(node, names)
        if found is not node:
            self.effort.take_tree(found)
        return found

    def record(self, statements: tuple[ast.Statement, ...]) -> Operation | None:
        """Statements that only choose what to return; `None` where they end without, which is an
        error that Lua reports best."""
        return self.block(statements, {}, lambda globals_: None, {})

    def block(
        self,
        statements: tuple[ast.Statement, ...],
        locals_: Names,
        after: _After,
        globals_: Names,
    ) -> Operation | None:
        """Statements, and what comes ``after`` their block where they do not return."""
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
            if isinstance(statement, ast.Local):
                written = [name.name for name in statement.names]
                locals_ = {**locals_, **self.named(written, statement.values, names)}
            elif isinstance(statement, ast.Assignment):
                written = [_global(target, locals_) for target in statement.targets]
                globals_ = {**globals_, **self.named(written, statement.values, names)}
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
        return [
            "if",
            ways,
            self.block(statement.otherwise.statements, locals_, rest, globals_),
        ]

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
        if self.include is None or not isinstance(call, ast.Call) or len(call.arguments) != 1:
            raise Other
        if resolve(call.function, names) is not call.function:
            raise Other
        if not isinstance(call.function, ast.Name) or call.function.name != b"include":
            raise Other
        code = self.include(text(resolve(call.arguments[0], names)))
        if code is None:
            raise Other
        self.effort.take(len(code) // 4)
        locals_: Names = {}
        for inner in parse_record(code, rrtype.LUA).body.statements:
            seen = {**globals_, **locals_}
            self.effort.take(1 + len(seen) // _COPIED)
            if isinstance(inner, ast.Local):
                written = [name.name for name in inner.names]
                locals_ = {**locals_, **self.named(written, inner.values, seen)}
            elif isinstance(inner, ast.Assignment):
                written = [_global(target, locals_) for target in inner.targets]
                globals_ = {**globals_, **self.named(written, inner.values, seen)}
            else:
                raise Other
        return globals_

    def condition(self, node: ast.Expression) -> list[Any]:
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
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            raise Other
        if len(node.arguments) != 1:
            raise Other
        name, (argument,) = node.function.name, node.arguments
        if name == b"netmask":
            return self.netmask(argument)
        if name == b"asnum":
            numbers = values(argument) if isinstance(argument, ast.Table) else [argument]
            return ["asnum", [integer(value, 2**32 - 1) for value in numbers]]
        if name not in (b"country", b"continent", b"region"):
            raise Other
        codes = texts(argument) if isinstance(argument, ast.Table) else [text(argument)]
        if any(not code.isascii() or code.lower() == b"unknown" for code in codes):
            raise Other
        return [name.decode(), [code.lower().decode() for code in codes]]

    def combined(self, node: ast.Binary) -> list[Any]:
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

    def netmask(self, node: ast.Expression) -> list[Any]:
        written = texts(node)
        self.networks += len(written)
        if self.networks > MAX_NETWORKS:
            raise Other
        return ["netmask", [network_of(one) for one in written]]

    def expression(self, node: ast.Expression) -> Operation:
        """What a record returns."""
        if isinstance(node, ast.Parenthesis):
            return self.expression(node.inner)
        if isinstance(node, ast.Table):
            return ["fixed", [self.item(text(value)) for value in values(node)]]
        if isinstance(node, ast.Binary) and node.operator == b"or":
            return self.alternatives(node)
        if isinstance(node, ast.Call) and isinstance(node.function, ast.Name):
            read = _CALLS.get((node.function.name, len(node.arguments)))
            if read is not None:
                return read(self, *node.arguments)
        if isinstance(node, ast.Number):
            raise Other
        found = parts(node)
        if [part[0] for part in found] == ["is"]:
            return ["fixed", [self.item(found[0][1].encode("latin-1"))]]
        return ["text", found]

    def alternatives(self, node: ast.Binary) -> Operation:
        """``condition and this or that``: whatever a record returns counts as true."""
        left = node.left
        while isinstance(left, ast.Parenthesis):
            left = left.inner
        otherwise = self.expression(node.right)
        if isinstance(left, ast.Binary) and left.operator == b"or":
            first = self.alternatives_of(left)
        else:
            first = [self.alternative(left)]
        return ["if", first, otherwise]

    def alternatives_of(self, node: ast.Binary) -> list[Any]:
        left = node.left
        if isinstance(left, ast.Binary) and left.operator == b"or":
            return [*self.alternatives_of(left), self.alternative(node.right)]
        return [self.alternative(left), self.alternative(node.right)]

    def alternative(self, node: ast.Expression) -> list[Any]:
        if not isinstance(node, ast.Binary) or node.operator != b"and":
            raise Other
        return [self.condition(node.left), self.expression(node.right)]

    def item(self, content: bytes) -> int:
        """The place of a content among the RDATA."""
        if b"\0" in content:
            raise Other
        whole_text = b'"' + content + b'"' if self.covered == rrtype.TXT else content
        try:
            rdata = wire_rdata.from_presentation(self.covered, whole_text, ROOT)
        except wire_rdata.InvalidRdata as error:
            raise Other from error
        return self.data.setdefault(rdata, len(self.data))

    def items(self, node: ast.Node) -> list[int]:
        return [self.item(content) for content in texts(node)]

    def pickrandom(self, items: ast.Expression) -> Operation:
        return ["random", self.items(items)]

    def pickhashed(self, items: ast.Expression) -> Operation:
        return ["hashed", self.items(items)]

    def all(self, items: ast.Expression) -> Operation:
        return ["fixed", self.items(items)]

    def pickrandomsample(self, size: ast.Expression, items: ast.Expression) -> Operation:
        found = self.items(items)
        return ["sample", min(integer(size, _MAX_WEIGHT), len(found)), found]

    def pickwrandom(self, pairs: ast.Expression) -> Operation:
        return self.weighted("random", pairs)

    def pickwhashed(self, pairs: ast.Expression) -> Operation:
        return self.weighted("hashed", pairs)

    def picknamehashed(self, pairs: ast.Expression) -> Operation:
        return self.weighted("named", pairs)

    def pickchashed(self, pairs: ast.Expression) -> Operation:
        found = self.pairs(pairs)
        sizes = [(len(key), weight) for weight, _, key in found]
        if sum(weight for _, weight in sizes) > MAX_POINTS or hashed_octets(sizes) > MAX_HASHED:
            raise Other
        return ["ring", [[weight, item, key.decode("latin-1")] for weight, item, key in found]]

    def weighted(self, how: str, node: ast.Expression) -> Operation:
        found = self.pairs(node)
        return ["weighted", how, [found[place][:2] for place in list_walk(len(found))]]

    def pairs(self, node: ast.Expression) -> list[tuple[int, int, bytes]]:
        """Weights, places among the RDATA, and texts; the sum of the weights is one itself."""
        found: list[tuple[int, int, bytes]] = []
        for value in values(node):
            weight, item = pair(value)
            if isinstance(weight, ast.String):
                number = whole(weight.value, _MAX_WEIGHT)
            else:
                number = integer(weight, _MAX_WEIGHT)
            content = text(item)
            found.append((number, self.item(content), content))
        if not 0 < sum(number for number, _, _ in found) <= _MAX_WEIGHT:
            raise Other
        return found

    def pickclosest(self, items: ast.Expression) -> Operation:
        return ["closest", [self.candidate(written)[:2] for written in texts(items)]]

    def candidate(self, written: bytes) -> tuple[int, str, bytes]:
        """An address: its place among the RDATA, its octets in hex, its canonical text."""
        self.candidates += 1
        if self.candidates > MAX_CANDIDATES:
            raise Other
        packed, canonical = address_of(written)
        return self.item(canonical), packed.hex(), canonical

    def closest_magic(self) -> Operation:
        return ["magic"]

    def view(self, rules: ast.Expression) -> Operation:
        branches: list[Any] = []
        for rule in values(rules):
            networks, destinations = pair(rule)
            branches.append([self.netmask(networks), self.pickrandom(destinations)])
        try:
            otherwise: Operation | None = ["fixed", [self.item(b"")]]
        except Other:
            otherwise = None
        return ["if", branches, otherwise]

    def ifportup(self, *arguments: ast.Expression) -> Operation:
        return self.up(b"port ", integer(arguments[0], 65535), *arguments[1:])

    def ifurlup(self, *arguments: ast.Expression) -> Operation:
        return self.up(b"url ", text(arguments[0]), *arguments[1:])

    def up(
        self,
        kind: bytes,
        target: int | bytes,
        addresses: ast.Expression,
        given: ast.Expression | None = None,
    ) -> Operation:
        options = read_options(given)
        outer = values(addresses)
        nested = bool(outer) and isinstance(outer[0], ast.Table)
        sets = []
        for node in outer if nested else [addresses]:
            sets.append(self.checked(kind, target, node, options.settings))
        return ["up", options.selector or "random", options.backup, sets, options.strict]

    def checked(
        self, kind: bytes, target: int | bytes, addresses: ast.Expression, settings: dict[str, Any]
    ) -> list[list[Any]]:
        """Candidates with what is checked of each."""
        found = []
        for written in texts(addresses):
            item, packed, canonical = self.candidate(written)
            own = port_of(written) if kind == b"port " else 0
            found.append([item, packed, check_document(kind, own or target, canonical, settings)])
        return found

    def ifurlextup(self, sets: ast.Expression, given: ast.Expression | None = None) -> Operation:
        options = read_options(given)
        every = []
        for node in values(sets):
            candidates = []
            # In an order of their own, as the record has it.
            for written, url in sorted(fields(node).items()):
                item, packed, _ = self.candidate(written)
                document = check_document(b"ext ", text(url), b"::", options.settings)
                candidates.append([item, packed, document])
            if not candidates:
                raise Other
            every.append(candidates)
        if not every:
            raise Other
        return ["up", options.selector or "random", options.backup, every, options.strict]

    def pickselfweighted(
        self, url: ast.Expression, addresses: ast.Expression, given: ast.Expression | None = None
    ) -> Operation:
        options = read_options(given)
        candidates = self.checked(b"weight ", text(url), addresses, options.settings)
        return ["weights", options.selector, options.backup, candidates, options.strict]


def _global(target: ast.Expression, locals_: Names) -> bytes:
    if not isinstance(target, ast.Name) or target.name in locals_:
        raise Other
    return target.name


def _family(node: ast.MethodCall) -> list[Any]:
    """Whether the client's address is of a family."""
    octets = {b"isIPv4": 4, b"isIPv6": 16}.get(node.method.name)
    if octets is None or node.arguments or not isinstance(node.target, ast.Name):
        raise Other
    if node.target.name != b"bestwho":
        raise Other
    return ["octets", octets]


_CALLS: Final[dict[tuple[bytes, int], Callable[..., Operation]]] = {
    (b"pickrandom", 1): _Form.pickrandom,
    (b"pickhashed", 1): _Form.pickhashed,
    (b"pickrandomsample", 2): _Form.pickrandomsample,
    (b"pickwrandom", 1): _Form.pickwrandom,
    (b"pickwhashed", 1): _Form.pickwhashed,
    (b"picknamehashed", 1): _Form.picknamehashed,
    (b"pickchashed", 1): _Form.pickchashed,
    (b"pickclosest", 1): _Form.pickclosest,
    (b"closestMagic", 0): _Form.closest_magic,
    (b"all", 1): _Form.all,
    (b"view", 1): _Form.view,
    (b"ifportup", 2): _Form.ifportup,
    (b"ifportup", 3): _Form.ifportup,
    (b"ifurlup", 2): _Form.ifurlup,
    (b"ifurlup", 3): _Form.ifurlup,
    (b"ifurlextup", 1): _Form.ifurlextup,
    (b"ifurlextup", 2): _Form.ifurlextup,
    (b"pickselfweighted", 2): _Form.pickselfweighted,
    (b"pickselfweighted", 3): _Form.pickselfweighted,
    (b"createForward", 0): lambda form: idiom_names.forward(),
    (b"createForward6", 0): lambda form: idiom_names.forward6(),
    (b"createReverse", 1): lambda form, *given: idiom_names.reverse("reverse", *given),
    (b"createReverse", 2): lambda form, *given: idiom_names.reverse("reverse", *given),
    (b"createReverse6", 1): lambda form, *given: idiom_names.reverse("reverse6", *given),
    (b"createReverse6", 2): lambda form, *given: idiom_names.reverse("reverse6", *given),
    (b"filterForward", 2): lambda form, *given: idiom_names.filtered(*given),
    (b"filterForward", 3): lambda form, *given: idiom_names.filtered(*given),
}

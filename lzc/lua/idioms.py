"""LUA records of common forms, recognised from their code and turned into plans.

A record is recognised when it is one call of an API function on constants, constants alone, or a
chunk that only chooses among such by where the client is. What is not known for certain to give the
same answer as a plan (odd types and values, options, content that is no RDATA of the type) is left
to Lua; that concerns the mode `isolated`, as globals that live on may be anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

from lzc.lua import address
from lzc.lua import syntax as ast
from lzc.lua.health import Check
from lzc.lua.parser import parse_record
from lzc.lua.plan import encode
from lzc.lua.walk import list_walk
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype
from lzc.wire.name import ROOT

MAX_ITEMS: Final = 2000
"""Items of a list at most: LuaJIT makes tables of up to 2047 without another thought."""

MAX_POINTS: Final = 65_536
"""The sum of weights on a ring at most, as in `lzc.lua.ring`, which not every build needs."""

_MAX_WEIGHT: Final = 2**31 - 1
_LIKELY: Final = re.compile(
    rb"\s*['\"\[({]"
    rb"|[;\s]*(?:return|if|all|view|if(?:port|url)up|pick(?:random(?:sample)?|c?hashed|closest"
    rb"|w(?:random|hashed)))\b"
)
_INTEGER: Final = re.compile(rb"[0-9]{1,10}")
_HOST: Final = re.compile(rb"[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+|[0-9a-fA-F]*:[0-9a-fA-F:]*")
_MASK_BITS: Final = re.compile(rb"[0-9]{1,3}")
_NUMBERS: Final = frozenset((b"timeout", b"interval", b"httpcode", b"byteslimit"))
_TEXTS: Final = frozenset((b"source", b"stringmatch", b"useragent"))
_SELECTORS: Final = frozenset((b"random", b"all", b"hashed", b"pickclosest"))

_FIELDS: Final = tuple((field.name, field.default) for field in fields(Check))

Operation = list[Any]


class _Other(Exception):
    """The code is something else."""


def recognise(code: bytes, covered: int) -> bytes | None:
    """The plan (`lzc.lua.plan`) of a record's joined ``code`` that answers for type ``covered``, or
    `None` for a record that has to be run."""
    return _kept(code, covered)


@lru_cache(maxsize=1024)
def _kept(code: bytes, covered: int) -> bytes | None:
    if covered == rrtype.LUA or not _LIKELY.match(code):
        return None
    form = _Form(covered)
    try:
        operation = form.block(parse_record(code, covered).body.statements)
    except (_Other, ast.LuaCodeError, RecursionError):
        return None
    return encode(covered, list(form.data), operation) if operation is not None else None


def _text(node: ast.Node) -> bytes:
    """A string that is a constant, be it in pieces."""
    if isinstance(node, ast.String):
        return node.value
    if isinstance(node, ast.Parenthesis):
        return _text(node.inner)
    if isinstance(node, ast.Binary) and node.operator == b"..":
        return _text(node.left) + _text(node.right)
    raise _Other


def _integer(node: ast.Node, most: int) -> int:
    if not isinstance(node, ast.Number) or not _INTEGER.fullmatch(node.text):
        raise _Other
    value = int(node.text)
    if value > most:
        raise _Other
    return value


def _values(node: ast.Node) -> list[ast.Expression]:
    """What a table without keys holds."""
    if not isinstance(node, ast.Table) or len(node.fields) > MAX_ITEMS:
        raise _Other
    if any(field.key is not None for field in node.fields):
        raise _Other
    return [field.value for field in node.fields]


def _texts(node: ast.Node) -> list[bytes]:
    """A list of strings, not empty."""
    found = [_text(value) for value in _values(node)]
    if not found:
        raise _Other
    return found


def _address(text: bytes) -> tuple[bytes, bytes]:
    """Packed octets and canonical text of an address."""
    parsed = address.parse(text)
    if parsed is None:
        raise _Other
    return parsed[0], parsed[1]


def _network(text: bytes) -> tuple[str, int]:
    """Network in hex and length in bits, of a text that leaves no doubt."""
    host, slash, digits = text.partition(b"/")
    if not _HOST.fullmatch(host):
        raise _Other
    packed, _ = _address(host)
    width = len(packed) * 8
    bits = width
    if slash:
        if not _MASK_BITS.fullmatch(digits) or int(digits) > width:
            raise _Other
        bits = int(digits)
    shift = width - bits
    network = int.from_bytes(packed, "big") >> shift << shift
    return network.to_bytes(len(packed), "big").hex(), bits


def _options(node: ast.Node) -> dict[bytes, ast.Expression]:
    if not isinstance(node, ast.Table):
        raise _Other
    found: dict[bytes, ast.Expression] = {}
    for field in node.fields:
        if not isinstance(field.key, ast.String) or field.key.value in found:
            raise _Other
        found[field.key.value] = field.value
    return found


class _Form:
    """Reads one record. ``data`` are the RDATA met so far, with their places."""

    def __init__(self, covered: int) -> None:
        self.covered = covered
        self.data: dict[bytes, int] = {}

    def block(self, statements: tuple[ast.Statement, ...]) -> Operation | None:
        """Statements that only choose what to return; `None` where they end without, which is an
        error that Lua reports best."""
        if not statements:
            return None
        first, *rest = statements
        if isinstance(first, ast.Return):
            if len(first.values) != 1:
                raise _Other
            return self.expression(first.values[0])
        if not isinstance(first, ast.If):
            raise _Other
        branches = [
            [self.condition(branch.condition), self.block(branch.body.statements)]
            for branch in first.branches
        ]
        after = tuple(rest) if first.otherwise is None else first.otherwise.statements
        return ["if", branches, self.block(after)]

    def condition(self, node: ast.Expression) -> list[Any]:
        if not isinstance(node, ast.Call) or not isinstance(node.function, ast.Name):
            raise _Other
        if len(node.arguments) != 1:
            raise _Other
        name, (argument,) = node.function.name, node.arguments
        if name == b"netmask":
            return self.netmask(argument)
        if name == b"asnum":
            values = _values(argument) if isinstance(argument, ast.Table) else [argument]
            return ["asnum", [_integer(value, 2**32 - 1) for value in values]]
        if name not in (b"country", b"continent", b"region"):
            raise _Other
        codes = _texts(argument) if isinstance(argument, ast.Table) else [_text(argument)]
        if any(not code.isascii() for code in codes):
            raise _Other
        return [name.decode(), [code.lower().decode() for code in codes]]

    def netmask(self, node: ast.Expression) -> list[Any]:
        return ["netmask", [_network(text) for text in _texts(node)]]

    def expression(self, node: ast.Expression) -> Operation:
        """What a record returns."""
        if isinstance(node, ast.Parenthesis):
            return self.expression(node.inner)
        if isinstance(node, ast.Table):
            return ["fixed", [self.item(_text(value)) for value in _values(node)]]
        if not isinstance(node, ast.Call):
            return ["fixed", [self.item(_text(node))]]
        if not isinstance(node.function, ast.Name):
            raise _Other
        read = _CALLS.get((node.function.name, len(node.arguments)))
        if read is None:
            raise _Other
        return read(self, *node.arguments)

    def item(self, text: bytes) -> int:
        """The place of a content among the RDATA."""
        if b"\0" in text:
            raise _Other
        whole = b'"' + text + b'"' if self.covered == rrtype.TXT else text
        try:
            rdata = wire_rdata.from_presentation(self.covered, whole, ROOT)
        except wire_rdata.InvalidRdata as error:
            raise _Other from error
        return self.data.setdefault(rdata, len(self.data))

    def items(self, node: ast.Node) -> list[int]:
        return [self.item(text) for text in _texts(node)]

    def pickrandom(self, items: ast.Expression) -> Operation:
        return ["random", self.items(items)]

    def pickhashed(self, items: ast.Expression) -> Operation:
        return ["hashed", self.items(items)]

    def all(self, items: ast.Expression) -> Operation:
        return ["fixed", self.items(items)]

    def pickrandomsample(self, size: ast.Expression, items: ast.Expression) -> Operation:
        found = self.items(items)
        return ["sample", min(_integer(size, _MAX_WEIGHT), len(found)), found]

    def pickwrandom(self, pairs: ast.Expression) -> Operation:
        return self.weighted("random", pairs)

    def pickwhashed(self, pairs: ast.Expression) -> Operation:
        return self.weighted("hashed", pairs)

    def pickchashed(self, pairs: ast.Expression) -> Operation:
        found = self.pairs(pairs)
        if sum(weight for weight, _, _ in found) > MAX_POINTS:
            raise _Other
        return ["ring", [[weight, item, text.decode("latin-1")] for weight, item, text in found]]

    def weighted(self, how: str, node: ast.Expression) -> Operation:
        found = self.pairs(node)
        return ["weighted", how, [found[place][:2] for place in list_walk(len(found))]]

    def pairs(self, node: ast.Expression) -> list[tuple[int, int, bytes]]:
        """Weights, places among the RDATA, and texts; at least one weight is not 0."""
        found: list[tuple[int, int, bytes]] = []
        for value in _values(node):
            weight, item = _pair(value)
            if isinstance(weight, ast.String):
                if not _INTEGER.fullmatch(weight.value) or int(weight.value) > _MAX_WEIGHT:
                    raise _Other
                number = int(weight.value)
            else:
                number = _integer(weight, _MAX_WEIGHT)
            content = _text(item)
            found.append((number, self.item(content), content))
        if not any(number for number, _, _ in found):
            raise _Other
        return found

    def pickclosest(self, items: ast.Expression) -> Operation:
        return ["closest", [self.candidate(text)[:2] for text in _texts(items)]]

    def candidate(self, text: bytes) -> tuple[int, str, bytes]:
        """An address: its place among the RDATA, its octets in hex, its canonical text."""
        packed, canonical = _address(text)
        return self.item(canonical), packed.hex(), canonical

    def view(self, rules: ast.Expression) -> Operation:
        branches: list[Any] = []
        for rule in _values(rules):
            networks, destinations = _pair(rule)
            branches.append([self.netmask(networks), self.pickrandom(destinations)])
        try:
            otherwise: Operation | None = ["fixed", [self.item(b"")]]
        except _Other:
            otherwise = None
        return ["if", branches, otherwise]

    def ifportup(self, *arguments: ast.Expression) -> Operation:
        return self.up(b"port ", _integer(arguments[0], 65535), *arguments[1:])

    def ifurlup(self, *arguments: ast.Expression) -> Operation:
        return self.up(b"url ", _text(arguments[0]), *arguments[1:])

    def up(
        self,
        kind: bytes,
        target: int | bytes,
        addresses: ast.Expression,
        given: ast.Expression | None = None,
    ) -> Operation:
        from lzc.lua.engine import check_of

        options = _options(given) if given is not None else {}
        selector = _selector(options.pop(b"selector", None), _SELECTORS)
        backup = _selector(options.pop(b"backupSelector", None), _SELECTORS | {b"empty"})
        settings: dict[str, Any] = {}
        for name, value in options.items():
            if name in _NUMBERS:
                settings[name.decode()] = _integer(value, 999_999_999)
            elif name in _TEXTS:
                settings[name.decode()] = _text(value)
            else:
                raise _Other
        if "source" in settings:
            _address(settings["source"])
        outer = _values(addresses)
        nested = bool(outer) and isinstance(outer[0], ast.Table)
        sets: list[list[list[Any]]] = []
        for node in outer if nested else [addresses]:
            candidates = []
            for text in _texts(node):
                item, packed, canonical = self.candidate(text)
                check = check_of(kind, target, canonical, **settings)
                candidates.append([item, packed, _document(check)])
            sets.append(candidates)
        return ["up", selector, backup, sets]


def _document(check: Check) -> dict[str, Any]:
    """What of a check is not as usual."""
    return {name: value for name, usual in _FIELDS if (value := getattr(check, name)) != usual}


def _selector(node: ast.Expression | None, known: frozenset[bytes]) -> str:
    name = b"random" if node is None else _text(node)
    if name not in known:
        raise _Other
    return name.decode()


def _pair(node: ast.Node) -> list[ast.Expression]:
    values = _values(node)
    if len(values) != 2:
        raise _Other
    return values


_CALLS: Final[dict[tuple[bytes, int], Callable[..., Operation]]] = {
    (b"pickrandom", 1): _Form.pickrandom,
    (b"pickhashed", 1): _Form.pickhashed,
    (b"pickrandomsample", 2): _Form.pickrandomsample,
    (b"pickwrandom", 1): _Form.pickwrandom,
    (b"pickwhashed", 1): _Form.pickwhashed,
    (b"pickchashed", 1): _Form.pickchashed,
    (b"pickclosest", 1): _Form.pickclosest,
    (b"all", 1): _Form.all,
    (b"view", 1): _Form.view,
    (b"ifportup", 2): _Form.ifportup,
    (b"ifportup", 3): _Form.ifportup,
    (b"ifurlup", 2): _Form.ifurlup,
    (b"ifurlup", 3): _Form.ifurlup,
}

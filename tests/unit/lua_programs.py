"""Random Lua programs: each runs to an end and returns values that show what it did."""

from __future__ import annotations

import itertools
import random
import re

NAMES = [b"a", b"b", b"c", b"value", b"_x1", b"goto"]
FIELDS = [b"key", b"name", b"x2y", b"goto"]
OCTETS = [
    *[bytes((octet,)) for octet in range(256)],
    *[b"'", b'"', b"\\", b"\n", b"\r", b"]]", b"]=]", b"[[", b"--", b"\xc3\xa9", b"1", b"a b"] * 12,
]
NUMERALS = [
    b"0",
    b"1",
    b"2",
    b"7",
    b".5",
    b"3.",
    b"1.25",
    b"0x1F",
    b"0Xa",
    b"1e2",
    b"2E-1",
    b"5e+1",
]
GAPS = [b"", b"", b"", b" ", b" ", b"  ", b"\t", b"\n", b"\r\n", b" -- note\n", b"--[[ a\nb ]]"]
CLEAN = re.compile(rb"[ !#-&(-\[\]-~]+")


class Programs:
    """One source of programs. ``jit``: with what LuaJIT knows and Lua 5.1 does not; ``plain``:
    without comments, and with no literals but ``'…'``, or no others but ``"…"``, in printable
    ASCII."""

    def __init__(self, seed: int, jit: bool = False, plain: bool = False) -> None:
        self.random = random.Random(seed)
        self.jit = jit
        self.plain = plain
        self.quote = self.random.choice([b"'", b'"'])
        self.labels = 0

    def expression_record(self) -> bytes:
        """Code without ``return``; a function of its own makes it a program."""
        if self.random.random() < 0.5:
            return self.render(self.expression(4))
        body = self.block(3)
        return self.render([b"(", b"function", b"(", b")", *body, b"end", b")", b"(", b")"])

    def chunk_record(self) -> bytes:
        return b";" + self.render(self.block(4))

    def record(self) -> bytes:
        return self.expression_record() if self.random.random() < 0.4 else self.chunk_record()

    def render(self, tokens: list[bytes]) -> bytes:
        """The tokens with blanks, comments or nothing between them."""
        out = [tokens[0]]
        for before, token in itertools.pairwise(tokens):
            gap = self.random.choice(GAPS[:-2] if self.plain else GAPS)
            if not gap and not (before[-1] in b"(){},;" or token[0] in b"){},;"):
                gap = b" "
            if token == b"(" and (b"\n" in gap or b"\r" in gap):
                gap = b" "
            if gap.startswith(b"--") and before.endswith(b"-"):
                gap = b" " + gap
            out += [gap, token]
        return b"".join(out)

    def block(self, depth: int) -> list[bytes]:
        tokens = b"local a , b , c = 1 , { } , { } local value , _x1 , goto ; b =".split()
        tokens += [b"%bs%b" % (self.quote, self.quote), b";"]
        for _ in range(self.random.randint(1, 5)):
            tokens += self.statement(depth)
        return [*tokens, b"return", b"a", b",", b"b", b",", b"value", b",", *self.expression(2)]

    def statements(self, depth: int) -> list[bytes]:
        tokens: list[bytes] = []
        for _ in range(self.random.randint(0, 3)):
            tokens += self.statement(depth)
        return tokens

    def statement(self, depth: int) -> list[bytes]:
        pick = self.random.choice
        kinds = [self.assign, self.assign, self.assign, self.define]
        if depth > 0:
            kinds += [self.branch, self.loop, self.loop, self.method, self.scope, self.call]
        tokens = pick(kinds)(depth - 1)
        # Without it, a parenthesis behind would be arguments.
        return [*tokens, b";"]

    def assign(self, depth: int) -> list[bytes]:
        name = self.random.choice(NAMES)
        if self.random.random() < 0.3:
            other = self.random.choice(NAMES)
            return [name, b",", other, b"=", *self.expression(depth), b",", *self.expression(depth)]
        return [name, b"=", *self.expression(depth)]

    def define(self, depth: int) -> list[bytes]:
        return [b"local", self.random.choice(NAMES), b"=", *self.expression(depth)]

    def branch(self, depth: int) -> list[bytes]:
        tokens = [b"if", *self.condition(depth), b"then", *self.statements(depth)]
        if self.random.random() < 0.4:
            tokens += [b"elseif", *self.condition(depth), b"then", *self.statements(depth)]
        if self.random.random() < 0.4:
            tokens += [b"else", *self.statements(depth)]
        return [*tokens, b"end"]

    def loop(self, depth: int) -> list[bytes]:
        end = [b"end"] if self.random.random() < 0.8 else [b"break", b"end"]
        body = [*self.statements(depth), *end]
        kind = self.random.randint(0, 3)
        if kind == 0:
            return [b"for", b"i", b"=", b"1", b",", b"3", b"do", *body]
        if kind == 1:
            table = [b"{", *self.expression(depth), b",", *self.expression(depth), b"}"]
            return [b"for", b"_", b",", b"v", b"in", b"ipairs", b"(", *table, b")", b"do", *body]
        head = [b"do", b"local", b"n", b"=", b"0"]
        step = [b"n", b"=", b"n", b"+", b"1", b";"]
        if kind == 2:
            return [*head, b"while", b"n", b"<", b"2", b"do", *step, *body, b"end"]
        return [
            *head,
            b"repeat",
            *step,
            *self.statements(depth),
            b"until",
            b"n",
            b">",
            b"2",
            b"end",
        ]

    def method(self, depth: int) -> list[bytes]:
        body = [*self.statements(depth), b"return", b"self", b",", *self.expression(depth)]
        name = self.random.choice(FIELDS)
        head = [b"do", b"local", b"o", b"=", b"{", b"}", b"function", b"o", b":", name]
        tail = [b"a", b"=", b"select", b"(", b"2", b",", b"o", b":", name]
        return [
            *head,
            b"(",
            b"b",
            b",",
            b"...",
            b")",
            *body,
            b"end",
            *tail,
            *self.actual(),
            b")",
            b"end",
        ]

    def scope(self, depth: int) -> list[bytes]:
        body = self.statements(depth)
        if not self.jit:
            return [b"do", *body, b"end"]
        self.labels += 1
        label = b"l%d" % self.labels
        jump = [b"if", *self.condition(1), b"then", b"goto", label, b"end"]
        return [b"do", *jump, b"do", *body, b"end", b"::", label, b"::", b"end"]

    def call(self, depth: int) -> list[bytes]:
        function = [b"function", b"(", b"...", b")", *self.statements(depth)]
        return [b"pcall", b"(", *function, b"a", b"=", b"...", b"end", b",", *self.string(), b")"]

    def actual(self) -> list[bytes]:
        kind = self.random.randint(0, 2)
        if kind == 0:
            return [self.literal()]
        if kind == 1:
            return self.table(1)
        return [b"(", *self.expression(1), b")"]

    def expression(self, depth: int) -> list[bytes]:
        return self.random.choice(
            [self.number, self.string, self.string, self.condition, self.table]
        )(depth)

    def number(self, depth: int = 1) -> list[bytes]:
        pick = self.random.random()
        if depth <= 0 or pick < 0.3:
            return [self.random.choice(NUMERALS)]
        if pick < 0.4:
            return [b"#", *self.primary(depth - 1)]
        if pick < 0.5:
            return [b"-", *self.number(depth - 1)]
        if pick < 0.6:
            return [b"(", *self.number(depth - 1), b")"]
        operator = self.random.choice([b"+", b"-", b"*", b"^", b"/", b"%"])
        return [*self.number(depth - 1), operator, *self.number(depth - 1)]

    def primary(self, depth: int) -> list[bytes]:
        """Something that keys and methods may follow; a string."""
        return [b"(", *self.string(depth), b")"]

    def string(self, depth: int = 1) -> list[bytes]:
        pick = self.random.random()
        if depth <= 0 or pick < 0.35:
            return [self.literal()]
        if pick < 0.6:
            return [*self.string(depth - 1), b"..", *self.string(depth - 1)]
        if pick < 0.65:
            return [self.literal(), b"..", *self.number(0), b"..", *self.string(0)]
        if pick < 0.75:
            return [*self.primary(depth - 1), b":", b"rep", b"(", b"2", b")"]
        if pick < 0.8:
            return [
                *self.primary(depth - 1),
                b":",
                b"gsub",
                b"(",
                b"%bs%b" % (self.quote, self.quote),
                b",",
                self.literal(30),
                b")",
            ]
        if pick < 0.85:
            return [b"tostring", self.literal()]
        if pick < 0.9:
            return [b"type", *self.table(depth - 1)]
        if pick < 0.95:
            key = self.literal()
            return [b"(", b"{", b"[", key, b"]", b"=", *self.string(0), b"}", b")", b"[", key, b"]"]
        return [
            b"(",
            b"function",
            b"(",
            b")",
            b"return",
            *self.string(depth - 1),
            b"end",
            b")",
            b"(",
            b")",
        ]

    def condition(self, depth: int = 1) -> list[bytes]:
        pick = self.random.random()
        if depth <= 0 or pick < 0.2:
            return [self.random.choice([b"true", b"false", b"nil", b"a", b"b"])]
        if pick < 0.5:
            operator = self.random.choice([b"==", b"~=", b"<", b"<=", b">", b">="])
            return [*self.string(depth - 1), operator, *self.string(depth - 1)]
        if pick < 0.7:
            return [b"not", *self.condition(depth - 1)]
        word = self.random.choice([b"and", b"or"])
        return [*self.condition(depth - 1), word, *self.expression(depth - 1)]

    def table(self, depth: int = 1) -> list[bytes]:
        # No key twice: which value wins is open, and for LuaJIT depends on which are constants.
        keys = [[name] for name in self.random.sample(FIELDS, 2)] + [[b"[", self.literal(), b"]"]]
        tokens = [b"{"]
        for key in self.random.sample(keys, self.random.randint(0, 3)):
            if self.random.random() < 0.7:
                tokens += [*key, b"="]
            tokens += [*self.expression(depth - 1), self.random.choice([b",", b";"])]
        return [*tokens, b"}"]

    def literal(self, longest: int = 700) -> bytes:
        """A string of arbitrary octets, in one of the ways to write it."""
        size = self.random.choice([0, 1, 2, 3, 5, 8, 12, 40 if longest < 100 else 300])
        if self.random.random() > 0.02:
            size = min(size, 12)
        parts = self.random.choices(OCTETS, k=size)
        if self.plain:
            return b"%b%b%b" % (
                self.quote,
                b"".join([part for part in parts if CLEAN.fullmatch(part)]),
                self.quote,
            )
        if self.random.random() < 0.4:
            parts = [part for part in parts if 32 <= part[0] < 127]
        value = b"".join(parts)
        if self.random.random() < 0.25:
            level = b"=" * self.random.choice([0, 1, 2])
            if b"]" + level + b"]" not in value + b"]" and (level or b"[[" not in value):
                return b"[%b[%b]%b]" % (level, value, level)
        quote = self.random.choice([b"'", b'"'])
        return quote + b"".join([self.octet(octet, quote) for octet in value]) + quote

    def octet(self, octet: int, quote: bytes) -> bytes:
        raw = bytes((octet,))
        plain = raw not in (b"\\", b"\n", b"\r", b"\0", quote)
        if plain and self.random.random() < 0.8:
            return raw
        ways = [b"\\%03d" % octet]
        if self.jit:
            ways += [b"\\x%02x" % octet, b"\\z \n\\%03d" % octet]
            ways += [b"\\u{%x}" % octet] if octet < 128 else []
        if raw in b"\n\"'\\":
            ways.append(b"\\" + raw)
        return self.random.choice(ways)

"""The code of a LUA record as an object that all who look at it share.

A build looks at a record many times: to rewrite it for secondaries, to lint it, to find its plan,
its checks, what it may depend on. Each of these starts from a `Program`, so that the code is read
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, cached_property
from itertools import pairwise
from typing import Final, NamedTuple

from lzc.lua.syntax import scopes as scope
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.lexer import NAME, STRING, Tokens, lex, string_value
from lzc.lua.syntax.parser import parse
from lzc.lua.syntax.scopes import Scopes
from lzc.lua.syntax.tree import Chunk, LuaCodeError, LuaSyntaxError, Node
from lzc.lua.transfer.rewriter import RewriteError, compacted, joined, split_code
from lzc.wire import rrtype as rr

_ALL: Final = frozenset((b"_G", b"getfenv", b"setfenv", b"load", b"loadstring"))
"""Globals that lead to every other one."""
CLOCK: Final = frozenset((b"os",))
"""Globals that lead to the time."""

_LOOPS: Final = (syntax.While, syntax.Repeat, syntax.NumericFor, syntax.GenericFor)
_CHOICES: Final = (syntax.If, *_LOOPS, syntax.Function)
_REPEATS: Final = frozenset((*_LOOPS, syntax.Function, syntax.Goto))
_REPEATING: Final = frozenset((b"while", b"repeat", b"for", b"function", b"goto"))
"""Nodes of code that may run more than once, and what they begin with."""

_COMMENT: Final = re.compile(rb"--(?:\[(?P<mark>=*)\[[\s\S]*?\](?P=mark)\]|(?P<line>[^\r\n]*))")
_BOM: Final = b"\xef\xbb\xbf"
_INSTRUCTIONS: Final = {
    **dict.fromkeys((syntax.Table, syntax.Call, syntax.MethodCall), 4),
    **dict.fromkeys((syntax.Chunk, syntax.Block, syntax.Field), 0),
}
_PER_NODE: Final = 2
"""Instructions that a node of some kinds, and of all others, compiles to at most, with what puts
its value somewhere."""
_PER_TOKEN: Final = 6
"""Instructions of all nodes that a token stands for at most: a literal that is called with."""
_TO_RUN: Final = 20
_TO_INCLUDE: Final = 30
"""Instructions that it takes whatever the code is."""
_LITERALS: Final = (syntax.String, syntax.Number, syntax.Boolean)


class Swallowed(NamedTuple):
    """A comment that starts at ``comment`` and runs on where a reader sees a line end: it takes
    later strings with it, of which the first with code is ``text``, and starts at ``start``.
    Offsets in octets, from 0."""

    comment: int
    start: int
    text: bytes


class Program:
    """The ``code`` of a record that answers for type ``covered``: all its strings, joined.

    What is known of it is found out when it is first asked for, and kept: ``tokens``, ``tree``,
    ``nodes``, ``scopes``, ``strings``. All of these raise
    `lzc.lua.syntax.tree.LuaSyntaxError` for code that LuaJIT does not load.
    """

    def __init__(self, code: bytes, covered: int) -> None:
        self.code: Final = code
        self.covered: Final = covered

    @property
    def is_included(self) -> bool:
        """Whether it covers LUA itself: others include it, and nobody asks for it."""
        return self.covered == rr.LUA

    @property
    def is_expression(self) -> bool:
        """Whether the code is a list of expressions, and ``return`` is put in front of it. Code
        that covers LUA, or starts with ``;``, is a chunk."""
        return self.covered != rr.LUA and not self.code.startswith(b";")

    @cached_property
    def tree(self) -> Chunk:
        """The syntax tree."""
        return parse(self.tokens, self.is_expression)

    @cached_property
    def tokens(self) -> Tokens:
        """The tokens, without the ``;`` that only marks a chunk; what is no token shows in their
        ``fault``."""
        if self.code.startswith(b";"):
            if self.is_included:
                raise LuaSyntaxError(
                    "code to be included starts without ';', or PowerDNS does not load it", 0
                )
            return lex(self.code, 1)
        return lex(self.code, len(_BOM) if self.is_included and self.code.startswith(_BOM) else 0)

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """All nodes of the tree, parents first, in the order of the code."""
        return tuple(syntax.walk(self.tree))

    @cached_property
    def calls(self) -> tuple[syntax.Call, ...]:
        """The calls among them, but for those of methods."""
        return tuple(node for node in self.nodes if isinstance(node, syntax.Call))

    @cached_property
    def scopes(self) -> Scopes:
        """Which variable each name means."""
        return scope.resolve(self.tree)

    @property
    def chooses(self) -> bool:
        """Whether the code does not take the same way each time it runs."""
        return any(map(_is_choice, self.nodes))

    @cached_property
    def names(self) -> frozenset[bytes]:
        """The names that stand in the code, whatever each means."""
        tokens = self.tokens
        spans = zip(tokens.types, tokens.starts, tokens.ends, strict=True)
        return frozenset([self.code[start:end] for kind, start, end in spans if kind is NAME])

    def may_reach(self, names: Iterable[bytes]) -> bool:
        """Whether the code may read one of these globals, be it through ``_G``, ``loadstring`` and
        the like."""
        wanted = _ALL.union(names)
        # Of most code the names are enough, which are known without a tree.
        return not self.names.isdisjoint(wanted) and any(
            access.name.name in wanted for access in self.scopes.accesses if not access.written
        )

    @cached_property
    def rewritten(self) -> bytes:
        """The code in printable ASCII without ``"`` and ``\\`` and with no token over
        `lzc.lua.transfer.rewriter.MAX_TOKEN` octets; a leading ``;`` stays. What is rewritten
        again is itself.

        Raises `lzc.lua.transfer.rewriter.RewriteError` for a name that has a letter beyond ASCII, a
        name or number that is too long, and code nested so deep that a rewritten literal makes it
        too deep.
        """
        self.check()
        short = compacted(self.code)
        if short is not None:
            return short
        code, has_made_literals = joined(self.tokens, self.code.startswith(b";"))
        if has_made_literals:
            try:
                Program(code, self.covered).check()
            except LuaCodeError as error:
                raise RewriteError(
                    "nested too deep for its literals to be written without escapes",
                    self.tokens.starts[0],
                ) from error
        return code

    @property
    def strings(self) -> list[bytes]:
        """The code as secondaries get it: rewritten, in character-strings."""
        return split_code(self.rewritten)

    def literals(self) -> list[bytes]:
        """The values of all string literals."""
        tokens = self.tokens
        spans = zip(tokens.types, tokens.starts, tokens.ends, strict=True)
        return [string_value(self.code[start:end]) for kind, start, end in spans if kind is STRING]

    def most_instructions(self, enough: int = 0) -> int | None:
        """A number of instructions that the code does not exceed, but for those of records that it
        includes; `None` where it repeats any. Up to ``enough`` it may be a rough one. Literals of a
        table are made with it."""
        tokens = self.tokens.types
        most = _TO_INCLUDE if self.is_included else _TO_RUN
        rough = most + _PER_TOKEN * len(tokens)
        if rough <= enough and _REPEATING.isdisjoint(tokens):
            return rough
        for node in self.nodes:
            if type(node) in _REPEATS:
                return None
            most += _INSTRUCTIONS.get(type(node), _PER_NODE)
            if type(node) is syntax.Field:
                parts = syntax.children(node)
                if all(isinstance(part, _LITERALS) for part in parts):
                    most -= _PER_NODE * len(parts)
        return most

    def swallowed(self, joints: Sequence[int]) -> list[Swallowed]:
        """The comments that take in code of later strings; ``joints`` are the offsets at which
        those start. Strings that are a comment themselves, or blank, lose nothing.

        Strings are joined without line ends, so what stands behind ``--`` in one of them is a
        comment up to the end of all of them: on PowerDNS as here.
        """
        if not joints or b"--" not in self.code:
            return []
        found: list[Swallowed] = []
        for start, end in self._line_comments():
            inside = [joint for joint in joints if start < joint <= end]
            for joint, following in pairwise([*inside, end]):
                text = self.code[joint:following].strip()
                if text and not text.startswith(b"--"):
                    found.append(Swallowed(start, joint, text))
                    break
        return found

    def _line_comments(self) -> Iterator[tuple[int, int]]:
        tokens = lex(self.code)
        before = 0
        for start, end in zip(tokens.starts, tokens.ends, strict=True):
            for match in _COMMENT.finditer(self.code, before, start):
                if match["line"] is not None:
                    yield match.span()
            before = end

    def check(self) -> None:
        """Raise `lzc.lua.syntax.tree.LuaSyntaxError` unless LuaJIT loads the code: the last word on
        syntax, in 2 microseconds.

        Nothing runs. The error is the parser's, which knows the position; only for limits of
        LuaJIT's compiler that the parser does not know it is LuaJIT's own, at the start of its
        line.
        """
        code = self.code
        if self.is_expression:
            message = _refusal()(b"return " + code)
        else:
            if self.is_included and code.startswith(b";"):
                raise self._fault("")
            # LuaJIT would skip a first line that starts with "#", and run bytecode.
            plain = code[1:] if code.startswith(b";") else code.removeprefix(_BOM)
            message = _refusal()(b" " + plain)
        if message is not None:
            raise self._fault(message.decode("utf-8", "backslashreplace"))

    def _fault(self, message: str) -> LuaSyntaxError:
        try:
            _ = self.tree
        except LuaSyntaxError as error:
            return error
        found = _LINE.match(message)
        offset = 0
        for _ in range(int(found[1]) - 1 if found else 0):
            following = _LINE_END.search(self.code, offset)
            offset = following.end() if following else offset
        return LuaSyntaxError(
            _LINE.sub("", message), offset, plain="it is over a limit of LuaJIT's compiler"
        )


def _is_choice(node: Node) -> bool:
    if isinstance(node, syntax.Binary):
        return node.operator in (b"and", b"or")
    return isinstance(node, _CHOICES)


_REFUSAL: Final = b"function(code) local _, message = loadstring(code, '=') return message end"
_LINE: Final = re.compile(r"^:(\d+): ")
_LINE_END: Final = re.compile(rb"\r\n|\n\r|\r|\n")


@cache
def _refusal() -> Callable[[bytes], bytes | None]:
    # Only what rewrites code needs Lua.
    import lupa.luajit21 as lupa

    refusal: Callable[[bytes], bytes | None] = lupa.LuaRuntime(encoding=None).eval(_REFUSAL)
    return refusal

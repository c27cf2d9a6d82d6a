"""The code of a LUA record as an object that all who look at it share.

A build looks at a record many times: to rewrite it for secondaries, to lint it, to find its plan,
its checks, what it may depend on. Each of these starts from a `Program`, so that the code is read
once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from typing import Final, NamedTuple

from lzc.lua.syntax import scopes as scope
from lzc.lua.syntax import tree as syntax
from lzc.lua.syntax.lexer import STRING, Tokens, lex, string_value
from lzc.lua.syntax.parser import parse
from lzc.lua.syntax.scopes import Scopes
from lzc.lua.syntax.tree import Chunk, LuaCodeError, LuaSyntaxError, Node
from lzc.lua.transfer.rewriter import RewriteError, compacted, joined, split_code
from lzc.wire import rrtype as rr

_ALL: Final = frozenset((b"_G", b"getfenv", b"setfenv", b"load", b"loadstring"))
"""Globals that lead to every other one."""
CLOCK: Final = frozenset((b"os",))
"""Globals that lead to the time."""

_CHOICES: Final = (
    *(syntax.If, syntax.While, syntax.Repeat, syntax.NumericFor, syntax.GenericFor),
    syntax.Function,
)
_REPEATS: Final = (
    *(syntax.Function, syntax.While, syntax.Repeat, syntax.NumericFor, syntax.GenericFor),
    syntax.Goto,
)

_COMMENT: Final = re.compile(rb"--(?:\[(?P<mark>=*)\[[\s\S]*?\](?P=mark)\]|(?P<line>[^\r\n]*))")
_BOM: Final = b"\xef\xbb\xbf"
_PER_NODE: Final = 4
"""Instructions that a node of the tree compiles to at most: a comparison whose value is kept."""
_ALWAYS: Final = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What code may depend on. ``reached`` are the globals that it reads; ``reaches_all`` is code
    that may read any (through ``_G``, ``loadstring`` and the like). ``chooses`` is code that does
    not take the same way each time it runs."""

    reached: frozenset[bytes]
    reaches_all: bool
    chooses: bool

    def may_reach(self, names: Iterable[bytes]) -> bool:
        """Whether the code may read one of these globals."""
        return self.reaches_all or not self.reached.isdisjoint(names)


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
    ``nodes``, ``scopes``, ``facts``, ``strings``. All of these raise
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
    def tokens(self) -> Tokens:
        """The tokens, without the ``;`` that only marks a chunk; what is no token shows in their
        ``fault``."""
        return self._lex()

    @cached_property
    def tree(self) -> Chunk:
        """The syntax tree."""
        # Most programs have no need for their tokens then.
        return parse(vars(self).get("tokens") or self._lex(), self.is_expression)

    def _lex(self) -> Tokens:
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

    @cached_property
    def facts(self) -> Facts:
        """What the code may depend on."""
        accesses = self.scopes.accesses
        reached = frozenset(access.name.name for access in accesses if not access.written)
        reaches_all = not reached.isdisjoint(_ALL)
        return Facts(reached, reaches_all, any(map(_is_choice, self.nodes)))

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

    def most_instructions(
        self, including: Container[bytes], included: int | None = None
    ) -> int | None:
        """A number of instructions that the code does not exceed; `None` where it repeats any, or
        runs code that is not known. ``including`` are the functions that run other records,
        ``included`` is a number that all of these do not exceed together."""
        inclusions = sum(access.name.name in including for access in self.scopes.accesses)
        if self.scopes.dynamic or (inclusions and included is None):
            return None
        if any(isinstance(node, _REPEATS) for node in self.nodes):
            return None
        return _PER_NODE * len(self.nodes) + _ALWAYS + inclusions * (included or 0)

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

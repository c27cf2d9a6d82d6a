"""Lua code laid out on lines, to be read and compared line by line.

A transferred record is one long line. Laid out, every statement has a line, and so has every item
of a list of candidates. What means the same in other words looks the same: blanks, comments, ``;``
between statements, a last comma. The layout is for the eye and is never run.

No grammar is needed for it. In Lua a name, or a keyword of a statement, that follows the end of an
expression always starts the next statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from lzc.lua.syntax.lexer import NAME, NUMBER, STRING, lex

WIDTH: Final = 80
"""Columns up to which the items of an inner table, or arguments, share a line."""

_INDENT: Final = b"  "
_STARTS: Final = frozenset((NAME, *b"local if for while repeat return break goto function".split()))
_ENDS: Final = frozenset((NAME, NUMBER, STRING, *b"nil true false end ) ] } ...".split()))
"""Types of tokens that may start a statement, and that may end an expression."""
_OWNS_END: Final = frozenset(b"if do for while function repeat".split())
_LOOPS: Final = frozenset(b"for while".split())
_OPENS: Final = frozenset(b"then do else repeat".split())
_CLOSES: Final = frozenset(b"end else elseif until".split())
_BRACKETS: Final = {b"(": b")", b"[": b"]", b"{": b"}"}


def lay_out(code: bytes) -> tuple[bytes, ...]:
    """The lines of some code; what is no Lua comes as one line. Two codes with the same lines mean
    the same. Show them with `lzc.foreign_text.code`."""
    tokens = lex(code)
    if tokens.fault is not None:
        return (code,)
    spans = zip(tokens.types, tokens.starts, tokens.ends, strict=True)
    found = [_Token(kind, code[start:end]) for kind, start, end in spans]
    return _Printer(found[:-1]).lines()


class _Token(NamedTuple):
    """A token and its type, which of a keyword or symbol is its text (`lzc.lua.syntax.lexer`)."""

    kind: bytes
    text: bytes


@dataclass(slots=True)
class _Frame:
    """What is open: a bracket, or a block up to its ``end``. ``is_broken``: each item has a line;
    ``is_head``: the parameters of a function, behind which its body begins."""

    opener: bytes
    is_broken: bool = False
    is_head: bool = False


class _Printer:
    def __init__(self, found: list[_Token]) -> None:
        self.tokens = found
        self.broken = _broken(found)
        self.done: list[bytes] = []
        self.line: list[bytes] = []
        self.depth = 0
        self.in_label = False

    def lines(self) -> tuple[bytes, ...]:
        frames: list[_Frame] = []
        before: _Token | None = None
        is_sign = False
        for index, token in enumerate(self.tokens):
            kind, frame = token.kind, frames[-1] if frames else None
            is_item = frame is not None and frame.opener in _BRACKETS
            if kind in (b",", b";") and is_item:
                self.separate(index, frame is not None and frame.is_broken)
            elif kind == b";":
                self.end_line()
                if self.is_needed(index):
                    self.line.append(b";")
            else:
                self.open_line(token, before, frame)
                if self.line and before is not None and _is_apart(before, token, is_sign):
                    self.line.append(b" ")
                self.line.append(token.text)
                self.follow(index, token, frames)
            # A minus with nothing before it to subtract from.
            is_sign = kind == b"-" and (before is None or before.kind not in _ENDS)
            before = token
        self.end_line()
        return tuple(self.done)

    def open_line(self, token: _Token, before: _Token | None, frame: _Frame | None) -> None:
        """Start a line where the token asks for one."""
        if token.kind in _CLOSES:
            self.indent(-1)
        elif frame is not None and _closes(frame, token):
            if frame.is_broken:
                if frame.opener == b"{" and self.line:
                    self.line.append(b",")
                self.indent(-1)
        elif before is not None and before.kind in _ENDS:
            # The `do` of a loop ends no statement, and a label has marks on both sides.
            is_loop = frame is not None and frame.opener in _LOOPS
            is_block = token.kind == b"do" and not is_loop
            is_label = token.kind == b"::" and not self.in_label
            if token.kind in _STARTS or is_block or is_label:
                self.end_line()

    def follow(self, index: int, token: _Token, frames: list[_Frame]) -> None:
        """Keep the account of what is open, and start a line inside of it."""
        kind = token.kind
        if kind in _BRACKETS:
            # The first parenthesis after `function` is that of its parameters.
            is_head = bool(frames) and frames[-1].opener == b"function" and kind == b"("
            if is_head:
                frames[-1].opener = b"do"
            frames.append(_Frame(kind, index in self.broken, is_head))
            if index in self.broken:
                self.indent(1)
        elif frames and _closes(frames[-1], token):
            if frames.pop().is_head:
                self.indent(1)
        else:
            if kind in (b"end", b"until") and frames:
                frames.pop()
            if kind == b"do" and frames and frames[-1].opener in _LOOPS:
                frames[-1].opener = b"do"
            elif kind in _OWNS_END:
                frames.append(_Frame(kind))
            if kind == b"::":
                self.in_label = not self.in_label
                if not self.in_label:
                    self.end_line()
            if kind in _OPENS:
                self.indent(1)

    def separate(self, index: int, is_broken: bool) -> None:
        """A comma, or the ``;`` that a table may have instead; none behind the last item."""
        following = self.tokens[index + 1] if index + 1 < len(self.tokens) else None
        if following is not None and following.kind == b"}":
            return
        self.line.append(b",")
        if is_broken:
            self.end_line()

    def is_needed(self, index: int) -> bool:
        """A ``;`` before a parenthesis keeps it from being a call; in front of all, it makes a
        record a chunk."""
        after = self.tokens[index + 1 : index + 2]
        return not index or (bool(after) and after[0].kind == b"(")

    def indent(self, step: int) -> None:
        self.end_line()
        self.depth = max(0, self.depth + step)

    def end_line(self) -> None:
        if self.line:
            self.done.append(_INDENT * self.depth + b"".join(self.line))
            self.line.clear()


@dataclass(slots=True)
class _Extent:
    """A bracket that is being measured: columns on one line, commas, functions inside."""

    index: int
    opener: bytes
    width: int = 1
    commas: int = 0
    has_function: bool = False


def _broken(found: list[_Token]) -> frozenset[int]:
    """Where the brackets open whose items stand on lines of their own: outermost tables of several
    items, and whatever is too wide or has a function in it."""
    broken: set[int] = set()
    extents: list[_Extent] = []
    for index, token in enumerate(found):
        if not extents and token.kind not in _BRACKETS:
            continue
        if token.kind in _BRACKETS:
            extents.append(_Extent(index, token.kind))
            continue
        extent = extents[-1]
        if token.kind in (b",", b";"):
            # One behind the last item separates nothing, and one in a function is not ours.
            is_last = found[index + 1 : index + 2] and found[index + 1].kind == b"}"
            extent.commas += not is_last and not extent.has_function
        extent.has_function |= token.kind == b"function"
        extent.width += len(token.text) + (token.kind not in (b",", b"."))
        if token.kind != _BRACKETS[extent.opener]:
            continue
        extents.pop()
        is_inner = bool(extents) and extents[-1].opener == b"{"
        is_table = extent.opener == b"{"
        is_wide = extent.width > WIDTH and extent.commas > 0
        if is_wide or (is_table and (extent.has_function or (extent.commas and not is_inner))):
            broken.add(extent.index)
        if extents:
            extents[-1].width += 2 if extent.index in broken else extent.width
            extents[-1].has_function |= extent.has_function
    return frozenset(broken)


def _closes(frame: _Frame, token: _Token) -> bool:
    return _BRACKETS.get(frame.opener) == token.kind


def _is_long(token: _Token) -> bool:
    return token.kind == STRING and token.text.startswith(b"[")


def _is_apart(before: _Token, token: _Token, is_sign: bool) -> bool:
    """Whether a blank stands between two tokens of a line."""
    left, right = before.kind, token.kind
    if is_sign:
        return right == b"-"
    if left == b"[" or right == b"]":
        # A long bracket in an index: `[ [[k]] ]`.
        return _is_long(token) or _is_long(before)
    if left in (b"(", b"{", b".", b":", b"#") or b"::" in (left, right):
        return False
    if right in (b"(", b"["):
        return left not in _ENDS and left != b"function"
    return right not in (b")", b"}", b",", b";", b".", b":")

"""Zone-file text to tokens, one entry (logical line) at a time (RFC 1035 §5.1).

An entry ends at a line break outside parentheses. Whatever is wrong inside an entry is noted with
its place, and the caller goes on after it, so that one run finds every fault of a file. Escapes
stay in place: only the meaning of a field says how they are undone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from lzc.faults import Fault, Place


class Token(NamedTuple):
    """One field. ``text`` keeps its escapes and has lost its quotes; ``column`` counts characters
    from 1 and is that of the opening quote for a ``quoted`` one."""

    text: bytes
    quoted: bool
    line: int
    column: int

    @property
    def names_file(self) -> bool:
        """Whether it is the word ``$FILE``, after which the path of the code follows."""
        return self.text.upper() == b"$FILE" and not self.quoted


_SHOWN: Final = 256
"""Octets of a field that may matter to how it is shown."""


def shown(text: bytes) -> str:
    """A field as messages quote it, cut when it is long."""
    whole = text[:_SHOWN].decode("utf-8", "backslashreplace")
    return f"'{whole}'" if len(whole) <= 60 else f"'{whole[:57]}…'"


@dataclass(slots=True)
class Entry:
    """One logical line. ``blank`` says that it starts with white space (the previous owner is
    meant); ``end`` is the offset and ``next_line`` the number of the line after it; ``ahead`` lines
    after that were looked at in vain, and are read once more. With ``faults``
    its tokens mean nothing. ``ignored`` are the rules that comments in it, or alone on the lines
    directly above, tell not to report; ``remarks`` are the comments to lzc that say nothing known,
    as tokens. ``first_open`` is how many tokens stand before the first parenthesis, -1 without one;
    the entry starts at ``start`` of ``data``."""

    blank: bool = False
    data: bytes = b""
    start: int = 0
    tokens: list[Token] = field(default_factory=list)
    end: int = 0
    next_line: int = 1
    ahead: int = 0
    faults: list[Fault] = field(default_factory=list)
    ignored: frozenset[str] = frozenset()
    remarks: list[Token] = field(default_factory=list)
    first_open: int = -1

    def text_from(self, index: int) -> bytes:
        """What is written from the token ``index`` on, without parentheses and comments: blanks as
        they are, and one for each line break. For entries without faults."""
        lines = [b""]
        position, seen = self.start, 0
        while position < self.end:
            piece = _PIECE.match(self.data, position)
            assert piece is not None
            position = piece.end()
            kind = piece.lastindex
            seen += kind in (_WORD, _QUOTED)
            if seen <= index or kind == _COMMENT:
                continue
            if kind == _NEWLINE:
                lines.append(b"")
            else:
                # A blank in front of a parenthesis stays where the line ends with that.
                lines[-1] += b"\n" if kind in (_OPEN, _CLOSE) else piece[0]
        text = b" ".join([line.strip(b" \t\r") for line in lines])
        return text.replace(b"\n", b"").strip(b" \t")


_BLANK, _NEWLINE, _COMMENT, _OPEN, _CLOSE, _QUOTED, _WORD = range(1, 8)
_PIECE = re.compile(
    rb"([ \t]+|\r(?=\n|\Z))|(\n)|(;[^\n]*)|(\()|(\))"
    rb'|"((?:[^"\\\n]++|\\[^\n])*+)"'
    rb'|((?:[^\x00-\x20;()"\\\x7f]++|\\[^\r\n])++)'
)
_TO_LZC = re.compile(rb";[ \t]*lzc:([^;]*)")
_IGNORE = re.compile(rb"ignore[ \t]+([a-z0-9-]+(?:[ \t]*,[ \t]*[a-z0-9-]+)*)")
_QUOTED_VALUE = re.compile(rb'"(?:[^"\\\n]++|\\[^\n])*+"')
_STRING_END = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_RECORD_START = re.compile(
    rb"^(?:\$[A-Z]+[ \t]|[^\s;()\"']+[ \t]+(?:(?:\d+[smhdw]?|IN)[ \t]+)*"
    rb"(?:IN|A|AAAA|CAA|CNAME|DNAME|DS|HTTPS|LUA|MX|NAPTR|NS|PTR|SOA|SRV|SVCB|TLSA|TXT)[ \t])",
    re.IGNORECASE | re.MULTILINE,
)
_PARAMETER_TYPES = frozenset((b"SVCB", b"HTTPS", b"TYPE64", b"TYPE65"))
MARK: Final = b"lzc:"
"""What a comment starts with that is to lzc."""
_STRING_LOOKAHEAD: Final = 65536
"""Octets after an open quote that are searched for its end, and for the next record."""
ENTRY_LINES: Final = 5000
"""Lines an entry may run over: a parenthesis open for longer was forgotten. Without this, each of
many forgotten ones would have the rest of the file read again."""
_DEPTH: Final = 100
"""Parentheses that may be open inside each other: more of them are forgotten ones, too."""


def read_entry(data: bytes, start: int, line: int, file: str, most: int = ENTRY_LINES) -> Entry:
    """The entry that starts at offset ``start`` of ``data``, which is the start of line ``line``.

    ``file`` is only for the places of faults; ``most`` are the lines that an entry may run over.
    Never raises; reads at least one line.
    """
    return _Scan(data, start, line, file).run(most)


class _Scan:
    """The state of reading one entry."""

    __slots__ = ("column", "counted", "data", "entry", "file", "line", "line_start", "position")

    def __init__(self, data: bytes, start: int, line: int, file: str) -> None:
        self.data = data
        self.position = start
        self.line_start = self.counted = start
        self.column = 1
        self.line = line
        self.file = file
        self.entry = Entry(data[start : start + 1] in (b" ", b"\t"), data, start)

    def run(self, most: int) -> Entry:
        entry, data, size = self.entry, self.data, len(self.data)
        match_piece = _PIECE.match
        opened: list[tuple[int, int, int]] = []
        above = False
        while self.position < size:
            piece = match_piece(data, self.position)
            if piece is None:
                self._stray()
                continue
            kind = piece.lastindex
            if kind == _WORD:
                self._word(piece[_WORD], piece.end())
                continue
            if kind == _QUOTED:
                entry.tokens.append(Token(piece[_QUOTED], True, self.line, self._column()))
            elif kind == _OPEN:
                if entry.first_open < 0:
                    entry.first_open = len(entry.tokens)
                opened.append((self.line, self._column(), self.line_start))
                if len(opened) > _DEPTH:
                    break
            elif kind == _CLOSE:
                if opened:
                    opened.pop()
                else:
                    self._fault(
                        "unbalanced-parenthesis",
                        "')' without a '(' before it",
                        fix="remove it, or add the '(' on the record's first line",
                    )
            elif kind == _NEWLINE:
                self._next_line(piece.end())
                if not opened and above and not entry.tokens:
                    # The comment is about the record that follows.
                    entry.blank = data[self.position : self.position + 1] in (b" ", b"\t")
                    above = False
                    continue
                if not opened or self.line - opened[0][0] > most:
                    break
                continue
            elif kind == _COMMENT:
                above = MARK in piece[_COMMENT] and self._comment(piece[_COMMENT])
            self.position = piece.end()
        if opened:
            self._unclosed(*opened[0])
        entry.end = self.position
        entry.next_line = self.line
        if self.position >= size and data[-1:] != b"\n":
            entry.next_line += 1
        return entry

    def _word(self, text: bytes, end: int) -> None:
        """Take a plain field. In SVCB and HTTPS records ``key="value"`` is one field (RFC 9460
        §2.1), elsewhere the quote starts the next one."""
        if self.data[end : end + 1] == b'"' and text.endswith(b"="):
            value = _QUOTED_VALUE.match(self.data, end)
            types = {token.text.upper() for token in self.entry.tokens[:4]}
            if value and types & _PARAMETER_TYPES:
                text += value[0]
                end = value.end()
        self.entry.tokens.append(Token(text, False, self.line, self._column()))
        self.position = end

    def _comment(self, text: bytes) -> bool:
        """Take a comment that may be to lzc; whether it is."""
        to_lzc = _TO_LZC.match(text)
        if not to_lzc:
            return False
        # Stripped here: a regular expression that does goes back and forth in a run of blanks.
        said = to_lzc[1].strip(b" \t\r")
        ignore = _IGNORE.fullmatch(said)
        if ignore:
            rules = {rule.strip().decode() for rule in ignore[1].split(b",")}
            self.entry.ignored |= rules
        else:
            self.entry.remarks.append(Token(said, False, self.line, self._column()))
        return True

    def _next_line(self, position: int) -> None:
        self.position = self.line_start = self.counted = position
        self.column = 1
        self.line += 1

    def _column(self) -> int:
        # From the last column that was asked for: from the line's start, a long line of many
        # fields would be counted over and over.
        before = self.data[self.counted : self.position]
        self.column += len(before) if before.isascii() else len(before.decode("utf-8", "replace"))
        self.counted = self.position
        return self.column

    def _fault(self, rule: str, message: str, why: str = "", fix: str = "") -> None:
        place = Place(self.file, self.line, self._column())
        self.entry.faults.append(Fault(place, rule, message, why, fix))

    def _stray(self) -> None:
        octet = self.data[self.position]
        if octet == 0x22:
            self._unclosed_string()
            return
        if octet == 0x5C:
            self._fault(
                "backslash-at-line-end",
                "a backslash ends the line",
                "an escape is a backslash with a character or three digits after it",
                "write \\\\ for a backslash, or remove it",
            )
        elif octet == 0x0D:
            self._fault(
                "carriage-return",
                "a carriage return stands inside a line",
                "lines end in LF or CR LF; a lone CR hides what follows it",
                "convert the file's line ends to LF",
            )
        else:
            self._fault(
                "control-character",
                f"the control character 0x{octet:02x} stands outside of quotes",
                "zone files are text; no server reads this the same way",
                f"remove it, or write \\{octet:03d} where a name needs it",
            )
        # One fault a run of such characters is enough.
        end = self.position + 1
        while end < len(self.data) and self.data[end] == octet and octet != 0x5C:
            end += 1
        self.position = end

    def _unclosed(self, line: int, column: int, line_start: int) -> None:
        """Report a parenthesis that the file never closes, and go on at the next line that looks
        like a record: everything up to the end would be lost otherwise."""
        self.entry.faults = [
            Fault(
                Place(self.file, line, column),
                "unbalanced-parenthesis",
                "'(' is never closed",
                "everything after it would belong to this one record",
                "add ')' at the end of the record",
            )
        ]
        reached = self.line
        following = self.data.find(b"\n", line_start) + 1
        start = _RECORD_START.search(self.data, following) if following else None
        self.position = start.start() if start else len(self.data)
        self.line = line + self.data.count(b"\n", line_start, self.position)
        self.entry.ahead = max(reached - self.line, 0)

    def _unclosed_string(self) -> None:
        """Report a string that does not end on its line. If its end follows before anything that
        looks like a record, the writer broke it over lines: skip it whole."""
        self._fault(
            "unclosed-string",
            "the string that starts here does not end on this line",
            "a quoted string may not run over lines (RFC 1035 §5.1)",
            'close it with " on each line; strings in parentheses may follow each other',
        )
        line_end = self.data.find(b"\n", self.position)
        if line_end < 0:
            self.position = len(self.data)
            return
        self.entry.tokens.append(Token(b"", True, self.line, self._column()))
        closing = _STRING_END.match(self.data, self.position + 1, self.position + _STRING_LOOKAHEAD)
        start = _RECORD_START.search(self.data, line_end + 1, line_end + _STRING_LOOKAHEAD)
        if closing and (start is None or closing.end() <= start.start()):
            self.line += self.data.count(b"\n", self.position, closing.end())
            self.line_start = self.counted = self.data.rfind(b"\n", 0, closing.end()) + 1
            self.column = 1
            self.position = closing.end()
        else:
            self.position = line_end

"""Manual pages: text and the chapters' Markdown as roff with the macros of man(7)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

_ESCAPES: Final = str.maketrans(
    {
        "\\": r"\e",
        "-": r"\-",
        "'": r"\(aq",
        "`": r"\(ga",
        "^": r"\(ha",
        "~": r"\(ti",
        '"': r"\(dq",
    }
)
_SPAN: Final = re.compile(r"`([^`]+)`|\*\*(.+?)\*\*")
_CELL: Final = re.compile(r"(?<!\\)\|")
_ITEM: Final = re.compile(r"(?:- |[0-9]+\. )")


def escaped(text: str) -> str:
    r"""Text that roff prints as it is: backslashes, hyphens and quotes that a shell knows stay such
    when they are copied, and a line that begins with ``.`` or ``'`` is no request."""
    text = re.sub(r"^(?=\.)", r"\\&", text.translate(_ESCAPES), flags=re.MULTILINE)
    return "".join(c if c.isascii() else f"\\[u{ord(c):04X}]" for c in text)


def bold(text: str) -> str:
    """Text in bold, escaped."""
    return rf"\fB{escaped(text)}\fR"


def italic(text: str) -> str:
    """Text in italics, escaped."""
    return rf"\fI{escaped(text)}\fR"


def header(name: str, section: int, version: str, what: str) -> list[str]:
    """The first lines of a page, with its NAME section; ``what`` is one line. There is no date: the
    same version gives the same octets."""
    return [
        f'.TH "{name.upper()}" "{section}" "" "lzc {version}" "lzc"',
        ".nh",
        ".ad l",
        ".SH NAME",
        rf"{escaped(name)} \- {escaped(what)}",
    ]


def from_markdown(source: str) -> Iterator[str]:
    """The lines of a page for Markdown as chapters have it: headings of level 2 and 3, paragraphs,
    lists, code that is fenced or indented, and tables, which become lists of terms."""
    lines = iter([*source.splitlines(), ""])
    paragraph: list[str] = []
    for line in lines:
        code = line.startswith(("```", "    ")) and not paragraph
        if paragraph and (not line or line.startswith(("#", "|", "```")) or _ITEM.match(line)):
            yield from _paragraph(paragraph)
            paragraph = []
            code = line.startswith("```")
        if code:
            yield from _code(line, lines)
        elif line.startswith("#"):
            level, _, heading = line.partition(" ")
            yield f'{".SH" if len(level) < 3 else ".SS"} "{_inline(heading)}"'
        elif line.startswith("|"):
            yield from _table(lines)
        elif line:
            paragraph.append(line.strip())


def _paragraph(lines: list[str]) -> Iterator[str]:
    text = " ".join(lines)
    mark = _ITEM.match(text)
    if not mark:
        yield from (".PP", _inline(text))
    else:
        sign = r"\(bu" if mark[0] == "- " else mark[0].strip()
        yield from (f".IP {sign} 4", _inline(text[mark.end() :]))


def _code(first: str, rest: Iterable[str]) -> Iterator[str]:
    fenced = first.startswith("```")
    found = [] if fenced else [first[4:]]
    for line in rest:
        if line == "```" if fenced else not line.startswith("    "):
            break
        found.append(line if fenced else line[4:])
    yield from (".PP", ".RS 4", ".EX", *map(escaped, found), ".EE", ".RE")


def _table(rest: Iterator[str]) -> Iterator[str]:
    """A table behind its first line, which says what the columns are."""
    next(rest)
    for line in rest:
        if not line.startswith("|"):
            break
        yield from _row(line)


def _row(line: str) -> Iterator[str]:
    cells = [cell.strip().replace(r"\|", "|") for cell in _CELL.split(line)[1:-1]]
    if not any(cells[1:]):
        yield f'.SS "{_inline(cells[0])}"'
        return
    yield from (".TP", _inline(cells[0]) or r"\&")
    middle = f"({_inline(cells[1])}) " if cells[1:-1] and cells[1] else ""
    yield middle + _inline(cells[-1])


def _inline(text: str) -> str:
    made, last = [], 0
    for match in _SPAN.finditer(text):
        made.append(escaped(text[last : match.start()]))
        made.append(bold((match[1] or match[2]).strip("`")))
        last = match.end()
    made.append(escaped(text[last:]))
    return "".join(made)

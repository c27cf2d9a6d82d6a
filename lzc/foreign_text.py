"""What others wrote, made fit for a log or a terminal.

Names in queries, URLs, code, what records log, errors of other hosts, names of files: whoever wrote
them must not be able to write a line of a log, to move a terminal's cursor, or to have text read
backwards. Values hold what was written, and JSON gives it as it is; where it is shown to people it
goes through here, once.
"""

from __future__ import annotations

import re
from typing import Final

LIMIT: Final = 1000
"""Characters of one piece of foreign text that are shown."""
LINE: Final = 8000
"""Characters of a line of a log."""

_RUNS: Final = re.compile(r"(\\+)")
_LIKE_AN_ESCAPE: Final = re.compile(r"x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}")


def shown(text: object, limit: int | None = LIMIT) -> str:
    r"""One piece of foreign text within a line, of which no two look the same unless one was cut.

    What does not print (C0 and C1 controls, line and paragraph separators, bidirectional controls,
    lone surrogates, unassigned characters) becomes ``\xHH``, ``\uHHHH`` or ``\UHHHHHHHH``, with
    lower-case digits; backslashes are doubled where they stand before that, or before what looks
    like it. Octets are read as UTF-8; one that is none is shown as the surrogate
    ``\udc80``-``\udcff``. After ``limit`` characters it is cut, and says by how many; `None`:
    never.
    """
    if isinstance(text, bytes):
        whole = text.decode("utf-8", "surrogateescape")
    else:
        whole = text if isinstance(text, str) else str(text)
    if limit is not None and len(whole) > limit:
        return f"{_escape(whole[:limit])}… ({len(whole) - limit} more characters)"
    return _escape(whole)


def one_line(text: str, limit: int | None = LINE) -> str:
    """A whole line in which foreign text is shown already: the net below. Escapes as `shown` does,
    but leaves backslashes alone."""
    if limit is not None and len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} more characters)"
    return text if text.isprintable() else "".join(map(_character, text))


def lines(text: str) -> str:
    """Lines of ours, tabs in them included, each as `one_line` has it, of any length."""
    if text.isprintable():
        return text
    return "".join([c if c in "\n\t" else _character(c) for c in text])


def clauses(text: str) -> str:
    """The lines of a message of ours in one, for a log: what follows a colon stands right after
    it."""
    found = ""
    for line in filter(None, map(str.strip, text.split("\n"))):
        between = "" if not found else " " if found.endswith(":") else "; "
        found += between + line
    return found


def code(line: bytes) -> str:
    r"""A line of Lua in ASCII: octets that do not print become ``\DDD``, as Lua writes them."""
    return "".join([chr(o) if 32 <= o <= 126 else f"\\{o:03d}" for o in line])


def _escape(text: str) -> str:
    if text.isprintable() and "\\" not in text:
        return text
    parts = _RUNS.split(text)
    for at in range(1, len(parts), 2):
        following = parts[at + 1]
        if _LIKE_AN_ESCAPE.match(following) or not following[:1].isprintable():
            parts[at] *= 2
    return "".join([one_line(part, None) for part in parts])


def _character(one: str) -> str:
    if one.isprintable():
        return one
    number = ord(one)
    if number < 0x100:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"

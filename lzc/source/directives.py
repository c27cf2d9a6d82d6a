"""The directives of zone files but ``$GENERATE``: ``$ORIGIN``, ``$INCLUDE`` (RFC 1035 §5.1) and
``$TTL`` (RFC 2308 §4)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Final

from lzc.faults import Place
from lzc.source import ttl as ttl_text
from lzc.source.files import Found, find
from lzc.source.generate import read_generate
from lzc.source.lexer import Entry, Token, shown
from lzc.source.state import FileScope, ReadState
from lzc.source.ttl import InvalidTtl
from lzc.wire import name as wire_name
from lzc.wire.name import InvalidName

MAX_DEPTH: Final = 32
"""Files that may include each other in a row."""

_KNOWN: Final = ("$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE")
_KNOWN_WORDS: Final = frozenset(word.encode() for word in _KNOWN)

OpenFile = Callable[[FileScope, Found, Place], None]
"""Reads one more file: scope to read it in, the file, place that asks for it."""


def read_directive(state: ReadState, scope: FileScope, entry: Entry, open_file: OpenFile) -> None:
    """Obey the directive in ``entry``, or report what is wrong with it."""
    tokens = entry.tokens
    word = tokens[0].text.upper()
    state.directives += word in _KNOWN_WORDS
    if word == b"$ORIGIN":
        if _counted(state, scope, tokens, 1, "one name: $ORIGIN example.org."):
            origin = _read_origin(state, scope, tokens[1])
            if origin is not None:
                scope.names = state.names(origin)
    elif word == b"$TTL":
        if _counted(state, scope, tokens, 1, "one TTL: $TTL 3600"):
            try:
                state.default_ttl = ttl_text.parse(tokens[1].text)
            except InvalidTtl as error:
                state.report(scope.place(tokens[1]), "bad-ttl", str(error))
    elif word == b"$INCLUDE":
        if _counted(state, scope, tokens, 2, "a file and perhaps an origin: $INCLUDE hosts.inc"):
            _include(state, scope, tokens, open_file)
    elif word == b"$GENERATE":
        read_generate(state, scope, entry)
    else:
        name = word[:32].decode("utf-8", "replace")
        close = difflib.get_close_matches(name, _KNOWN, n=1)
        state.report(
            scope.place(tokens[0]),
            "unknown-directive",
            f"{shown(tokens[0].text)} is no directive",
            "a $ in column 1 starts a directive",
            f"did you mean {close[0]}?" if close else "write \\$ for an owner that starts with $",
        )


def _counted(
    state: ReadState, scope: FileScope, tokens: Sequence[Token], most: int, usage: str
) -> bool:
    given = len(tokens) - 1
    if 1 <= given <= most:
        return True
    state.report(
        scope.place(tokens[most + 1] if given > most else tokens[0]),
        "bad-directive",
        f"{tokens[0].text.decode('ascii', 'replace').upper()} takes {usage}",
        f"{given} field{'s' * (given != 1)} follow{'s' * (given == 1)} it",
    )
    return False


def _read_origin(state: ReadState, scope: FileScope, token: Token) -> bytes | None:
    try:
        return wire_name.from_text(token.text, scope.names.origin)
    except InvalidName as error:
        state.report(
            scope.place(token),
            "bad-origin",
            f"{shown(token.text)} is no domain name: {error}",
            "names without a final dot are completed with the origin",
        )
        return None


def _include(
    state: ReadState, scope: FileScope, tokens: Sequence[Token], open_file: OpenFile
) -> None:
    token = tokens[1]
    origin: bytes | None = scope.names.origin
    if len(tokens) > 2:
        origin = _read_origin(state, scope, tokens[2])
    place = scope.place(token)
    found = find(state, scope, token, "$INCLUDE", "include")
    if found is None or origin is None:
        return
    path, label, _ = found
    if path in state.open_files:
        state.report(
            place,
            "include-cycle",
            f"{shown(token.text)} includes itself",
            "it is being read already, here or in a file that includes this one",
            "remove one of the $INCLUDE lines",
        )
        return
    if len(state.open_files) >= MAX_DEPTH:
        state.report(
            place, "include-depth", f"more than {MAX_DEPTH} files include each other in a row"
        )
        return
    inner = FileScope(
        label,
        -1,
        state.names(origin),
        path.parent,
        owner=scope.owner,
        owner_known=scope.owner_known,
    )
    open_file(inner, found, place)

"""The directives of zone files but ``$GENERATE``: ``$ORIGIN``, ``$INCLUDE`` (RFC 1035 §5.1) and
``$TTL`` (RFC 2308 §4)."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Final

from lzc.faults import Place
from lzc.source import ttl as ttl_text
from lzc.source.dialect import read_origin, time_of
from lzc.source.files import Found, find
from lzc.source.generate import read_generate
from lzc.source.lexer import Entry, Token, shown
from lzc.source.state import SETTING, FileScope
from lzc.wire import name as wire_name
from lzc.wire.name import InvalidName

MAX_DEPTH: Final = 32
"""Files that may include each other in a row."""

_KNOWN: Final = ("$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE")

OpenFile = Callable[[FileScope, Found, Place], None]
"""Reads one more file: scope to read it in, the file, place that asks for it."""


def read_directive(scope: FileScope, entry: Entry, open_file: OpenFile) -> None:
    """Obey the directive in ``entry``, or report what is wrong with it. Raises `AtFault`."""
    state, tokens = scope.state, entry.tokens
    word = tokens[0].text.upper()
    name = word[:32].decode("utf-8", "replace")
    state.directives += name in _KNOWN
    if name == "$ORIGIN":
        _count(scope, tokens, 1, "one name: $ORIGIN example.org.")
        origin = _read_origin(scope, tokens[1], is_directive=True)
        if origin is not None:
            scope.names = state.names(origin)
    elif name == "$TTL":
        _count(scope, tokens, 1, "one TTL: $TTL 3600")
        try:
            state.default_ttl = ttl_text.parse(time_of(scope, tokens[1]).text)
        except ValueError as error:
            scope.fail(tokens[1], "bad-ttl", str(error))
    elif name == "$INCLUDE":
        _count(scope, tokens, 2, "a file and perhaps an origin: $INCLUDE hosts.inc")
        _include(scope, tokens, open_file)
    elif name == "$GENERATE":
        read_generate(scope, entry)
    else:
        close = difflib.get_close_matches(name, _KNOWN, n=1)
        scope.fail(
            tokens[0],
            "unknown-directive",
            f"{shown(tokens[0].text)} is no directive",
            "a $ in column 1 starts a directive",
            f"did you mean {close[0]}?" if close else "write \\$ for an owner that starts with $",
        )


def _count(scope: FileScope, tokens: Sequence[Token], most: int, usage: str) -> None:
    given = len(tokens) - 1
    if not 1 <= given <= most:
        scope.fail(
            tokens[most + 1] if given > most else tokens[0],
            "bad-directive",
            f"{tokens[0].text.decode('ascii', 'replace').upper()} takes {usage}",
            f"{given} field{'s' * (given != 1)} follow{'s' * (given == 1)} it",
        )


def _read_origin(scope: FileScope, token: Token, *, is_directive: bool = False) -> bytes | None:
    """The name of an origin; None, reported, where it is none."""
    try:
        if is_directive:
            return read_origin(scope, token)
        return wire_name.from_text(token.text, scope.names.origin)
    except InvalidName as error:
        scope.report(
            token,
            "bad-origin",
            f"{shown(token.text)} is no domain name: {error}",
            "names without a final dot are completed with the origin",
        )
        return None


def _include(scope: FileScope, tokens: Sequence[Token], open_file: OpenFile) -> None:
    state, token = scope.state, tokens[1]
    origin = _read_origin(scope, tokens[2]) if len(tokens) > 2 else scope.names.origin
    found = find(scope, token, "$INCLUDE", "include")
    if origin is None:
        return
    path, label, _ = found
    if path in state.open_files:
        scope.fail(
            token,
            "include-cycle",
            f"{shown(token.text)} includes itself",
            "it is being read already, here or in a file that includes this one",
            "remove one of the $INCLUDE lines",
        )
    if len(state.open_files) >= MAX_DEPTH:
        message = f"more than {MAX_DEPTH} files include each other in a row"
        scope.fail(token, "include-depth", message)
    names = state.names(origin)
    inner = FileScope(state, label, names, path.parent, scope.owner, scope.owner_known)
    if len(tokens) > 2:
        scope.differs(
            tokens[2],
            f"{shown(tokens[2].text)} is the origin of the included file, but not on PowerDNS",
            "it goes on with the origin of the including one",
            "write $ORIGIN into the included file",
            is_error=state.powerdns,
        )
    ignored = state.ignored
    open_file(inner, found, scope.place(token))
    state.ignored = ignored
    if state.powerdns:
        scope.names, scope.owner, scope.owner_known = inner.names, inner.owner, inner.owner_known
    elif inner.names is not names:
        scope.differs(
            token,
            f"{label} ends with another $ORIGIN, and PowerDNS goes on with it",
            "it does not return to the origin of the including file",
            f"write $ORIGIN on the line after this one; {SETTING} reads it as PowerDNS does",
            is_error=False,
        )

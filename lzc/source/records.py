"""One entry of a zone file to one record: owner, TTL, class, type, RDATA (RFC 1035 §5.1)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from lzc.faults import Fault, pack
from lzc.source import dialect, hints
from lzc.source import ttl as ttl_text
from lzc.source.lexer import Entry, Token, shown
from lzc.source.state import SETTING, AtFault, FileScope
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype as rr
from lzc.wire.name import InvalidName
from lzc.wire.rdata import InvalidRdata

_OTHER_CLASS: Final = re.compile(rb"CH|CHAOS|HS|HESIOD|CS|CLASS[0-9]+")
_LONGEST_TYPE: Final = 32
"""Octets of a field at most that are compared with RR types: longer fields were not meant as
one."""
_MNEMONICS: Final = [name for number, name in rr.MNEMONICS.items() if number not in rr.META_TYPES]


class Head(NamedTuple):
    """The fields before the RDATA: type, TTL as written (None: not written), and the index of the
    first RDATA field among the tokens."""

    rrtype: int
    ttl: int | None
    rdata_index: int


def read_record(scope: FileScope, entry: Entry) -> None:
    """Add the record of an entry, which has tokens, to the zone, or report everything that is wrong
    with it. Raises `AtFault`, as all do here that give a part of it."""
    tokens: Sequence[Token] = entry.tokens
    blank = entry.blank
    if not blank:
        read_owner(scope, tokens[0])
    elif scope.owner is None and not scope.owner_known:
        scope.owner_known = True
        scope.report(
            tokens[0],
            "owner-missing",
            "the line starts with white space, but no record before it has an owner",
            "a line without an owner belongs to the owner of the record before it",
            "start the line with the owner in column 1; @ is the origin",
        )
    head = read_head(scope, tokens, 0 if blank else 1)
    if scope.state.powerdns or head.rrtype in dialect.CONCERNED:
        tokens = dialect.adapt(scope, entry, head.rrtype, head.rdata_index)
    rdata = read_rdata(scope, head.rrtype, tokens, head.rdata_index)
    ttl = choose_ttl(scope, head, rdata, tokens)
    if scope.owner is not None:
        zone, first = scope.state.zone, tokens[0]
        place = pack(scope.file_index, first.line, first.column)
        zone.records.append((scope.owner, head.rrtype, rdata, ttl, place))
        if entry.ignored:
            zone.suppressions[place] = entry.ignored


def read_owner(scope: FileScope, token: Token, *, warn: bool = True) -> None:
    """Make the name of ``token`` the current owner; report it when it is none, or not ours, and
    warn of what is questionable unless ``warn`` is false."""
    scope.owner, scope.owner_known = None, True
    if token.quoted:
        scope.report(
            token,
            "bad-owner",
            f'an owner is not written in quotes: "{token.text.decode("utf-8", "replace")}"',
            fix="remove the quotes",
        )
        return
    try:
        key = scope.names.key(token.text)
    except InvalidName as error:
        scope.report(
            token,
            "bad-owner",
            f"{shown(token.text)} is no domain name: {error}",
            fix="correct the owner; a line without one starts with white space",
        )
        return
    if key is None:
        _report_outside(scope, token)
    elif warn and not token.text.isascii():
        _warn_not_ascii(scope, token)
    scope.owner = key


def _report_outside(scope: FileScope, token: Token) -> None:
    owner = wire_name.to_text(wire_name.from_text(token.text, scope.names.origin))
    origin = wire_name.to_text(scope.names.origin)
    zone = scope.state.zone.name
    if token.text.endswith(b".") and token.text != b".":
        why = "the final dot makes it absolute; a zone holds only names at or below its apex"
        fix = "move it to its own zone, or remove the final dot if it is meant to be relative"
    else:
        why = f"$ORIGIN is {origin} here, and completes names without a final dot"
        fix = f"correct $ORIGIN, or write the whole name, ending in {zone}"
    fix += '; if the file is of another zone than its name says: [zone."NAME"] source = "FILE"'
    scope.report(token, "out-of-zone", f"owner {owner} is outside of zone {zone}", why, fix)


def _warn_not_ascii(scope: FileScope, token: Token) -> None:
    try:
        fix = f"write {token.text.decode('utf-8').encode('idna').decode('ascii')}"
    except UnicodeError:
        fix = "write the xn-- form of the name, or \\DDD for octets that are meant"
    scope.warn(
        token,
        "name-not-ascii",
        f"owner {shown(token.text)} is not ASCII",
        "resolvers ask for international names in their xn-- form (RFC 5890)",
        fix,
    )


def read_head(scope: FileScope, tokens: Sequence[Token], start: int) -> Head:
    """Read ``[TTL] [class] type`` in either order from ``tokens[start:]``."""
    ttl: int | None = None
    seen_class = at_fault = False
    for index, token in enumerate(tokens[start:], start):
        text = token.text.upper()
        if token.quoted:
            scope.fail(
                token,
                "type-missing",
                "an RR type is expected here, not a string in quotes",
                fix="write the type in front of it, such as TXT",
            )
        if text[:1].isdigit() and ttl is None:
            try:
                ttl = ttl_text.parse(dialect.with_years(scope, text))
            except ValueError as error:
                ttl, at_fault = 0, True
                scope.report(
                    token,
                    "bad-ttl",
                    str(error),
                    "a line that starts in column 1 starts with an owner" if index else "",
                    "correct the TTL; RFC 2181 §8 allows 0 to 2147483647",
                )
        elif text in (b"IN", b"CLASS1") and not seen_class:
            seen_class = True
        elif _OTHER_CLASS.fullmatch(text) and not seen_class:
            seen_class = at_fault = True
            scope.report(
                token,
                "class-not-in",
                f"class {shown(token.text)}: only IN is served",
                "one class a zone (RFC 1035 §5.2); lzc builds zones of class IN",
                "write IN, or leave the class out",
            )
        else:
            rrtype = _read_type(scope, token)
            if at_fault:
                raise AtFault
            return Head(rrtype, ttl, index + 1)
    scope.fail(
        tokens[-1],
        "type-missing",
        f"the entry ends after {shown(tokens[-1].text)}, before an RR type",
        "a record is: owner [TTL] [class] type RDATA",
        "complete the record; a line that starts in column 1 starts with an owner",
    )


def _read_type(scope: FileScope, token: Token) -> int:
    try:
        rrtype = rr.from_text(token.text.decode("ascii"))
    except ValueError:
        scope.fail(
            token,
            "unknown-type",
            f"{shown(token.text)} is no RR type",
            "a record is: owner [TTL] [class] type RDATA",
            _suggest_type(token.text),
        )
    if rrtype in rr.META_TYPES or rrtype == 0:
        scope.fail(
            token,
            "type-not-data",
            f"{shown(token.text)} is a type of queries and messages",
            "no zone holds records of it (RFC 6895 §3.1)",
            "remove the record",
        )
    return rrtype


def _suggest_type(text: bytes) -> str:
    word = text[:_LONGEST_TYPE].decode("utf-8", "replace").upper()
    if word.startswith("$"):
        return "a directive starts in column 1: remove the white space before it"
    close = difflib.get_close_matches(word, [*_MNEMONICS, "IN"], n=1, cutoff=0.5)
    if close:
        return f"did you mean {close[0]}?"
    return "a type without a name is written TYPE and its number (RFC 3597 §5)"


def read_rdata(
    scope: FileScope,
    rrtype: int,
    tokens: Sequence[Token],
    index: int,
    parts: Sequence[Sequence[Token]] | None = None,
) -> bytes:
    """The RDATA of ``tokens[index:]``. ``tokens[index - 1]`` is the type, where faults are placed
    when there is no RDATA at all. ``parts`` tell, for each field of RDATA, what it was put together
    from; None: it stands in the file as it is."""
    fields = [token.text for token in tokens[index:]]
    quoted = [token.quoted for token in tokens[index:]]
    try:
        if rrtype == rr.LUA:
            # Zones without LUA records need not wait for what reads Lua to be imported.
            from lzc.source.lua_record import read_lua

            return read_lua(scope, tokens, index, parts)
        if dialect.splits(scope, rrtype):
            return dialect.strings(fields)
        if rrtype in hints.TYPES and hints.fills(scope, fields):
            fields = hints.later(scope, rrtype, tokens, index)
        return wire_rdata.from_fields(
            rrtype, fields, dialect.origin_in(scope, rrtype, fields), quoted
        )
    except InvalidRdata as error:
        token = tokens[min(index + error.field_index, len(tokens) - 1)]
        written = "" if error.field_index >= len(fields) else f": {shown(token.text)}"
        message = f"{rr.to_text(rrtype)} record: {error}{written}"
        fix = _suggest_rdata(rrtype, fields)
        scope.fail(token, "bad-rdata", message, fix=fix)


def may_be_lua(fault: Fault) -> bool:
    """Whether what could not be read, for this error, may have been a LUA record: it may be
    anything, but where its type was read and its RDATA was at fault."""
    return fault.rule != "bad-rdata" or fault.message.startswith(rr.to_text(rr.LUA))


def _suggest_rdata(rrtype: int, fields: list[bytes]) -> str:
    first = fields[0] if fields else b""
    if rrtype == rr.A and b":" in first:
        return "an IPv6 address stands in an AAAA record"
    if rrtype == rr.AAAA and b":" not in first and first.count(b".") == 3:
        return "an IPv4 address stands in an A record"
    if rrtype in (rr.TXT, rr.SPF) and any(len(field) > 255 for field in fields):
        return (
            'cut it into strings of at most 255 octets: "…" "…"; readers join them; '
            f"with {SETTING} lzc does, as PowerDNS"
        )
    if rrtype in hints.TYPES and hints.are_auto(fields):
        return f"write the addresses; with {SETTING} lzc fills them in, as PowerDNS"
    if rrtype == rr.MX and len(fields) == 1:
        return f"write a preference first: 10 {first.decode('utf-8', 'replace')}"
    if rrtype == rr.LUA and len(fields) == 1:
        return 'write the type it answers for, then the code: LUA A "…"'
    return ""


def choose_ttl(scope: FileScope, head: Head, rdata: bytes, tokens: Sequence[Token]) -> int:
    """The record's TTL: its own; else that of ``$TTL`` (RFC 2308 §4); else the last one written
    (RFC 1035 §5.1); else the SOA minimum, for an SOA and what follows it."""
    state = scope.state
    if head.ttl is not None:
        state.last_ttl = head.ttl
        return head.ttl
    if state.default_ttl is not None:
        return state.default_ttl
    if head.rrtype == rr.SOA and not state.powerdns:
        state.default_ttl = min(wire_rdata.soa_times(rdata)[-1], ttl_text.MAX_TTL)
        dialect.tell_soa_ttl(scope, tokens[0], state.default_ttl)
        return state.default_ttl
    if state.last_ttl is not None:
        return state.last_ttl
    # Told once: the records that follow lack theirs for the same reason.
    state.last_ttl = 0
    scope.fail(
        tokens[0],
        "ttl-missing",
        "the record has no TTL, and nothing before it says which to take",
        "without $TTL or an SOA before it there is no default (RFC 2308 §4)",
        "put $TTL 3600 at the top of the file",
    )

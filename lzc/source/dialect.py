"""Where PowerDNS reads zone files otherwise than RFC 1035 says: with ``dialect = "powerdns"`` they
are read as it reads them, without it each such text is told.

What it makes of a text that surely nobody means (``CNAME "b"`` with the quotes in the name) is an
error there. Whoever means RFC 1035's reading writes ``; lzc: ignore powerdns-reads-otherwise``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lzc.faults import Place
from lzc.source.lexer import Entry, Token, shown
from lzc.source.state import SETTING, AtFault, FileScope
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.name import InvalidName
from lzc.wire.rdata import MAX_RDATA, InvalidRdata, seconds, strings_to_wire, unescape

DEFAULT_TTL: Final = 3600
"""Seconds of records before which no TTL is written (its setting ``default-ttl``)."""
_YEAR: Final = 31_536_000
_YEARS = re.compile(rb"([0-9]{1,2})[yY]")
_COMPOUND = re.compile(rb"([0-9]{1,10})[smhdwy](?:[0-9]{1,10}[smhdwy]?)+", re.IGNORECASE)
_UNITS: Final = {b"s": 1, b"m": 60, b"h": 3600, b"d": 86400, b"w": 604_800, b"y": _YEAR}

_TEXTS: Final = frozenset((rr.TXT, rr.SPF))
_INCOMPLETE: Final[dict[int, tuple[int, ...]]] = {
    **dict.fromkeys((rr.MB, rr.MG, rr.MR), (0,)),
    rr.MINFO: (0, 1),
    **dict.fromkeys((rr.KX, rr.LP, rr.SVCB, rr.HTTPS), (1,)),
    rr.IPSECKEY: (3,),
    rr.NAPTR: (5,),
}
"""Types in whose RDATA it completes no name with the origin, and which fields are names."""
_NAMES: Final = {
    **dict.fromkeys((rr.NS, rr.CNAME, rr.PTR, rr.DNAME), (0,)),
    rr.MX: (1,),
    rr.SRV: (3,),
    rr.SOA: (0, 1),
    **_INCOMPLETE,
}
CONCERNED: Final = frozenset((rr.LUA, *_TEXTS, *_NAMES))
"""Types whose RDATA it may read otherwise."""

_LUA_ESCAPE = re.compile(rb"\\([0-9]{3}|.)", re.DOTALL)
_LUA_LETTERS: Final = frozenset(b"abfnrtvxzu'")
"""What has a meaning of its own after a backslash in Lua."""
_LUA_CODES: Final = frozenset((b"010", b"013", b"034", b"039", b"092"))
"""Octets that mean another thing in a literal of Lua when they are written as they are."""


def adapt(scope: FileScope, entry: Entry, rrtype: int, index: int) -> Sequence[Token]:
    """The tokens of a record of type ``rrtype``, whose RDATA is ``tokens[index:]``, as PowerDNS
    reads them; or, where files are read as RFC 1035 says, those that stand there, with what it
    would read otherwise told. Raises `AtFault`."""
    tokens = entry.tokens
    if not scope.state.powerdns:
        if rrtype in CONCERNED:
            _tell(scope, tokens, rrtype, index)
        return tokens
    if 0 <= entry.first_open < index:
        _refuse(
            scope,
            tokens[min(entry.first_open, len(tokens) - 1)],
            "a parenthesis stands before the RDATA",
            "PowerDNS takes it for part of a field there",
            "open it behind the type",
        )
    rdata = tokens[index:]
    if rrtype == rr.TXT and rdata and not rdata[0].quoted:
        return [*tokens[:index], _bare_text(scope, entry, index)]
    _check_quotes(scope, rdata, rrtype)
    if rrtype == rr.SOA and len(rdata) == 7:
        return [*tokens[: index + 3], *(time_of(scope, token) for token in rdata[3:])]
    return tokens


def _refuse(scope: FileScope, at: Token, message: str, why: str, fix: str) -> None:
    if scope.differs(at, message, why, fix):
        raise AtFault


def _bare_text(scope: FileScope, entry: Entry, index: int) -> Token:
    """TXT without quotes is one string, blanks included."""
    first, *others = entry.tokens[index:]
    quoted = next((token for token in others if token.quoted), None)
    if quoted is not None:
        scope.fail(
            quoted,
            "bad-rdata",
            "TXT record: a string in quotes after text without",
            "PowerDNS takes the blanks between them into the strings, or refuses the record",
            "put each string into quotes",
        )
    if not others and first.text == b"@" and entry.first_open < 0:
        return first._replace(text=wire_name.to_text(scope.names.origin).encode())
    return first._replace(text=entry.text_from(index))


def _check_quotes(scope: FileScope, rdata: Sequence[Token], rrtype: int) -> None:
    for at in _NAMES.get(rrtype, ()):
        if at < len(rdata) and rdata[at].quoted:
            _refuse(
                scope,
                rdata[at],
                f"{rr.to_text(rrtype)} record: a name in quotes",
                "PowerDNS takes the quotes for part of the name",
                "remove the quotes",
            )


def origin_in(scope: FileScope, rrtype: int, fields: Sequence[bytes]) -> bytes:
    """What completes the names in RDATA."""
    if not scope.state.powerdns or rrtype not in _INCOMPLETE or list(fields) == [b"@"]:
        return scope.names.origin
    for at in _names_of(rrtype, fields):
        if fields[at] == b"@":
            message = "PowerDNS does not read @ as the origin here; write the whole name"
            raise InvalidRdata(message, at)
    return wire_name.ROOT


def _names_of(rrtype: int, fields: Sequence[bytes]) -> list[int]:
    if rrtype == rr.IPSECKEY and fields[1:2] != [b"3"]:
        # The gateway is none, or an address.
        return []
    return [at for at in _INCOMPLETE.get(rrtype, ()) if at < len(fields)]


def strings(fields: Sequence[bytes]) -> bytes:
    """RDATA of TXT and SPF: what is longer than 255 octets becomes several strings. Raises
    `InvalidRdata`."""
    if not fields:
        raise InvalidRdata("expected at least one character-string", 0)
    texts = [unescape(field, index) for index, field in enumerate(fields)]
    rdata = strings_to_wire(
        [text[at : at + 255] for text in texts for at in range(0, len(text) or 1, 255)]
    )
    if len(rdata) > MAX_RDATA:
        raise InvalidRdata(f"RDATA of {len(rdata)} octets; at most {MAX_RDATA} are allowed", 0)
    return rdata


def splits(scope: FileScope, rrtype: int) -> bool:
    """Whether `strings` reads the RDATA of this type."""
    return scope.state.powerdns and rrtype in _TEXTS


def time_of(scope: FileScope, token: Token) -> Token:
    """A time of an SOA record or of ``$TTL``, in seconds. With several units, PowerDNS multiplies
    the first number by the last unit, which is told."""
    text = with_years(scope, token.text)
    compound = _COMPOUND.fullmatch(text)
    if not compound:
        return token._replace(text=text)
    there = int(compound[1]) * _UNITS.get(text[-1:].lower(), 1)
    try:
        here = seconds(text)
    except ValueError:
        return token
    if there != here:
        scope.differs(
            token,
            f"{shown(text)} is {here} seconds, but {there} on PowerDNS",
            "it takes the first number and the last unit",
            f"write {here}, or {there} where it was right so far",
            is_error=scope.state.powerdns,
        )
    return token


def tell_soa_ttl(scope: FileScope, token: Token, here: int) -> None:
    """Tell that records without TTL have ``here`` seconds of it, the minimum of the SOA record."""
    if here != DEFAULT_TTL:
        scope.differs(
            token,
            f"without $TTL records get the SOA minimum, {here} seconds, for a TTL",
            f"PowerDNS gives them {DEFAULT_TTL} seconds, or its default-ttl",
            f"put $TTL {here} at the top of the file; {SETTING} reads it as PowerDNS does",
            is_error=False,
        )


def with_years(scope: FileScope, text: bytes) -> bytes:
    """A time; one in years, which PowerDNS alone has, in seconds."""
    years = _YEARS.fullmatch(text) if scope.state.powerdns else None
    return b"%d" % (int(years[1]) * _YEAR) if years else text


def read_origin(scope: FileScope, token: Token) -> bytes:
    """The name after ``$ORIGIN``. Raises `InvalidName`, and `AtFault`, reported."""
    absolute = wire_name.from_text(token.text, wire_name.ROOT)
    if scope.state.powerdns and token.text != b"@":
        return absolute
    if token.text == b"@":
        if scope.state.powerdns:
            _refuse(
                scope,
                token,
                "@ after $ORIGIN",
                "PowerDNS takes it for a name of that spelling",
                "write the whole name, with its final dot",
            )
        return scope.names.origin
    origin = wire_name.from_text(token.text, scope.names.origin)
    _tell_name(scope, token, origin, absolute, "$ORIGIN", may_be_above=True)
    return origin


def _tell_name(
    scope: FileScope,
    token: Token,
    here: bytes,
    there: bytes,
    what: str,
    *,
    may_be_above: bool = False,
) -> None:
    """Tell of a name without final dot that PowerDNS does not complete. Where it ends in the zone's
    name, hardly anything else is meant."""
    if here == there:
        return
    apex = scope.state.zone.apex
    inside = wire_name.is_subdomain(there.lower(), apex)
    # Elsewhere, an origin is none that PowerDNS takes, and a single label no name of a host.
    above = wire_name.is_subdomain(apex, there.lower())
    if inside or (above if may_be_above else len(there) > there[0] + 2):
        scope.differs(
            token,
            f"{what} {shown(token.text)} without final dot is {wire_name.to_text(here)},"
            f" but {wire_name.to_text(there)} on PowerDNS",
            "it completes no name here; this makes other names than it has",
            f"write {wire_name.to_text(there)} or {wire_name.to_text(here)}; {SETTING} reads it"
            " as PowerDNS does",
            is_error=inside,
        )


def _tell(scope: FileScope, tokens: Sequence[Token], rrtype: int, index: int) -> None:
    """Tell what PowerDNS would read otherwise in RDATA."""
    rdata = tokens[index:]
    if rrtype == rr.LUA:
        _tell_code(scope, rdata[1:])
    elif rrtype == rr.SOA:
        for token in rdata[3:]:
            time_of(scope, token)
    elif rrtype == rr.TXT and len(rdata) > 1 and not rdata[0].quoted:
        scope.differs(
            rdata[0],
            f"TXT without quotes is {len(rdata)} strings, which readers join without blanks",
            "PowerDNS reads one string, with the blanks in it",
            f"put the text into quotes; {SETTING} reads it as PowerDNS does",
            is_error=False,
        )
    if rrtype not in _INCOMPLETE:
        return
    for at in _names_of(rrtype, [token.text for token in rdata]):
        if rdata[at].text != b"@":
            try:
                here = wire_name.from_text(rdata[at].text, scope.names.origin)
                there = wire_name.from_text(rdata[at].text, wire_name.ROOT)
            except InvalidName:
                continue
            _tell_name(scope, rdata[at], here, there, f"{rr.to_text(rrtype)} record:")


def _tell_code(scope: FileScope, code: Sequence[Token]) -> None:
    """Tell the first escape that Lua gets to see on PowerDNS, and reads otherwise."""
    found_in = [(token, list(_LUA_ESCAPE.finditer(token.text))) for token in code]
    if any(found[1] == b'"' for _, all_found in found_in for found in all_found):
        # No record of PowerDNS: it cannot run that.
        return
    for token, all_found in found_in:
        for found in all_found:
            escaped = found[1]
            is_letter = escaped[0] in _LUA_LETTERS
            if is_letter or escaped == b"\\" or escaped in _LUA_CODES:
                scope.differs(
                    _inside(scope, token, found.start()),
                    f"{found[0].decode('latin-1')} in a LUA record is an escape of the zone file,"
                    " but one of Lua on PowerDNS",
                    "it hands strings to Lua as they are written",
                    f"{SETTING} reads it as PowerDNS does; \\\\ is a backslash without",
                    is_error=is_letter,
                )
                return


def check_code(scope: FileScope, token: Token) -> None:
    """Refuse an escaped quote in LUA code. Raises `AtFault`."""
    for found in _LUA_ESCAPE.finditer(token.text):
        if found[1] != b'"':
            continue
        scope.fail(
            _inside(scope, token, found.start()),
            "lua-syntax",
            "a double quote in the code of a LUA record",
            "PowerDNS ends the string there, escaped or not, and drops the quote",
            "write ' for a literal, and \\034 in one for the quote",
        )


def _inside(scope: FileScope, token: Token, at: int) -> Place:
    column = token.column + token.quoted + len(token.text[:at].decode("utf-8", "replace"))
    return Place(scope.file, token.line, column)

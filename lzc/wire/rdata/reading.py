"""RDATA in its wire format, from presentation fields.

The common types are read by code of our own, those of signed zones too; the rare types by
dnspython, which is imported when such a type is first met.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from socket import AF_INET6, inet_pton  # text conversion only
from typing import Final

from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.name import InvalidName
from lzc.wire.rdata.octets import InvalidRdata, check_wire
from lzc.wire.rdata.rare import read_rare
from lzc.wire.rdata.signed import read_signed

MAX_RDATA: Final = 65535
"""Octets of RDATA at most (RFC 1035 §3.2.1)."""

_Reader = Callable[[Sequence[bytes], bytes], bytes]


def from_fields(
    rrtype: int, fields: Sequence[bytes], origin: bytes, quoted: Sequence[bool] | None = None
) -> bytes:
    """RDATA of presentation fields (RFC 1035 §5.1).

    ``fields`` are what a zone-file lexer has split, escapes still in place; for a quoted field the
    quotes are gone and ``quoted`` is true at its index (None: none is quoted). ``origin``, a wire
    name, completes relative names. ``\\# length hex`` (RFC 3597 §5) is understood for every type.
    Raises `InvalidRdata`.
    """
    if fields and fields[0] == b"\\#" and not (quoted and quoted[0]):
        return _generic(rrtype, fields)
    reader = _READERS.get(rrtype)
    if reader is None:
        rdata = None if quoted and any(quoted) else read_signed(rrtype, fields, origin)
        return read_rare(rrtype, fields, origin, quoted) if rdata is None else rdata
    return reader(fields, origin)


_FIELD = re.compile(rb'"((?:[^"\\]|\\.)*)"|((?:[^\s"\\]|\\.)+)|(\S)', re.DOTALL)


def split_fields(text: bytes) -> tuple[list[bytes], list[bool]]:
    """Split text at blanks outside double quotes; returns fields as `from_fields` wants them, and
    which were quoted. Raises `InvalidRdata` for a quote or backslash that nothing follows."""
    fields: list[bytes] = []
    quoted: list[bool] = []
    for match in _FIELD.finditer(text):
        if match[3] is not None:
            raise InvalidRdata("quote is not closed, or backslash at the end", len(fields))
        fields.append(match[match.lastindex or 0])
        quoted.append(match.lastindex == 1)
    return fields, quoted


_ESCAPE = re.compile(rb"\\([0-9]{3}|[^0-9])?", re.DOTALL)


def _undo_escape(match: re.Match[bytes]) -> bytes:
    escaped = match[1]
    if escaped is None:
        raise ValueError("bad escape: a backslash takes three digits, 000 to 255, or a character")
    if len(escaped) == 1:
        return escaped
    if int(escaped) > 255:
        raise ValueError("bad escape: \\DDD is at most 255")
    return bytes((int(escaped),))


def unescape(field: bytes, index: int = 0) -> bytes:
    """The octets of a field, ``\\DDD`` and ``\\X`` undone. Raises `InvalidRdata` (``index`` goes
    into it)."""
    if b"\\" not in field:
        return field
    try:
        return _ESCAPE.sub(_undo_escape, field)
    except ValueError as error:
        raise InvalidRdata(str(error), index) from None


def _count(fields: Sequence[bytes], wanted: int, what: str) -> None:
    if len(fields) != wanted:
        raise InvalidRdata(
            f"expected {what}, got {len(fields)} field{'s' * (len(fields) != 1)}",
            min(len(fields), wanted),
        )


def _name(field: bytes, origin: bytes, index: int) -> bytes:
    try:
        return wire_name.from_text(field, origin)
    except InvalidName as error:
        raise InvalidRdata(str(error), index) from None


def _number(field: bytes, index: int, octets: int, what: str) -> bytes:
    if field.isdigit() and len(field) <= 10:
        value = int(field)
        if value >> (octets * 8) == 0:
            return value.to_bytes(octets, "big")
    raise InvalidRdata(f"{what} must be a number from 0 to {(1 << octets * 8) - 1}", index)


_OCTETS = {b"%d" % value: value for value in range(256)}


def _a(fields: Sequence[bytes], origin: bytes) -> bytes:
    _count(fields, 1, "one IPv4 address")
    try:
        a, b, c, d = fields[0].split(b".")
        return bytes((_OCTETS[a], _OCTETS[b], _OCTETS[c], _OCTETS[d]))
    except (KeyError, ValueError):
        raise InvalidRdata("not an IPv4 address, such as 192.0.2.1", 0) from None


def _aaaa(fields: Sequence[bytes], origin: bytes) -> bytes:
    _count(fields, 1, "one IPv6 address")
    try:
        return inet_pton(AF_INET6, fields[0].decode("ascii"))
    except (OSError, ValueError):
        raise InvalidRdata("not an IPv6 address, such as 2001:db8::1", 0) from None


def _one_name(fields: Sequence[bytes], origin: bytes) -> bytes:
    _count(fields, 1, "one name")
    return _name(fields[0], origin, 0)


def _numbers_and_names(what: str, *numbers: str, names: int = 1) -> _Reader:
    """A reader of 16-bit numbers, of which ``numbers`` says what they are, and names after them."""

    numbered, first, wanted = tuple(enumerate(numbers)), len(numbers), len(numbers) + names

    def read(fields: Sequence[bytes], origin: bytes) -> bytes:
        _count(fields, wanted, what)
        rdata = b""
        for at, number in numbered:
            rdata += _number(fields[at], at, 2, number)
        for at in range(first, wanted):
            rdata += _name(fields[at], origin, at)
        return rdata

    return read


_UNITS = {b"s": 1, b"m": 60, b"h": 3600, b"d": 86400, b"w": 604800}
_TTL = re.compile(rb"(?:[0-9]{1,10}[smhdw])+", re.IGNORECASE)
_TTL_PART = re.compile(rb"([0-9]+)([smhdw])", re.IGNORECASE)


def seconds(field: bytes) -> int:
    """A time in seconds, plain (``3600``) or with BIND's units (``1h30m``).

    Raises `ValueError` for anything else; the range is the caller's matter.
    """
    if field.isdigit() and len(field) <= 10:
        return int(field)
    if not _TTL.fullmatch(field):
        raise ValueError("not a time: expected seconds, or numbers with the units s m h d w")
    return sum(int(number) * _UNITS[unit.lower()] for number, unit in _TTL_PART.findall(field))


def _soa(fields: Sequence[bytes], origin: bytes) -> bytes:
    _count(fields, 7, "MNAME, RNAME, serial, refresh, retry, expire and minimum")
    times = [_number(fields[2], 2, 4, "serial")]
    for index in range(3, 7):
        try:
            times.append(seconds(fields[index]).to_bytes(4, "big"))
        except (ValueError, OverflowError):
            raise InvalidRdata("must be a time of 0 to 4294967295 seconds", index) from None
    return b"".join((_name(fields[0], origin, 0), _name(fields[1], origin, 1), *times))


def _string(field: bytes, index: int) -> bytes:
    octets = unescape(field, index)
    if len(octets) > 255:
        raise InvalidRdata(
            f"character-string of {len(octets)} octets; at most 255 are allowed", index
        )
    return bytes((len(octets),)) + octets


def _txt(fields: Sequence[bytes], origin: bytes) -> bytes:
    if not fields:
        raise InvalidRdata("expected at least one character-string", 0)
    return limited(b"".join([_string(field, index) for index, field in enumerate(fields)]))


def _lua(fields: Sequence[bytes], origin: bytes) -> bytes:
    if len(fields) < 2:
        raise InvalidRdata("expected an RR type and at least one string of code", len(fields))
    try:
        covered = rr.from_text(fields[0].decode("latin-1"))
    except ValueError as error:
        raise InvalidRdata(str(error), 0) from None
    strings = [_string(field, index) for index, field in enumerate(fields[1:], 1)]
    return limited(covered.to_bytes(2, "big") + b"".join(strings))


def _caa(fields: Sequence[bytes], origin: bytes) -> bytes:
    _count(fields, 3, "flags, tag and value")
    tag = unescape(fields[1], 1)
    if not tag.isalnum() or len(tag) > 255:
        raise InvalidRdata("tag must be 1 to 255 letters and digits (RFC 8659 §4.1)", 1)
    flags = _number(fields[0], 0, 1, "flags")
    return limited(flags + bytes((len(tag),)) + tag + unescape(fields[2], 2))


_GROUP = re.compile(rb"[0-9A-Fa-f]{1,4}")


def _locator(fields: Sequence[bytes], origin: bytes) -> bytes:
    """NID and L64 (RFC 6742 §2), whose groups may lack their zeros in front as in an address."""
    _count(fields, 2, "preference and four groups of hexadecimal digits")
    groups = fields[1].split(b":")
    if len(groups) != 4 or not all(_GROUP.fullmatch(group) for group in groups):
        raise InvalidRdata("not four groups of hexadecimal digits, such as 14:4fff:ff20:ee64", 1)
    digits = b"".join([group.zfill(4) for group in groups])
    return _number(fields[0], 0, 2, "preference") + bytes.fromhex(digits.decode("ascii"))


def limited(rdata: bytes) -> bytes:
    """The RDATA as it is. Raises `InvalidRdata` for more than `MAX_RDATA` octets."""
    if len(rdata) > MAX_RDATA:
        raise InvalidRdata(f"RDATA of {len(rdata)} octets; at most {MAX_RDATA} are allowed", 0)
    return rdata


_READERS: dict[int, _Reader] = {
    rr.A: _a,
    rr.AAAA: _aaaa,
    **dict.fromkeys(rr.ONE_NAME, _one_name),
    **dict.fromkeys(rr.TWO_NAMES, _numbers_and_names("two names", names=2)),
    **dict.fromkeys(rr.TEXTS, _txt),
    rr.MX: _numbers_and_names("preference and name", "preference"),
    rr.SRV: _numbers_and_names("priority, weight, port and name", "priority", "weight", "port"),
    rr.SOA: _soa,
    rr.CAA: _caa,
    rr.LUA: _lua,
    **dict.fromkeys((rr.NID, rr.L64), _locator),
}


def _generic(rrtype: int, fields: Sequence[bytes]) -> bytes:
    if len(fields) < 2:
        raise InvalidRdata("expected a length after \\#", len(fields))
    length = int.from_bytes(_number(fields[1], 1, 2, "length"), "big")
    try:
        rdata = bytes.fromhex(b"".join(fields[2:]).decode("ascii"))
    except ValueError:
        raise InvalidRdata("expected pairs of hexadecimal digits", 2) from None
    if len(rdata) != length:
        raise InvalidRdata(f"length says {length} octets, but {len(rdata)} follow", 1)
    check_wire(rrtype, rdata)
    return rdata

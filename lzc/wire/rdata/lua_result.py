"""RDATA in its wire format, from the result of a LUA record, as PowerDNS reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from lzc.powerdns_versions import LATEST, Version, since
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.wire.rdata.octets import InvalidRdata, strings_to_wire
from lzc.wire.rdata.reading import from_fields, limited, split_fields, unescape

_Fields = Mapping[int, int]
_QUOTED_FROM: Final[Mapping[Version, _Fields]] = {
    (4, 7): {rr.TXT: 0, rr.SPF: 0, rr.HINFO: 0, rr.CAA: 2, rr.NAPTR: 2, rr.URI: 2},
    (5, 1): {},
}
"""By type, the first of the fields that are taken only in double quotes."""

_UNKNOWN_KEYS: Final[Mapping[Version, frozenset[bytes]]] = {
    (4, 7): frozenset((b"dohpath", b"ohttp")),
    (5, 1): frozenset(),
}
"""Names of service parameters (RFC 9460 §14.3) that are not known; by number they are."""

_HINTS: Final = frozenset((b"ipv4hint=auto", b"ipv6hint=auto"))
"""Service parameters that come to nothing here: in a zone they stand for the addresses there."""


def from_presentation(rrtype: int, text: bytes, origin: bytes, version: Version = LATEST) -> bytes:
    """RDATA of one text in presentation format.

    As a version of PowerDNS reads it, which differs from a zone file: strings of TXT and SPF over
    255 octets are cut into several, IPv4 addresses may have leading zeros (the numbers are decimal
    all the same), and seconds of LOC any decimals; before 5.1, strings stand in double quotes.
    Raises `InvalidRdata`.
    """
    if rrtype in (rr.A, rr.AAAA):
        if len(text) > _CACHED_SIZE:
            text = text.strip()
            if len(text) > _CACHED_SIZE:
                raise InvalidRdata("is no address", 0)
        return address(rrtype, text)
    # A text may be new with every query.
    if rrtype != rr.TXT and len(text) <= _CACHED_SIZE:
        return _read_cached(rrtype, text, origin, version)
    return _read(rrtype, text, origin, version)


def from_result(rrtype: int, text: bytes, version: Version = LATEST) -> bytes:
    """RDATA of a result of a LUA record in a version: that of TXT stands between double quotes,
    which are not part of the result. Raises `InvalidRdata`."""
    if rrtype != rr.TXT:
        return from_presentation(rrtype, text, wire_name.ROOT, version)
    if len(text) <= 255 and b'"' not in text and b"\\" not in text:
        # One plain string: 3 µs less than the long way.
        return bytes((len(text),)) + text
    return _read(rrtype, b'"' + text + b'"', wire_name.ROOT, version)


def _read(rrtype: int, text: bytes, origin: bytes, version: Version) -> bytes:
    fields, quoted = split_fields(text)
    generic = fields[:1] == [b"\\#"] and not quoted[0]
    if rrtype in _SERVICES and not generic:
        fields, quoted = _service(fields, quoted, since(version, _UNKNOWN_KEYS))
    first = since(version, _QUOTED_FROM).get(rrtype)
    if first is not None and not generic:
        # The replacement of NAPTR, its sixth field, is a name.
        last = 5 if rrtype == rr.NAPTR else len(fields)
        for index in range(first, min(last, len(fields))):
            if not quoted[index]:
                raise InvalidRdata("must stand in double quotes", index)
    if fields and rrtype in (rr.TXT, rr.SPF) and len(text) > 255 and not generic:
        strings = [unescape(field, index) for index, field in enumerate(fields)]
        return limited(strings_to_wire([part for string in strings for part in _cut(string)]))
    if rrtype == rr.LOC and not generic:
        fields = _whole_milliseconds(fields)
    return from_fields(rrtype, fields, origin, quoted)


_SERVICES: Final = frozenset((rr.SVCB, rr.HTTPS))


def _service(
    fields: list[bytes], quoted: list[bool], unknown: frozenset[bytes]
) -> tuple[list[bytes], list[bool]]:
    """The fields of a SVCB RR and which are quoted, without hints that come to nothing."""
    for index, field in enumerate(fields[2:], 2):
        if field.partition(b"=")[0].lower() in unknown:
            raise InvalidRdata("has a key that this version does not know", index)
    kept = [index for index, field in enumerate(fields) if field.lower() not in _HINTS]
    return [fields[index] for index in kept], [quoted[index] for index in kept]


_CACHED_SIZE = 512
_read_cached = lru_cache(maxsize=4096)(_read)


@lru_cache(maxsize=8192)
def address(rrtype: int, text: bytes) -> bytes:
    """RDATA of an address (A or AAAA) without many blanks around it. Raises `InvalidRdata`."""
    if rrtype == rr.A:
        numbers = text.strip().split(b".")
        if all(number.isdigit() for number in numbers):
            text = b".".join([number.lstrip(b"0") or b"0" for number in numbers])
    return from_fields(rrtype, text.split(), wire_name.ROOT)


_SECONDS = re.compile(rb"(\d{1,4})(?:\.(\d*))?")


def _whole_milliseconds(fields: list[bytes]) -> list[bytes]:
    """The fields of a LOC RR with seconds as RFC 1876 §3 has them, below 60 and of three decimals.
    ``latlonloc`` gives up to five, and 60 for what is next to it; PowerDNS cuts the former off and
    counts the latter as a minute."""
    found = list(fields)
    for index in range(3, len(fields)):
        before = fields[index - 3 : index]
        seconds = _SECONDS.match(before[2])
        if fields[index] not in _HEMISPHERES or seconds is None:
            continue
        if not (before[0].isdigit() and before[1].isdigit()):
            continue
        whole, decimals = int(seconds[1]), (seconds[2] or b"")[:3].decode()
        minutes = int(before[0]) * 60 + int(before[1])
        if whole == 60 and int(before[1]) < 60:
            minutes, whole = minutes + 1, 0
            found[index - 3], found[index - 2] = b"%d" % (minutes // 60), b"%d" % (minutes % 60)
        found[index - 1] = b"%d.%s" % (whole, decimals.ljust(3, "0").encode())
    return found


_HEMISPHERES = frozenset((b"N", b"S", b"E", b"W", b"n", b"s", b"e", b"w"))


def _cut(string: bytes) -> list[bytes]:
    return [string[at : at + 255] for at in range(0, len(string) or 1, 255)]

"""Texts of plans: put together from constants, who asks and what for, and read as RDATA."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from math import floor
from typing import Any, Final

from lzc.lua import address
from lzc.lua.plan.format import Text
from lzc.lua.plan.locations import FIELDS, UNKNOWN, Geolocator, Location
from lzc.lua.plan.names import labels_of, text_of
from lzc.powerdns_versions import Version
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype

_NAMES: Final = frozenset((rrtype.PTR, rrtype.CNAME))
_LONGEST: Final = 250
_KEPT: Final = 512
"""Octets of a text that is kept with the RDATA that it is."""
_PLAIN: Final = re.compile(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")

_ATTRIBUTES: Final = {
    **{name: name.lower() for name in ("City", "Continent", "Country", "Name", "Region")},
    "ASn": "asnum",
    "Country2": "country",
}


def content(covered: int, text: bytes, version: Version) -> tuple[bytes] | None:
    """The RDATA that a record's result is, or nothing where Lua has to say what is wrong."""
    read = _kept if len(text) <= _KEPT else _content
    return read(covered, text, version)


def _content(covered: int, text: bytes, version: Version) -> tuple[bytes] | None:
    if b"\0" in text:
        return None
    if covered in _NAMES and len(text) <= _LONGEST and _PLAIN.fullmatch(text):
        # Names are mostly new: 1 µs, where the long way takes 8.
        labels = text.removesuffix(b".").split(b".")
        return (b"".join([bytes((len(label),)) + label for label in labels]) + b"\0",)
    try:
        return (wire_rdata.from_result(covered, text, version),)
    except wire_rdata.InvalidRdata:
        return None


_kept: Final = lru_cache(maxsize=8192)(_content)


def joined(parts: list[list[Any]], geolocator: Geolocator) -> Text:
    """A text of several parts. Raises `ValueError` or `KeyError` for what is none."""
    found = [_part(part[0], part[1:], geolocator) for part in parts]
    if len(found) == 1:
        return found[0]

    def text(who: bytes, qname: bytes, apex: bytes) -> bytes | None:
        pieces = []
        for part in found:
            piece = part(who, qname, apex)
            if piece is None:
                return None
            pieces.append(piece)
        return b"".join(pieces)

    return text


def _part(kind: str, arguments: list[Any], geolocator: Geolocator) -> Text:
    locate = geolocator.locate
    if kind == "is":
        constant = arguments[0].encode("latin-1")
        return lambda who, qname, apex: constant
    if kind == "client":
        return lambda who, qname, apex: address.to_text(who)
    if kind == "name":
        return lambda who, qname, apex: text_of(qname)
    if kind == "label":
        number = int(arguments[0])
        return lambda who, qname, apex: _label(qname, number)
    if kind == "latlon":
        return lambda who, qname, apex: coordinates(locate(who))
    if kind == "latlonloc":
        return lambda who, qname, apex: location(locate(who))
    if kind == "geo" and arguments[0] == "Location":
        return lambda who, qname, apex: (
            coordinates(at) if (at := locate(who)).is_located else b"unknown"
        )
    if kind == "geo":
        attribute = Location._fields.index(_ATTRIBUTES[arguments[0]])
        return lambda who, qname, apex: _known(locate(who)[attribute])
    if kind == "asnum":
        raise ValueError("part 'asnum'")
    field = FIELDS[kind]
    codes: Callable[[bytes], tuple[Any, ...]] = locate
    return lambda who, qname, apex: codes(who)[field] or UNKNOWN


def _known(value: Any) -> bytes:
    if value is None:
        return b"unknown"
    return value if isinstance(value, bytes) else str(value).encode()


def _label(qname: bytes, number: int) -> bytes | None:
    """A label by its number from 1, where it means itself in whatever it is put into."""
    if text_of(qname) is None:
        return None
    labels = labels_of(qname)
    return labels[number - 1] if 0 < number <= len(labels) else None


def coordinates(where: Location) -> bytes:
    """``latlon``"""
    return b"%f %f" % (where.latitude, where.longitude)


def location(where: Location) -> bytes:
    """``latlonloc``, as in a LOC record (RFC 1876 §3)."""
    latitude = _sexagesimal(where.latitude, b"N", b"S")
    longitude = _sexagesimal(where.longitude, b"E", b"W")
    return latitude + b" " + longitude + b" 0.00m 1.00m 10000.00m 10.00m"


def _sexagesimal(value: float, positive: bytes, negative: bytes) -> bytes:
    hemisphere = positive
    if value <= 0:
        value, hemisphere = -value, negative
    degrees = floor(value)
    minutes = floor((value - degrees) * 60)
    seconds = ((value - degrees) * 60 - minutes) * 60
    # Where nothing is known, PowerDNS has minus zero seconds; zero a hair to the south or west.
    return b"%d %d %g %s" % (degrees, minutes, seconds if value else value, hemisphere)

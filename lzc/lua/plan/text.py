"""Texts of plans: put together from constants, who asks and what for, and read as RDATA."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from math import floor
from typing import Any, Final

from lzc.lua import address
from lzc.lua.plan.locations import (
    ASN,
    CITY,
    CONTINENT,
    COUNTRY,
    FIELDS,
    LATITUDE,
    LOCATED,
    LONGITUDE,
    NAME,
    REGION,
    UNKNOWN,
    Location,
    Places,
)
from lzc.lua.plan.names import labels_of, text_of
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype

Text = Callable[[bytes, bytes], bytes | None]
"""Takes the client's address, packed, and the QNAME; gives a text, or nothing for Lua."""

_NAMES: Final = frozenset((rrtype.PTR, rrtype.CNAME))
_LONGEST: Final = 250
_KEPT: Final = 512
"""Octets of a text that is kept with the RDATA that it is."""
_PLAIN: Final = re.compile(rb"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?")

_ATTRIBUTES: Final = {
    "ASn": ASN,
    "City": CITY,
    "Continent": CONTINENT,
    "Country": COUNTRY,
    "Country2": COUNTRY,
    "Name": NAME,
    "Region": REGION,
}


def content(covered: int, text: bytes) -> tuple[bytes] | None:
    """The RDATA that a record's result is, or nothing where Lua has to say what is wrong."""
    return _kept(covered, text) if len(text) <= _KEPT else _content(covered, text)


def _content(covered: int, text: bytes) -> tuple[bytes] | None:
    if b"\0" in text:
        return None
    if covered in _NAMES and len(text) <= _LONGEST and _PLAIN.fullmatch(text):
        # Names are mostly new: 1 µs, where the long way takes 8.
        labels = text.removesuffix(b".").split(b".")
        return (b"".join([bytes((len(label),)) + label for label in labels]) + b"\0",)
    try:
        return (wire_rdata.from_result(covered, text),)
    except wire_rdata.InvalidRdata:
        return None


_kept: Final = lru_cache(maxsize=8192)(_content)


def joined(parts: list[list[Any]], places: Places) -> Text:
    """A text of several parts. Raises `ValueError` or `KeyError` for what is none."""
    found = [_part(part[0], part[1:], places) for part in parts]
    if len(found) == 1:
        return found[0]

    def text(who: bytes, qname: bytes) -> bytes | None:
        pieces = []
        for part in found:
            piece = part(who, qname)
            if piece is None:
                return None
            pieces.append(piece)
        return b"".join(pieces)

    return text


def _part(kind: str, arguments: list[Any], places: Places) -> Text:
    place = places.place
    if kind == "is":
        constant = arguments[0].encode("latin-1")
        return lambda who, qname: constant
    if kind == "client":
        return lambda who, qname: address.to_text(who)
    if kind == "name":
        return lambda who, qname: text_of(qname)
    if kind == "label":
        number = int(arguments[0])
        return lambda who, qname: _label(qname, number)
    if kind == "latlon":
        return lambda who, qname: coordinates(place(who))
    if kind == "latlonloc":
        return lambda who, qname: location(place(who))
    if kind == "geo" and arguments[0] == "Location":
        return lambda who, qname: coordinates(at) if (at := place(who))[LOCATED] else b"unknown"
    if kind == "geo":
        attribute = _ATTRIBUTES[arguments[0]]
        return lambda who, qname: _known(place(who)[attribute])
    if kind == "asnum":
        raise ValueError("part 'asnum'")
    field = FIELDS[kind]
    return lambda who, qname: place(who)[field] or UNKNOWN


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


def coordinates(place: Location) -> bytes:
    """``latlon``"""
    return b"%f %f" % (place[LATITUDE], place[LONGITUDE])


def location(place: Location) -> bytes:
    """``latlonloc``, as in a LOC record (RFC 1876 §3)."""
    latitude = _sexagesimal(place[LATITUDE], b"N", b"S")
    longitude = _sexagesimal(place[LONGITUDE], b"E", b"W")
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

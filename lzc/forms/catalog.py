"""A catalog zone as its producer makes it (RFC 9432)."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from typing import Final

from lzc.wire import rrtype as rr
from lzc.wire.name import from_labels, key_of_labels
from lzc.zone.model import Record, Zone

_VERSION: Final = b"\x012"
"""The version of the schema, as TXT (RFC 9432 §4.2.1)."""
_INVALID: Final = from_labels([b"invalid"])
_ID: Final = 26
"""Characters of a member's id, of 130 bits."""
_TIMES: Final = (3600, 600, 2147483646, 0)
"""REFRESH, RETRY, EXPIRE and MINIMUM: nobody resolves a catalog, and a consumer that cannot reach
us keeps its zones."""
_TTL: Final = 0


def member_id(apex: bytes) -> bytes:
    """The label that stands for a zone (lower-case wire name), in each catalog and for good: under
    another one it would be another zone (§5.4), whose keys PowerDNS deletes."""
    return base64.b32hexencode(hashlib.sha256(apex).digest())[:_ID].lower()


def catalog_zone(apex: bytes, members: Mapping[bytes, str]) -> Zone:
    """The catalog with this apex: ``members`` are the apexes of its zones, each with its group or
    the empty text. Its serial is 1."""
    zone = Zone(apex)
    soa = _INVALID + _INVALID + b"".join(one.to_bytes(4, "big") for one in (1, *_TIMES))
    zone.records += [
        _record([], rr.SOA, soa),
        _record([], rr.NS, _INVALID),
        _record([b"version"], rr.TXT, _VERSION),
    ]
    for member, group in members.items():
        place = [member_id(member), b"zones"]
        zone.records.append(_record(place, rr.PTR, member))
        if group:
            octets = group.encode()
            text = bytes((len(octets),)) + octets
            zone.records.append(_record([b"group", *place], rr.TXT, text))
    zone.records.sort()
    return zone


def _record(labels: list[bytes], rrtype: int, rdata: bytes) -> Record:
    return key_of_labels(labels), rrtype, rdata, _TTL, 0

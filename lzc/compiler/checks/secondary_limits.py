"""What in a zone goes beyond what a server of another kind takes unless it is told to."""

from __future__ import annotations

import re
from itertools import compress, count, islice
from operator import eq, itemgetter
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from lzc.zone.model import Zone

EIGHT_BIT: Final = "8bit-dns"
"""PowerDNS's setting for names with unusual octets."""
MANY_RECORDS: Final = "max-records-per-type"
"""BIND's setting for RRsets of more records than `BIND_LIMIT`."""
MANY_TYPES: Final = "max-types-per-name"
"""Likewise for names with more types."""
BIND_LIMIT: Final = 100

_KEY: Final = itemgetter(0)
_UNUSUAL: Final = re.compile(rb"[^\x00A-Za-z0-9_*-]").search
"""In the key of a node, where 0 stands between labels."""


def beyond_limits(zone: Zone, *, signed: bool) -> tuple[str, ...]:
    """The names of the settings that a zone needs, whose records are sorted; ``signed``: it is
    handed out with signatures, which count as types."""
    keys = list(map(_KEY, zone.records))
    found = []
    if _UNUSUAL(_octets(zone.apex)) or any(map(_UNUSUAL, keys)):
        found.append(EIGHT_BIT)
    # A signature is a type of its own, and NSEC one more.
    most = BIND_LIMIT // 2 - 1 if signed else BIND_LIMIT
    # Names with so many records are few, and found without a loop over all.
    many = map(eq, keys, islice(keys, most, None))
    crowded = {keys[at] for at in compress(count(), many)}
    types: dict[bytes, set[int]] = {}
    rrsets: dict[tuple[bytes, int], int] = {}
    for key, rrtype, *_ in zone.records if crowded else ():
        if key in crowded:
            types.setdefault(key, set()).add(rrtype)
            rrsets[key, rrtype] = rrsets.get((key, rrtype), 0) + 1
    if any(number > BIND_LIMIT for number in rrsets.values()):
        found.append(MANY_RECORDS)
    if any(len(one) > most for one in types.values()):
        found.append(MANY_TYPES)
    return tuple(found)


def _octets(apex: bytes) -> bytes:
    """A wire name with 0 for the lengths of its labels."""
    octets = bytearray(apex)
    position = 0
    while octets[position]:
        length = octets[position]
        octets[position] = 0
        position += 1 + length
    return bytes(octets)

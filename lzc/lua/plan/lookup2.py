"""Bob Jenkins' hash of 1996 ("lookup2", public domain), initial value 0: by it the same client gets
the same item from every server. ``api/hash.lua`` is the same for records that run."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

_MASK: Final = 0xFFFFFFFF
_GOLDEN: Final = 0x9E3779B9
_BLOCK: Final = 12
_KEPT: Final = 65_536
_KEPT_NAMES: Final = 8192


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    a = (a - b - c ^ c >> 13) & _MASK
    b = (b - c - a ^ a << 8) & _MASK
    c = (c - a - b ^ b >> 13) & _MASK
    a = (a - b - c ^ c >> 12) & _MASK
    b = (b - c - a ^ a << 16) & _MASK
    c = (c - a - b ^ b >> 5) & _MASK
    a = (a - b - c ^ c >> 3) & _MASK
    b = (b - c - a ^ a << 10) & _MASK
    c = (c - a - b ^ b >> 15) & _MASK
    return a, b, c


def lookup2(octets: bytes) -> int:
    """The hash, from 0 to 2**32 - 1."""
    a = b = _GOLDEN
    c = position = 0
    size = len(octets)
    while position + _BLOCK <= size:
        a += int.from_bytes(octets[position : position + 4], "little")
        b += int.from_bytes(octets[position + 4 : position + 8], "little")
        c += int.from_bytes(octets[position + 8 : position + 12], "little")
        a, b, c = _mix(a & _MASK, b & _MASK, c & _MASK)
        position += _BLOCK
    # The lowest octet of c is kept for the length.
    a += int.from_bytes(octets[position : position + 4], "little")
    b += int.from_bytes(octets[position + 4 : position + 8], "little")
    c += size + (int.from_bytes(octets[position + 8 :], "little") << 8)
    return _mix(a & _MASK, b & _MASK, c & _MASK)[2]


client_hash = lru_cache(maxsize=_KEPT)(lookup2)
"""`lookup2` of a packed address: those of the last clients are kept."""

name_hash = lru_cache(maxsize=_KEPT_NAMES)(lookup2)
"""`lookup2` of a lower-case wire name: those of the last names are kept."""

"""NSEC RDATA (RFC 4034 §4): which name comes next in the zone, and which types are here."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache


@lru_cache(maxsize=4096)
def _bitmap(types: tuple[int, ...]) -> bytes:
    windows: dict[int, bytearray] = {}
    for rrtype in sorted(types):
        if not 0 <= rrtype <= 0xFFFF:
            raise ValueError(f"RR type {rrtype} is not a number from 0 to 65535")
        bits = windows.setdefault(rrtype >> 8, bytearray())
        octet = (rrtype & 0xFF) >> 3
        bits.extend(bytes(octet + 1 - len(bits)))
        bits[octet] |= 0x80 >> (rrtype & 7)
    return b"".join(
        [bytes((window, len(windows[window]))) + windows[window] for window in sorted(windows)]
    )


def bitmap(types: Iterable[int]) -> bytes:
    """The Type Bit Maps field (RFC 4034 §4.1.2) of RR type numbers, in any order.

    Nothing is added: the caller lists RRSIG and NSEC themselves. A zone has few distinct sets of
    types, so results are kept; a tuple in a steady order is found again fastest. Raises
    `ValueError` for a number outside 0–65535.
    """
    return _bitmap(types if isinstance(types, tuple) else tuple(types))


def nsec_rdata(next_name: bytes, types: Iterable[int]) -> bytes:
    """NSEC RDATA: the wire name of the next owner in canonical order (the apex after the last),
    uncompressed, then the bitmap. The name's case is signed as it stands (RFC 6840 §5.1)."""
    return next_name + bitmap(types)


def types_in(rdata: bytes, offset: int) -> frozenset[int]:
    """The RR types of a Type Bit Maps field that starts at ``offset`` of NSEC RDATA.

    Raises `ValueError` when the field is malformed.
    """
    found = set()
    while offset < len(rdata):
        window = rdata[offset]
        size = rdata[offset + 1] if offset + 1 < len(rdata) else 0
        bits = rdata[offset + 2 : offset + 2 + size]
        if not 1 <= size <= 32 or len(bits) != size:
            raise ValueError("malformed type bitmap")
        for octet, value in enumerate(bits):
            for bit in range(8):
                if value & (0x80 >> bit):
                    found.add(window << 8 | octet << 3 | bit)
        offset += 2 + size
    return frozenset(found)

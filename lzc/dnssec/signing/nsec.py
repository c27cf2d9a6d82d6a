"""NSEC RDATA (RFC 4034 §4): which name comes next in the zone, and which types are here."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def bitmap(types: tuple[int, ...]) -> bytes:
    """The Type Bit Maps field (RFC 4034 §4.1.2) of RR type numbers, in any order.

    Nothing is added: the caller lists RRSIG and NSEC themselves. A zone has few distinct sets of
    types, so results are kept; those in a steady order are found again. Raises `ValueError` for a
    number outside 0–65535.
    """
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

"""The names inside RDATA: where they stand, and the canonical form that lower-cases them."""

from __future__ import annotations

from typing import Final

from lzc.wire import rrtype as rr

Layout = tuple[int, int, int]
"""Octets in front, character-strings in front, names."""

COMPRESSIBLE: Final[dict[int, Layout]] = {
    **dict.fromkeys(rr.ONE_NAME, (0, 0, 1)),
    **dict.fromkeys((rr.SOA, rr.MINFO, rr.RP), (0, 0, 2)),
    **dict.fromkeys((rr.MX, rr.AFSDB, rr.RT, rr.KX), (2, 0, 1)),
    rr.PX: (2, 0, 2),
    rr.SRV: (6, 0, 1),
    rr.NAPTR: (4, 3, 1),
}
"""Types with names that a sender may have compressed: besides those of RFC 1035 those of RFC 3597
§4 that older senders compress."""

# Names in RDATA that are lower-cased in the canonical form, RFC 4034 §6.2 as amended by RFC 6840
# §5.1 (not NSEC). A6 is left out: historic.
_NAMES: Final[dict[int, Layout]] = {
    **COMPRESSIBLE,
    rr.NXT: (0, 0, 1),
    **dict.fromkeys((rr.SIG, rr.RRSIG), (18, 0, 1)),
}


def names_in(rrtype: int, rdata: bytes) -> list[tuple[int, int]]:
    """Where the names stand (start, end) that the canonical form has in lower case (RFC 4034
    §6.2, RFC 6840 §5.1); none for most types.

    RDATA must be well-formed (`lzc.wire.rdata.check_wire`); other RDATA may raise `IndexError` or
    `ValueError`.
    """
    layout = _NAMES.get(rrtype)
    if layout is None:
        return []
    position, strings, names = layout
    for _ in range(strings):
        position += 1 + rdata[position]
    found: list[tuple[int, int]] = []
    for _ in range(names):
        start = position
        while length := rdata[position]:
            if length > 63:
                raise ValueError("compressed name")
            position += 1 + length
        position += 1
        found.append((start, position))
    return found


def canonical(rrtype: int, rdata: bytes) -> bytes:
    """The RDATA in the canonical form of RFC 4034 §6.2."""
    if rrtype not in _NAMES:
        return rdata
    for start, end in names_in(rrtype, rdata):
        rdata = rdata[:start] + rdata[start:end].lower() + rdata[end:]
    return rdata


_TARGET_OFFSETS = {rr.NS: 0, rr.CNAME: 0, rr.PTR: 0, rr.DNAME: 0, rr.MX: 2, rr.SRV: 6}


def target(rrtype: int, rdata: bytes) -> bytes | None:
    """The name that NS, CNAME, PTR, DNAME, MX or SRV RDATA points to, a lower-case wire name;
    None for other types."""
    offset = _TARGET_OFFSETS.get(rrtype)
    return None if offset is None else rdata[offset:].lower()

"""The RRSIGs at a name of a presigned zone, as one byte string: of each, in the order of RDATA, the
length of its RDATA u16 and that (RFC 4034 §3.1). Their TTL is that of what they cover."""

from __future__ import annotations

from collections.abc import Iterable


def encode(rdatas: Iterable[bytes]) -> bytes:
    """The byte string of RRSIG RDATA, in any order."""
    return b"".join([len(rdata).to_bytes(2, "big") + rdata for rdata in sorted(rdatas)])


def over(octets: bytes, rrtype: int) -> tuple[bytes, ...]:
    """The RDATA of those that cover a type."""
    wanted = rrtype.to_bytes(2, "big")
    found = []
    position = 0
    while position < len(octets):
        start = position + 2
        position = start + (octets[position] << 8 | octets[position + 1])
        if octets[start : start + 2] == wanted:
            found.append(octets[start:position])
    return tuple(found)

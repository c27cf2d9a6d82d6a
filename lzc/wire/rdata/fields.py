"""What the other rooms read out of RDATA in wire format that is known to be well-formed."""

from __future__ import annotations


def soa_serial(rdata: bytes) -> int:
    """The serial of SOA RDATA (RFC 1035 §3.3.13)."""
    return int.from_bytes(rdata[-20:-16], "big")


def with_serial(rdata: bytes, serial: int) -> bytes:
    """The SOA RDATA with another serial."""
    return rdata[:-20] + serial.to_bytes(4, "big") + rdata[-16:]


def soa_times(rdata: bytes) -> tuple[int, int, int, int]:
    """Refresh, retry, expire and minimum of SOA RDATA, in seconds."""
    refresh, retry, expire, minimum = (
        int.from_bytes(rdata[at : at + 4 or None], "big") for at in (-16, -12, -8, -4)
    )
    return refresh, retry, expire, minimum


def covered_type(rdata: bytes) -> int:
    """The type that RDATA of LUA answers for, or that of RRSIG covers (RFC 4034 §3.1.1)."""
    return int.from_bytes(rdata[:2], "big")

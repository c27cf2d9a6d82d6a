"""RDATA in wire format: checks, and what the other rooms read out of it that is well-formed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from lzc.wire import rrtype as rr
from lzc.wire.name import MAX_NAME, from_wire
from lzc.wire.rdata.embedded_names import names_in

if TYPE_CHECKING:
    import dns.rdata

# What dnspython takes for types without a format.
_ONLY_NAMES = frozenset({rr.MD, rr.MF, rr.MB, rr.MG, rr.MR, rr.MINFO, rr.TALINK})


class InvalidRdata(ValueError):
    """RDATA that is not well-formed for its type; ``field_index`` is the presentation field at
    fault, counted from 0 (the number of fields when one is missing)."""

    def __init__(self, message: str, field_index: int = 0) -> None:
        super().__init__(message)
        self.field_index = field_index


def check_wire(rrtype: int, rdata: bytes) -> None:
    """Raises `InvalidRdata` unless ``rdata`` is well-formed for its type; a type that is known to
    neither lzc nor dnspython is well-formed whatever it holds."""
    if rrtype == rr.LUA:
        try:
            strings_in(rdata, 2)
        except ValueError:
            message = "not the RDATA of a LUA record: type and character-strings"
            raise InvalidRdata(message, 2) from None
        return
    try:
        parse(rrtype, rdata)
        end = -1
        for start, end in names_in(rrtype, rdata):
            if end - start > MAX_NAME:
                raise ValueError("name over 255 octets")
        if rrtype == rr.TALINK:
            end = from_wire(rdata, from_wire(rdata, 0)[1])[1]
        if rrtype in _ONLY_NAMES and end != len(rdata):
            raise ValueError("octets after the last name")
    except (ValueError, IndexError) as error:
        raise InvalidRdata(f"not the RDATA of {rr.to_text(rrtype)}: {error}", 2) from None


def strings_in(rdata: bytes, position: int) -> list[bytes]:
    """The character-strings (RFC 1035 §3.3) from ``position`` to the end, one at least. Raises
    `ValueError` where there is none, or one that runs past the end."""
    strings: list[bytes] = []
    while position < len(rdata):
        end = position + 1 + rdata[position]
        strings.append(rdata[position + 1 : end])
        position = end
    if not strings:
        raise ValueError("no character-string")
    if position != len(rdata):
        raise ValueError("character-string runs past the end of the RDATA")
    return strings


def strings_to_wire(strings: Iterable[bytes]) -> bytes:
    """Character-strings in wire format. The inverse of `strings_in`. Raises `ValueError` for one of
    over 255 octets."""
    return b"".join([bytes((len(string),)) + string for string in strings])


def parse(rrtype: int, rdata: bytes) -> dns.rdata.Rdata:
    """RDATA as dnspython has it. Raises `ValueError` when it is malformed."""
    # Imported here: most zones and every server start without it.
    import dns.exception
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype

    try:
        kind = dns.rdatatype.RdataType.make(rrtype)
        return dns.rdata.from_wire(dns.rdataclass.IN, kind, rdata, 0, len(rdata))
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(str(error) or type(error).__name__) from None


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

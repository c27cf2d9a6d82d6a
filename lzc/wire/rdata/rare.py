"""RDATA of the rare types, read by dnspython, which is imported when such a type is first met."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

from lzc.wire import rrtype as rr
from lzc.wire.rdata.octets import InvalidRdata, check_wire

_SEA_LEVEL: Final = 10_000_000
"""The altitude 0 in centimetres above the base (RFC 1876 §2)."""


def read_rare(
    rrtype: int, fields: Sequence[bytes], origin: bytes, quoted: Sequence[bool] | None
) -> bytes:
    """RDATA of presentation fields, as `lzc.wire.rdata.from_fields` takes them.

    Raises `InvalidRdata` at the field that was read last.
    """
    import dns.exception
    import dns.name
    import dns.rdata
    import dns.rdataclass
    import dns.rdatatype
    import dns.rdtypes.ANY.LOC
    import dns.tokenizer

    if not fields and rrtype != rr.APL:
        raise InvalidRdata("RDATA is missing", 0)
    kind = dns.rdatatype.RdataType.make(rrtype)
    known = dns.rdata.get_rdata_class(dns.rdataclass.IN, kind)  # type: ignore[no-untyped-call]
    if known in (None, dns.rdata.GenericRdata):
        raise InvalidRdata(f"{rr.to_text(rrtype)} is known only as \\# length hex (RFC 3597 §5)", 0)
    tokens = dns.tokenizer.Tokenizer(_joined(rrtype, fields, quoted))
    read = 0
    ended = False
    get, unget = tokens.get, tokens.unget

    def counting_get(*args: bool, **options: bool) -> dns.tokenizer.Token:
        nonlocal read, ended
        token = get(*args, **options)
        ended = token.is_eol_or_eof()
        read += not ended
        return token

    def counting_unget(token: dns.tokenizer.Token) -> None:
        nonlocal read
        read -= not token.is_eol_or_eof()
        unget(token)

    tokens.get = counting_get  # type: ignore[method-assign]
    tokens.unget = counting_unget  # type: ignore[method-assign]
    try:
        value = dns.rdata.from_text(
            dns.rdataclass.IN,
            kind,
            tokens,
            origin=dns.name.from_wire(origin, 0)[0],
            relativize=False,
        )
        rdata = value.to_wire() or b""
        if isinstance(value, dns.rdtypes.ANY.LOC.LOC):
            # It cuts a product of doubles, such as 28.999999999999996 for 0.29m.
            altitude = int(round(value.altitude, 4)) + _SEA_LEVEL
            rdata = rdata[:12] + altitude.to_bytes(4, "big")
    except dns.exception.UnexpectedEnd:
        raise InvalidRdata("a quote is not closed", len(fields) - 1) from None
    except (
        dns.exception.DNSException,
        ValueError,
        LookupError,
        ArithmeticError,
        struct.error,
    ) as error:
        message = str(error)
        if ended and message.startswith("expecting"):
            raise InvalidRdata("RDATA ends too early", len(fields)) from None
        if not message or message == dns.exception.FormError.__doc__:
            # dnspython checks some values by reading them back from a message.
            message = "not well-formed"
        raise InvalidRdata(message, max(min(read, len(fields)) - 1, 0)) from None
    try:
        # Some values are taken from text that no wire format may hold, such as a latitude of 90°1".
        check_wire(rrtype, rdata)
    except InvalidRdata as error:
        raise InvalidRdata(str(error), len(fields) - 1) from None
    return rdata


def _joined(rrtype: int, fields: Sequence[bytes], quoted: Sequence[bool] | None) -> str:
    text = ""
    for index, field in enumerate(fields):
        if quoted and quoted[index]:
            # A quoted value of a SvcParam belongs to the key in front (RFC 9460 §2.1).
            text += f'"{_printable(field)}" '
        elif rrtype in (rr.SVCB, rr.HTTPS) and field.endswith(b"="):
            text += _printable(field)
        else:
            text += _printable(field) + " "
    return text


def _printable(field: bytes) -> str:
    return "".join([chr(o) if 32 <= o <= 126 else f"\\{o:03d}" for o in field])

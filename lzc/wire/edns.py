"""EDNS(0): the OPT pseudo-RR (RFC 6891) and the options that lzc acts upon."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple

NSID: Final = 3
CLIENT_SUBNET: Final = 8
COOKIE: Final = 10
TCP_KEEPALIVE: Final = 11
PADDING: Final = 12

DO: Final = 0x8000
"""The DNSSEC OK bit in the flags of an OPT RR (RFC 3225)."""
CO: Final = 0x4000
"""The Compact Answers OK bit (RFC 9824 §5.1)."""

MIN_UDP_SIZE: Final = 512
"""Octets that every UDP answer may have (RFC 1035 §2.3.4)."""
UDP_SIZE: Final = 1232
"""Octets of a UDP message that cross the Internet in one piece (RFC 9715)."""

_ADDRESS_OCTETS = {1: 4, 2: 16}
_OPTION = struct.Struct(">HH")


class InvalidOpt(ValueError):
    """An OPT RR or option that is malformed; the answer is FORMERR with an OPT (RFC 6891 §7)."""


class ClientSubnet(NamedTuple):
    """EDNS Client Subnet (RFC 7871 §6).

    ``family`` is 1 (IPv4), 2 (IPv6), or 0 when the client sent none, with ``source`` 0; ``source``
    and ``scope`` are prefix lengths in bits; ``address`` is the network address, zero-filled to 4
    or 16 octets (empty for family 0).
    """

    family: int
    source: int
    scope: int
    address: bytes

    @classmethod
    def from_option(cls, data: bytes) -> ClientSubnet:
        """Read the option of a query. Raises `InvalidOpt` as RFC 7871 §6 and §7.1.2 ask: unknown
        family, prefix or address of a wrong length, bits beyond the prefix, a scope not 0."""
        if len(data) < 4:
            raise InvalidOpt("client subnet option of less than 4 octets")
        family = data[0] << 8 | data[1]
        source = data[2]
        given = len(data) - 4
        if data[3]:
            raise InvalidOpt("client subnet option of a query with a scope prefix length")
        if family == 0 and source == 0 and not given:
            return cls(0, 0, 0, b"")
        octets = _ADDRESS_OCTETS.get(family)
        if octets is None:
            raise InvalidOpt(f"client subnet option of unknown family {family}")
        if source > octets * 8:
            raise InvalidOpt(f"client subnet prefix length {source} is over {octets * 8}")
        if given != (source + 7) >> 3:
            raise InvalidOpt("client subnet address and prefix length do not match")
        if source & 7 and data[-1] & (0xFF >> (source & 7)):
            raise InvalidOpt("client subnet address has bits set beyond its prefix")
        return cls(family, source, 0, data[4:] + bytes(octets - given))

    def to_option(self, scope: int) -> bytes:
        """The whole option, code and length included, for an answer of the given scope (bits)."""
        address = self.address[: (self.source + 7) >> 3]
        return (
            struct.pack(">HHHBB", CLIENT_SUBNET, 4 + len(address), self.family, self.source, scope)
            + address
        )


class Edns(NamedTuple):
    """What the OPT RR of a message says.

    ``udp_size`` is in octets, at least 512 (RFC 6891 §6.2.3); ``flags`` has the `DO` and `CO` bits;
    ``options`` are all options in order, except for versions over 0, whose OPT is not looked into.
    ``cookie`` is the data of the first COOKIE option; ``nsid`` tells that it was asked for,
    ``padding`` that the message has that option (RFC 7830). ``keepalive`` is the data of the first
    edns-tcp-keepalive option, which a query has without any (RFC 7828 §3.2.1).
    """

    version: int
    udp_size: int
    flags: int
    extended_rcode: int
    options: tuple[tuple[int, bytes], ...] = ()
    client_subnet: ClientSubnet | None = None
    cookie: bytes | None = None
    nsid: bool = False
    padding: bool = False
    keepalive: bytes | None = None

    @property
    def dnssec_ok(self) -> bool:
        """True when the DO bit is set."""
        return self.flags & DO != 0

    @property
    def compact_ok(self) -> bool:
        """True when the CO bit is set."""
        return self.flags & CO != 0


@lru_cache(maxsize=256)
def plain(fixed: bytes) -> Edns:
    """The OPT RR without options whose 8 octets after the type are given (class and TTL, that is
    size, extended RCODE, version and flags, then RDLENGTH, which is not looked at)."""
    return Edns(
        fixed[3],
        max(fixed[0] << 8 | fixed[1], MIN_UDP_SIZE),
        fixed[4] << 8 | fixed[5],
        fixed[2],
    )


def parse(fixed: bytes, rdata: bytes) -> Edns:
    """An OPT RR: the 8 octets after its type as for `plain`, and its RDATA.

    Raises `InvalidOpt` for options that run out of the RDATA, bad client subnets and cookies of a
    wrong length (RFC 7873 §5.2.2).
    """
    base = plain(fixed)
    if not rdata or base.version:
        return base
    options: list[tuple[int, bytes]] = []
    subnet: ClientSubnet | None = None
    cookie: bytes | None = None
    nsid = padding = False
    keepalive: bytes | None = None
    position, end = 0, len(rdata)
    while position < end:
        if position + 4 > end:
            raise InvalidOpt("EDNS option header runs past the end of the OPT RR")
        code, length = _OPTION.unpack_from(rdata, position)
        position += 4
        data = rdata[position : position + length]
        if len(data) != length:
            raise InvalidOpt("EDNS option runs past the end of the OPT RR")
        position += length
        options.append((code, data))
        if code == CLIENT_SUBNET:
            if subnet is None:
                subnet = ClientSubnet.from_option(data)
        elif code == COOKIE:
            if cookie is None:
                if length != 8 and not 16 <= length <= 40:
                    raise InvalidOpt(f"COOKIE option of {length} octets")
                cookie = data
        elif code == NSID:
            nsid = True
        elif code == PADDING:
            padding = True
        elif code == TCP_KEEPALIVE and keepalive is None:
            keepalive = data
    asked = tuple(options), subnet, cookie, nsid, padding, keepalive
    return Edns(0, base.udp_size, base.flags, base.extended_rcode, *asked)


def option(code: int, data: bytes) -> bytes:
    """One option, for `build`."""
    return _OPTION.pack(code, len(data)) + data


def tcp_keepalive(idle: float) -> bytes:
    """The option that tells a client for how many seconds its connection may be idle; what it can
    say is at most 6553.5 of them, in tenths (RFC 7828 §3.1)."""
    return option(TCP_KEEPALIVE, min(int(idle * 10), 0xFFFF).to_bytes(2, "big"))


def build(
    udp_size: int,
    *,
    flags: int = 0,
    extended_rcode: int = 0,
    version: int = 0,
    options: Iterable[bytes] = (),
) -> bytes:
    """A whole OPT RR. ``udp_size`` in octets; ``flags`` as `DO`; ``extended_rcode`` is the upper 8
    bits of the 12-bit RCODE (BADVERS, 16, has 1 here); ``options`` as `option` makes them."""
    rdata = b"".join(options)
    return (
        b"\x00\x00\x29"
        + struct.pack(">HBBHH", udp_size, extended_rcode, version, flags, len(rdata))
        + rdata
    )

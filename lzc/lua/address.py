"""Addresses as PowerDNS reads and prints them in LUA records, and networks. No sockets."""

from __future__ import annotations

import re
from socket import AF_INET6, inet_aton, inet_ntop, inet_pton
from typing import Final, Literal

from lzc.wire import rrtype as rr

Family = Literal[4, 6]

FAMILY_OF_TYPE: Final[dict[int, Family]] = {rr.A: 4, rr.AAAA: 6}

_LONGEST = 128
_V4_SHAPE = re.compile(rb"([0-9a-fA-FxX.]+)(?:\s.*)?", re.DOTALL)
_NUMBER = re.compile(rb"\s*([+-]?\d{1,30})")


def parse(text: bytes) -> tuple[bytes, bytes, int] | None:
    """Packed octets, canonical text and port of ``192.0.2.1``, ``192.0.2.1:53``, ``2001:db8::1`` or
    ``[2001:db8::1]:53``; `None` for what is no address. Short IPv4 forms (``192.0.2`` is 192.0.0.2)
    are read as inet_aton(3) does, and ports as strtoul(3) does, because PowerDNS does."""
    if len(text) > _LONGEST:
        return None
    port: int | None = 0
    host = text
    if text.startswith(b"["):
        host, bracket, rest = text[1:].partition(b"]")
        if not bracket or (rest and rest[:1] != b":") or b":" not in host:
            return None
        # What follows the digits counts for nothing here.
        digits = rest[1:]
        if digits:
            port = _unsigned(_NUMBER.match(digits), 64)
    elif text.count(b":") == 1:
        host, _, digits = text.partition(b":")
        port = _unsigned(_NUMBER.fullmatch(digits), 32)
    if port is None or port > 65535:
        return None
    try:
        if b":" in host:
            packed = inet_pton(AF_INET6, host.decode("ascii"))
            return packed, to_text(packed), port
        if not _V4_SHAPE.fullmatch(host):
            return None
        packed = inet_aton(host.decode("ascii"))
    except (OSError, UnicodeDecodeError, ValueError):
        return None
    return packed, to_text(packed), port


def _unsigned(number: re.Match[bytes] | None, bits: int) -> int | None:
    """What an unsigned integer of so many bits holds of a number that fits into 64."""
    if number is None or abs(value := int(number[1])) >= 1 << 64:
        return None
    return value % (1 << bits)


def to_text(packed: bytes) -> bytes:
    """Canonical text of 4 or 16 octets."""
    if len(packed) == 4:
        return b"%d.%d.%d.%d" % tuple(packed)
    return inet_ntop(AF_INET6, packed).encode("ascii")


def family(text: bytes) -> Family | None:
    """4 or 6 for the text of an address as the API reads it (a port may follow); `None` for what
    is none."""
    parsed = parse(text)
    if parsed is None:
        return None
    return 4 if len(parsed[0]) == 4 else 6


def is_network(text: bytes, *, negatable: bool = False) -> bool:
    """True for an address or a network such as ``192.0.2.0/24``, host bits set or not; with
    ``negatable`` a ``!`` may stand in front."""
    host, slash, bits = (text.removeprefix(b"!") if negatable else text).partition(b"/")
    return family(host) is not None and (not slash or bits.isdigit())

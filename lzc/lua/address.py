"""Addresses as PowerDNS reads and prints them in LUA records. Pure functions, no sockets."""

from __future__ import annotations

import re
from socket import AF_INET6, inet_aton, inet_ntop, inet_pton

_LONGEST = 128
_V4_SHAPE = re.compile(rb"([0-9a-fA-FxX.]+)(?:\s.*)?", re.DOTALL)


def parse(text: bytes) -> tuple[bytes, bytes, int] | None:
    """Packed octets, canonical text and port of ``192.0.2.1``, ``192.0.2.1:53``, ``2001:db8::1`` or
    ``[2001:db8::1]:53``; `None` for what is no address. Short IPv4 forms (``192.0.2`` is 192.0.0.2)
    are read as inet_aton(3) does, because PowerDNS does."""
    if len(text) > _LONGEST:
        return None
    port = 0
    host = text
    if text.startswith(b"["):
        host, bracket, rest = text[1:].partition(b"]")
        if not bracket or (rest and not (rest[:1] == b":" and rest[1:].isdigit())):
            return None
        port = int(rest[1:] or b"0")
    elif text.count(b":") == 1:
        host, _, digits = text.partition(b":")
        if not digits.isdigit():
            return None
        port = int(digits)
    if port > 65535:
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


def to_text(packed: bytes) -> bytes:
    """Canonical text of 4 or 16 octets."""
    if len(packed) == 4:
        return b"%d.%d.%d.%d" % tuple(packed)
    return inet_ntop(AF_INET6, packed).encode("ascii")

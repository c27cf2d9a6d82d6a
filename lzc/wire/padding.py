"""The PADDING option (RFC 7830): messages of equal sizes tell nobody on the way what is in them."""

from __future__ import annotations

import struct
from typing import Final

from lzc.wire.compose import MAX_MESSAGE
from lzc.wire.edns import PADDING, option
from lzc.wire.message import skip_name
from lzc.wire.rrtype import OPT

BLOCK: Final = 468
"""Octets of which the size of an answer is made a multiple (RFC 8467 §4.1)."""
_COUNTS: Final = struct.Struct(">4H")
_FIXED: Final = struct.Struct(">HHIH")
_HEADER: Final = 4
"""Octets of an option before its data."""


def padding(size: int) -> bytes:
    """The option that makes a message of ``size`` octets without it one of a multiple of `BLOCK`,
    or as large as a message may be; none where it has no room."""
    room = MAX_MESSAGE - size - _HEADER
    if room < 0:
        return b""
    return option(PADDING, bytes(min(-(size + _HEADER) % BLOCK, room)))


def padded(message: bytes, tsig_room: int = 0) -> bytes:
    """An answer with the option in its OPT RR, which is its last RR; as it is where it has none.
    ``tsig_room``: octets that a TSIG RR is to take besides."""
    start = _last_rr(message)
    if not start:
        return message
    kind, *fixed, length = _FIXED.unpack_from(message, start)
    data = start + _FIXED.size
    if kind != OPT or data + length != len(message):
        return message
    more = padding(len(message) + tsig_room)
    return message[:start] + _FIXED.pack(kind, *fixed, length + len(more)) + message[data:] + more


def _last_rr(message: bytes) -> int:
    """The offset of the type of the last RR; 0 where there is none."""
    questions, *records = _COUNTS.unpack_from(message, 4)
    position, last = 12, 0
    for _ in range(questions):
        position = skip_name(message, position) + 4
    for _ in range(sum(records)):
        last = skip_name(message, position)
        position = last + _FIXED.size + _FIXED.unpack_from(message, last)[3]
    return last

"""A zone's AXFR as full messages, made once at build time (RFC 5936).

Every message carries the question, so that its offset 12 is the apex and each owner can be written
as relative labels and one pointer. The ID is 0 and TSIG is absent: the server fills in both.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from lzc.wire import rrtype as rr

MAX_MESSAGE: Final = 65535
TSIG_ROOM: Final = 512
"""Octets left free in each message for the server's TSIG RR: a key name of at most 255 octets, an
algorithm name of at most 26, a MAC of at most 64, and 32 octets of fixed fields."""

_HEADER: Final = struct.Struct(">HHHHHH")
_RESPONSE: Final = 0x8400
"""QR and AA."""


@dataclass(frozen=True, slots=True)
class Bodies:
    """RRs cut into messages: per message the number of RRs and their octets."""

    counts: list[int]
    contents: list[bytes]


def capacity(apex: bytes, soa: bytes) -> int:
    """Octets of RRs that one message holds beside header, question, both SOAs and TSIG."""
    return MAX_MESSAGE - TSIG_ROOM - _HEADER.size - len(apex) - 4 - 2 * len(soa)


def cut(rrs: bytes, sizes: Sequence[int], room: int) -> Bodies:
    """Cut RRs, joined in order and of ``sizes`` octets each, into messages of at most ``room``
    octets of RRs, each as full as it gets. No RR may be larger than ``room``. There is always one
    message, if only for the SOAs."""
    counts: list[int] = []
    contents: list[bytes] = []
    ends = list(accumulate(sizes))
    first = 0
    done = 0
    while first < len(ends):
        last = bisect_right(ends, done + room, first)
        counts.append(last - first)
        contents.append(rrs[done : ends[last - 1]])
        done = ends[last - 1]
        first = last
    if not counts:
        return Bodies([0], [b""])
    return Bodies(counts, contents)


def assemble(apex: bytes, soa: bytes, bodies: Bodies) -> list[bytes]:
    """The messages, each after its 16-bit length as TCP wants it. ``soa`` is the apex's SOA RR with
    its owner as ``C0 0C``; it stands first and last (RFC 5936 §2.2)."""
    question = apex + struct.pack(">HH", rr.AXFR, 1)
    final = len(bodies.counts) - 1
    messages: list[bytes] = []
    for index, (count, content) in enumerate(zip(bodies.counts, bodies.contents, strict=True)):
        before = soa if index == 0 else b""
        after = soa if index == final else b""
        answers = count + bool(before) + bool(after)
        header = _HEADER.pack(0, _RESPONSE, 1, answers, 0, 0)
        size = len(header) + len(question) + len(before) + len(content) + len(after)
        messages.append(
            b"".join((size.to_bytes(2, "big"), header, question, before, content, after))
        )
    return messages

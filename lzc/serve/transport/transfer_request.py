"""A request for a zone (RFC 5936, RFC 1995) over TCP, and what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, Protocol

from lzc.wire import rrtype
from lzc.wire.message import question_end

_TRANSFERS: Final = (rrtype.AXFR, rrtype.IXFR)


class Transfer(Protocol):
    """A zone on its way out. ``key``: name of the TSIG key that asked for it, empty for none."""

    key: bytes

    def messages(self) -> Iterator[bytes]:
        """The messages, each with its 16-bit length in front."""

    def refuse(self, now: float) -> bytes:
        """SERVFAIL in its place; the time is for TSIG."""

    def close(self) -> None:
        """Let go of the bundle, whether or not all was sent."""


OpenTransfer = Callable[[bytes, bytes, float], "Transfer | bytes | None"]
"""(query, packed client, now) -> the transfer, or one message that refuses it, or silence."""


def asks_for_transfer(query: bytes) -> bool:
    """True for an opcode QUERY with one question of type AXFR or IXFR."""
    end = question_end(query)
    if not end or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return False
    return int.from_bytes(query[end - 4 : end - 2], "big") in _TRANSFERS

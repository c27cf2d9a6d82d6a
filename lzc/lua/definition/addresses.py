"""Addresses and networks in literals."""

from __future__ import annotations

from typing import Final, Literal

from lzc.lua import address
from lzc.wire import rrtype as rr

Family = Literal[4, 6]

FAMILY_OF_TYPE: Final[dict[int, Family]] = {rr.A: 4, rr.AAAA: 6}


def family(text: bytes) -> Family | None:
    """4 or 6 for the text of an address as the API reads it (a port may follow); `None` for what
    is none."""
    parsed = address.parse(text)
    if parsed is None:
        return None
    return 4 if len(parsed[0]) == 4 else 6


def is_network(text: bytes, *, negatable: bool = False) -> bool:
    """True for an address or a network such as ``192.0.2.0/24``, host bits set or not; with
    ``negatable`` a ``!`` may stand in front."""
    host, slash, bits = (text.removeprefix(b"!") if negatable else text).partition(b"/")
    return family(host) is not None and (not slash or bits.isdigit())

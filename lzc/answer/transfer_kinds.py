"""What a secondary is sent that asks for a zone, or for what changed in it."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Of a transfer: a whole zone that was asked for, what changed since the client's serial, a
    whole zone in place of that (RFC 1995 §4), or the SOA alone, for who has nothing to get; and the
    SOA of a query for no more, which is none."""

    AXFR = "AXFR"
    IXFR = "IXFR"
    WHOLE = "IXFR-as-AXFR"
    UP_TO_DATE = "up-to-date"
    SOA = "SOA"


class Sent(NamedTuple):
    """An answer of one message: ``asked`` is the type that the client (a packed address) asked for,
    ``apex``, ``serial`` and ``lua`` are of the zone, ``key`` is the name of the TSIG key that was
    verified, or empty."""

    kind: Kind
    client: bytes
    asked: int
    apex: bytes
    key: bytes
    serial: int
    lua: bool


SentReport = Callable[[Sent], None]


def unsent(sent: Sent) -> None:
    """The report of answers that nobody asks for."""

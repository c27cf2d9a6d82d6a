"""Why a secondary did not get what it asked for."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from lzc.wire import tsig
from lzc.wire.message import Query
from lzc.wire.tsig import TsigResult


class Reason(Enum):
    """Of a refusal. The values are what ``lzc ctl status`` counts them under."""

    ADDRESS = "address"
    NO_KEY = "no-key"
    CLEAR = "clear"
    CERTIFICATE = "certificate"
    UNKNOWN_KEY = "unknown-key"
    BAD_SIGNATURE = "bad-signature"
    BAD_TIME = "bad-time"
    MALFORMED_TSIG = "malformed-tsig"
    NOT_ITS_ZONE = "not-its-zone"
    NO_ZONE = "no-zone"
    NO_ROOM = "no-room"
    LUA = "lua-records"
    UNPUBLISHED = "not-made-yet"


_OF_TSIG: Final = {
    tsig.BADKEY: Reason.UNKNOWN_KEY,
    tsig.BADSIG: Reason.BAD_SIGNATURE,
    tsig.BADTIME: Reason.BAD_TIME,
}


class Refusal(NamedTuple):
    """What was refused: ``asked`` is the type that the client (a packed address) asked for at the
    name ``apex``, with the TSIG key named ``key`` (empty: without; it need not be one of ours).
    ``ahead``: seconds that its clock is ahead of ours, where that is the reason; ``detail``: what
    is wrong with the certificate that it showed, likewise."""

    reason: Reason
    client: bytes
    asked: int
    apex: bytes
    key: bytes
    ahead: int = 0
    detail: str = ""


Report = Callable[[Refusal], None]


def untold(refusal: Refusal) -> None:
    """The report of a refusal that nobody asks for."""


def tsig_refusal(query: Query, client: bytes, checked: TsigResult, now: float) -> Refusal:
    """The refusal of a query whose TSIG RR did not pass."""
    reason = _OF_TSIG.get(checked.error, Reason.MALFORMED_TSIG)
    rr = checked.rr
    ahead = rr.time_signed - int(now) if rr is not None and reason is Reason.BAD_TIME else 0
    key = rr.name if rr is not None else b""
    return Refusal(reason, client, query.qtype, query.qname_lower, key, ahead)

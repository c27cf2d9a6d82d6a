"""TLS handshakes that are under way: how many there may be, how long each may take, and what is
said of those that fail.

A handshake costs a signature, and memory, for a client of whom nothing is known yet. So there are
few at once, whoever has begun the most loses first, and each has some seconds in all, whatever its
client sends.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, cast

from lzc.foreign_text import shown
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import QUIET, LineLimit, Quiet
from lzc.serve.transport.tcp_holders import Client, Holders, TcpLimits

if TYPE_CHECKING:
    from lzc.serve.transport.tcp_connection import Connection

log = logging.getLogger("lzc")

PATIENCE: Final = 5.0
"""Seconds of a handshake, from the moment that the client has connected."""
_ADDRESSES: Final = 1000


@dataclass(slots=True, eq=False)
class _UnderWay:
    """One, counted as `Holders` count a connection."""

    connection: Connection
    since: float
    client: Client = field(init=False)


class Handshakes:
    """Of a worker."""

    def __init__(self, limits: TcpLimits) -> None:
        self._holders = Holders(limits.of_handshakes())
        self._under_way: dict[_UnderWay, None] = {}
        self._quiet = Quiet(most=_ADDRESSES)
        self._lines = LineLimit(
            "TLS: %d more clients that it failed with", logging.INFO, seconds=QUIET
        )

    def __len__(self) -> int:
        """How many are under way."""
        return len(self._under_way)

    def enter(self, connection: Connection, address: bytes, now: float) -> Connection | None:
        """One begins; which connection is to be closed for it, where there are too many."""
        one = _UnderWay(connection, now)
        connection.handshake = one
        one.client = self._holders.enter(one, address)
        self._under_way[one] = None
        self._holders.waits(one)
        loser = cast("_UnderWay | None", self._holders.loser(one))
        return loser.connection if loser is not None else None

    def leave(self, connection: Connection) -> None:
        """It is done, or its connection is gone; also where there was none."""
        one = connection.handshake
        if one is not None:
            connection.handshake = None
            self._holders.leave(one)
            del self._under_way[one]

    def late(self, now: float) -> Connection | None:
        """A connection whose handshake has taken too long."""
        first = next(iter(self._under_way), None)
        if first is None or now - first.since <= PATIENCE:
            return None
        return first.connection

    def tell(self, client: bytes, error: Exception) -> None:
        """Log why one failed: once a minute for an address and a reason, some lines a second at
        most. Where it is our certificate that is not taken, that is a warning."""
        ours = bool(getattr(error, "ours", False))
        level = logging.WARNING if ours else logging.INFO
        if not log.isEnabledFor(level):
            return
        now, why = time.monotonic(), str(error) or type(error).__name__
        kind = client, why
        if self._quiet.keeps(kind, now):
            return
        again = self._quiet.begin(kind, now)
        if self._lines.admits(now):
            peer = _text(client)
            extra = about(peer=peer, reason=why)
            log.log(level, "TLS with %s failed: %s%s", peer, shown(why), again, extra=extra)

    def look(self, now: float) -> None:
        """Tell of what was kept out of the log, once its time is over; ``now`` is monotonic."""
        self._lines.look(now)
        for kind, more in self._quiet.over(now):
            known = kind if isinstance(kind, tuple) else (b"", "various reasons")
            peer, why = _text(known[0]), known[1]
            extra = about(peer=peer, reason=why, more=more)
            log.info("TLS with %s failed: %s, %d more times", peer, shown(why), more, extra=extra)


def _text(client: bytes) -> str:
    return str(ipaddress.ip_address(client)) if client else "others"

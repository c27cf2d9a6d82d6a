"""Queries over TCP (RFC 7766): many a connection, answered in the order they came.

A connection costs what its client makes it cost, and no more: reading stops while the client does
not take its answers, a message must arrive whole in time, and who holds the most connections is the
first to lose one when there are too many.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

from lzc.serve.mishaps import Mishaps
from lzc.serve.tcp_connection import Connection, OpenTransfer, TcpCounts, TcpLimits
from lzc.serve.udp import Responder


class TcpServer:
    """The TCP side of a worker: its connections and its transfers."""

    def __init__(
        self,
        responder: Responder,
        open_transfer: OpenTransfer,
        limits: TcpLimits,
        mishaps: Mishaps,
    ) -> None:
        self.responder = responder
        self.open_transfer = open_transfer
        self.limits = limits
        self.counts = TcpCounts()
        self.mishaps = mishaps
        self._of_client: dict[bytes, dict[Connection, None]] = {}
        self._total = 0
        self._sending: set[Connection] = set()
        self._queue: deque[Connection] = deque()
        self._sweeper: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        """Connections open now."""
        return self._total

    def swap(self, responder: Responder, open_transfer: OpenTransfer) -> None:
        """Answer from another bundle, starting with the next query. Transfers under way go on."""
        self.responder = responder
        self.open_transfer = open_transfer

    def connection(self) -> Connection:
        """The protocol factory for ``loop.create_server``."""
        return Connection(self)

    def start(self) -> None:
        """Begin to look after timeouts; needs a running event loop."""
        period = min(1.0, self.limits.idle / 4, self.limits.write / 4)
        self._sweeper = asyncio.get_running_loop().call_later(period, self._sweep)

    def close(self) -> None:
        """Close all connections once their answers are sent."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        for connection in self._all():
            connection.finish()

    def idle(self) -> bool:
        """True when no transfer is under way and no answer waits to be read."""
        return not self._sending and not any(c.unsent() for c in self._all())

    def register(self, connection: Connection) -> None:
        """Count a new connection in; when there are too many, the client with the most loses the
        one that was quiet the longest."""
        self.counts.connections += 1
        self._of_client.setdefault(connection.client, {})[connection] = None
        self._total += 1
        if self._total > self.limits.connections:
            most = max(self._of_client.values(), key=len)
            min(most, key=lambda one: one.last_active).abort()

    def forget(self, connection: Connection) -> None:
        """Count a connection out."""
        mine = self._of_client.get(connection.client)
        if mine is not None and connection in mine:
            del mine[connection]
            self._total -= 1
            if not mine:
                del self._of_client[connection.client]
        self.end_transfer(connection)

    def may_send(self, connection: Connection) -> bool:
        """Ask for one of the places for transfers; without one, `Connection.begin_transfer` is
        called later."""
        if len(self._sending) >= self.limits.transfers:
            self._queue.append(connection)
            return False
        self._sending.add(connection)
        return True

    def end_transfer(self, connection: Connection) -> None:
        """Give a place back, to whoever waits the longest."""
        if connection not in self._sending:
            return
        self._sending.discard(connection)
        while self._queue:
            following = self._queue.popleft()
            if not following.gone:
                self._sending.add(following)
                asyncio.get_running_loop().call_soon(following.begin_transfer)
                break

    def _all(self) -> list[Connection]:
        return [one for mine in self._of_client.values() for one in mine]

    def _sweep(self) -> None:
        now = time.monotonic()
        for connection in self._all():
            connection.check_time(now)
        self.start()

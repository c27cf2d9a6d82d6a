"""One TCP connection of a client, as a state machine between asyncio and the responder.

It is in one of three states: answering what is in its buffer, waiting for a place to send a zone,
or sending one. In each it may be paused because the client does not read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Protocol, cast

from lzc.serve.mishaps import Mishaps, servfail
from lzc.serve.udp import Responder, packed_address

_BATCH: Final = 32
"""Queries of one connection answered in a row."""
_HIGH_WATER: Final = 256 * 1024
"""Octets a client may leave unread before nothing more is done for it."""
_LOW_WATER: Final = 64 * 1024
_SLICE: Final = 0.004
"""Seconds a transfer may keep the event loop."""
_AXFR: Final = 252
_IXFR: Final = 251


class Transfer(Protocol):
    """A zone on its way out."""

    def messages(self) -> Iterator[bytes]:
        """The messages, each with its 16-bit length in front."""

    def close(self) -> None:
        """Let go of the bundle, whether or not all was sent."""


OpenTransfer = Callable[[bytes, bytes, float], "Transfer | bytes | None"]
"""(query, packed client, now) -> the transfer, or one message that refuses it, or silence."""


@dataclass(frozen=True, slots=True)
class TcpLimits:
    """``idle`` seconds without a whole query; ``write`` seconds a client may leave its answers
    unread; ``connections`` and ``transfers`` at once."""

    idle: float = 10.0
    write: float = 30.0
    connections: int = 1024
    transfers: int = 8


class TcpCounts:
    """Counters of the TCP side of a worker."""

    __slots__ = ("connections", "queries", "servfail", "silent", "transfers")

    def __init__(self) -> None:
        self.connections = 0
        self.queries = 0
        self.servfail = 0
        self.silent = 0
        self.transfers = 0


class Server(Protocol):
    """What a connection needs of the server that accepted it."""

    responder: Responder
    open_transfer: OpenTransfer
    limits: TcpLimits
    counts: TcpCounts
    mishaps: Mishaps

    def register(self, connection: Connection) -> None:
        """Count a new connection in."""

    def forget(self, connection: Connection) -> None:
        """Count a connection out, and take back its place for a transfer."""

    def may_send(self, connection: Connection) -> bool:
        """Ask for a place for a transfer; without one, `Connection.begin_transfer` is called
        later."""

    def end_transfer(self, connection: Connection) -> None:
        """Give the place back."""


def asks_for_transfer(query: bytes) -> bool:
    """True for an opcode QUERY with one question of type AXFR or IXFR."""
    if len(query) < 17 or query[2] & 0xF8 or query[4:6] != b"\0\1":
        return False
    position, end = 12, len(query)
    while position < end and 0 < query[position] < 64:
        position += 1 + query[position]
    return position + 2 < end and query[position + 1] == 0 and query[position + 2] in (_AXFR, _IXFR)


class Connection(asyncio.Protocol):
    """One client connection."""

    __slots__ = (
        "_buffer",
        "_eof",
        "_local",
        "_messages",
        "_paused_at",
        "_scheduled",
        "_server",
        "_transfer",
        "_transport",
        "_waiting",
        "client",
        "gone",
        "last_active",
    )

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = bytearray()
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._paused_at = 0.0
        self._eof = False
        self._scheduled = False
        self._transfer: Transfer | None = None
        self._messages: Iterator[bytes] | None = None
        self._waiting: bytes | None = None
        self.client = b""
        self._local = b""
        self.gone = False
        self.last_active = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take note of a new connection."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(_HIGH_WATER, _LOW_WATER)
        self.last_active = time.monotonic()
        try:
            self.client = packed_address(transport.get_extra_info("peername")[0])
            self._local = packed_address(transport.get_extra_info("sockname")[0])
        except (TypeError, OSError):  # the client was gone before we looked
            self._transport.abort()
            return
        self._server.register(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of everything."""
        self.gone = True
        if self._transfer is not None:
            self._transfer.close()
            self._transfer = self._messages = None
        self._server.forget(self)

    def data_received(self, data: bytes) -> None:
        """Answer every query that is complete."""
        self._buffer += data
        if not self._scheduled:
            self._process()

    def eof_received(self) -> bool:
        """The client has said all it has to say, but wants its answers."""
        self._eof = True
        return self._busy() or self._scheduled or self._paused_at > 0

    def pause_writing(self) -> None:
        """The client does not read: do nothing more for it."""
        self._paused_at = time.monotonic()
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """The client reads again."""
        self._paused_at = 0.0
        self.last_active = time.monotonic()
        self._schedule(self._pump if self._messages is not None else self._process)

    def check_time(self, now: float) -> None:
        """Close the connection when its time is over."""
        limits = self._server.limits
        if self._paused_at:
            if now - self._paused_at > limits.write:
                self.abort()
        elif not self._busy() and now - self.last_active > limits.idle:
            self.finish() if not self.unsent() else self.abort()

    def abort(self) -> None:
        """Drop the connection now, unsent answers included."""
        self._transport.abort()

    def finish(self) -> None:
        """Close the connection after what is under way."""
        self._eof = True
        if not self._busy():
            self._transport.close()

    def unsent(self) -> int:
        """Octets of answers that the client has not taken."""
        return self._transport.get_write_buffer_size()

    def _busy(self) -> bool:
        return self._messages is not None or self._waiting is not None

    def _schedule(self, step: Callable[[], None]) -> None:
        if not self._scheduled and not self.gone:
            self._scheduled = True

            def run() -> None:
                self._scheduled = False
                if not self.gone:
                    step()

            asyncio.get_running_loop().call_soon(run)

    def _process(self) -> None:
        """Answer up to `_BATCH` complete queries, then let others have their turn."""
        buffer = self._buffer
        answers: list[bytes] = []
        position = 0
        now = time.time()
        room = _BATCH
        while not self._paused_at and not self._busy() and room:
            start = position + 2
            if len(buffer) < start:
                break
            end = start + (buffer[position] << 8 | buffer[position + 1])
            if len(buffer) < end:
                break
            position = end
            room -= 1
            query = bytes(memoryview(buffer)[start:end])
            if asks_for_transfer(query):
                self._waiting = query
                break
            answer = self._answer(query, now)
            if answer is not None:
                answers.append(len(answer).to_bytes(2, "big") + answer)
        if position:
            del buffer[:position]
            self.last_active = time.monotonic()
        if answers:
            self._transport.write(b"".join(answers))
        if self._waiting is not None:
            self._transport.pause_reading()
            if self._server.may_send(self):
                self.begin_transfer()
        elif not self._paused_at:
            self._go_on(more=not room)

    def _go_on(self, more: bool) -> None:
        if more:
            self._transport.pause_reading()
            self._schedule(self._process)
        elif self._eof:
            self._transport.close()
        else:
            self._transport.resume_reading()

    def _answer(self, query: bytes, now: float) -> bytes | None:
        server = self._server
        server.counts.queries += 1
        if len(query) < 12:
            # RFC 7766 leaves no way to answer less than a header; RFC 5966 §6 lets us close.
            server.counts.silent += 1
            self._eof = True
            return None
        try:
            asked = (query, self.client, now, True, self._local)
            answer = server.responder.quick(*asked) or server.responder.careful(*asked)
        except Exception as error:  # a fault in one answer must not stop the others
            server.mishaps.note("answering a TCP query", error)
            server.counts.servfail += 1
            return servfail(query)
        if answer is None:
            server.counts.silent += 1
            return None
        wire, _ = answer
        if wire[3] & 15 == 2:
            server.counts.servfail += 1
        return wire

    def begin_transfer(self) -> None:
        """Open the transfer that was asked for; there is a place for it now."""
        query, self._waiting = self._waiting, None
        server = self._server
        if self.gone or query is None:
            server.end_transfer(self)
            return
        server.counts.queries += 1
        opened: Transfer | bytes | None
        try:
            opened = server.open_transfer(query, self.client, time.time())
        except Exception as error:  # as for answers
            server.mishaps.note("opening a zone transfer", error)
            opened = servfail(query)
        if opened is None or isinstance(opened, bytes):
            if opened is not None:
                self._transport.write(len(opened).to_bytes(2, "big") + opened)
            server.end_transfer(self)
            self._schedule(self._process)
            return
        server.counts.transfers += 1
        self._transfer = opened
        self._messages = opened.messages()
        self._pump()

    def _pump(self) -> None:
        """Send messages of the transfer until the client is full or the time slice is over."""
        messages = self._messages
        assert messages is not None
        end = time.perf_counter() + _SLICE
        try:
            while not self._paused_at:
                message = next(messages, None)
                if message is None:
                    self._end_transfer()
                    return
                self._transport.write(message)
                if time.perf_counter() > end:
                    self._schedule(self._pump)
                    return
        except Exception as error:  # as for answers; the client sees the transfer break off
            self._server.mishaps.note("sending a zone transfer", error)
            self.abort()

    def _end_transfer(self) -> None:
        assert self._transfer is not None
        self._transfer.close()
        self._transfer = self._messages = None
        self.last_active = time.monotonic()
        self._server.end_transfer(self)
        self._schedule(self._process)

"""Queries over TCP (RFC 7766): many a connection, answered in the order they came.

All that TCP wants done stands in one queue, and is done in turns of the event loop that have a
bound of time, so that UDP is served in between whatever TCP does. While zones are sent, a turn ends
as soon as a datagram waits: zones are long, and nobody waits for one of their messages. Steps of
TLS handshakes, which cost the most and are had by anybody, have a queue of their own: after each
there is a pause three times as long as it took, so that they have a quarter of the worker's time at
most, and accepting those who come for one has another. Clients take turns in the queue, and so do
the connections of each: a thousand connections of one client get no more than the single one of
another. A connection costs what its client makes it cost, and no more: a message must arrive whole
in time, and who does not take his answers is given no others.
"""

from __future__ import annotations

import asyncio
import errno
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, cast

from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.ipc.traffic import TrafficCounts
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport.handshakes import Handshakes
from lzc.serve.transport.responders import TcpResponder
from lzc.serve.transport.sockets import Listener, TlsListener
from lzc.serve.transport.tcp_connection import Connection
from lzc.serve.transport.tcp_holders import Client, Holders, TcpCounts, TcpLimits
from lzc.serve.transport.transfer_slots import OpenTransfer, TransferPlaces
from lzc.serve.transport.udp import packed_address

if TYPE_CHECKING:
    from lzc.serve.transport.tap import Tap
    from lzc.serve.transport.tls import TlsContext

TURN: Final = 0.002
"""Seconds of a turn of the event loop; one query may take it beyond that."""
SHARE: Final = 0.0005
"""Seconds of a turn for one connection, likewise."""
ACCEPT: Final = 0.001
"""Seconds of a turn in which connections are accepted."""
REST: Final = 3.0
"""How long handshakes rest after a step of one, as a multiple of what it took; and accepting those
who come for one likewise."""
_EVENTS: Final = 128
"""Connections that are told of events in one turn."""
_SWEEP: Final = 0.5
PAUSE: Final = 0.5
"""Seconds without accepting when there is no descriptor left."""
_FULL: Final = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class TcpServer:
    """The TCP side of a worker: its connections and its transfers. Without `start`, whoever has it
    calls `turn` and `sweep`. ``tls`` is what new connections over TLS are made with; without, they
    are closed at once."""

    def __init__(
        self,
        responder: TcpResponder,
        open_transfer: OpenTransfer,
        limits: TcpLimits,
        errors: ErrorLog,
        slot: Slot,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        traffic: TrafficCounts | None = None,
    ) -> None:
        traffic = traffic or TrafficCounts()
        self.labels = traffic.labels
        self.traffic, self.tls_traffic = traffic.tcp, traffic.tls
        self.responder = responder
        self.open_transfer = open_transfer
        self.limits = limits
        self.counts = TcpCounts()
        self.errors = errors
        self.clock = clock
        self.wall = wall
        self.places = TransferPlaces(limits.transfers, limits.transfers_waiting)
        self.slot = slot
        self.tap: Tap | None = None
        self.tls: TlsContext | None = None
        self.handshakes = Handshakes(limits)
        self.epoll = select.epoll()
        self._datagrams = select.epoll()
        self._gave_way = False
        self._holders = Holders(limits)
        self._connections: dict[int, Connection] = {}
        self._queue: deque[Client] = deque()
        self._idle: dict[Connection, None] = {}
        self._unread: dict[Connection, None] = {}
        self._greeting: deque[Connection] = deque()
        self._greet_at = 0.0
        self._greet_scheduled = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: Sequence[Listener | TlsListener] = ()
        self._paused: set[Listener | TlsListener] = set()
        self._scheduled = False

    def __len__(self) -> int:
        """Connections open now."""
        return len(self._holders)

    def swap(self, responder: TcpResponder, open_transfer: OpenTransfer) -> None:
        """Answer from another bundle, starting with the next query. Transfers under way go on, and
        so do those that wait for a place."""
        self.responder = responder
        self.open_transfer = open_transfer

    def limit(self, limits: TcpLimits) -> None:
        """These are the limits from now on; who is connected already stays."""
        self.limits = limits
        self._holders.limits = limits

    def start(
        self, loop: asyncio.AbstractEventLoop, listeners: Sequence[Listener | TlsListener]
    ) -> None:
        """Serve from now on, in turns of the loop."""
        self._loop = loop
        self._listeners = listeners
        for listener in listeners:
            loop.add_reader(listener.tcp, self.accept, listener)
            if isinstance(listener, Listener):
                self._datagrams.register(listener.udp, select.EPOLLIN)
        loop.add_reader(self.epoll.fileno(), self._readable)
        loop.call_later(_SWEEP, self._sweep_again)

    def stop(self) -> None:
        """Accept nothing more, and close each connection once its answers are sent."""
        self.accept_no_more()
        for connection in list(self._connections.values()):
            connection.finish()

    def accept_no_more(self) -> None:
        """Serve those alone who are connected."""
        assert self._loop is not None
        for listener in self._listeners:
            self._loop.remove_reader(listener.tcp)
            if isinstance(listener, Listener):
                # Who is told to accept nothing reads no datagrams either.
                self._datagrams.unregister(listener.udp)
        self._listeners = ()

    def idle(self) -> bool:
        """True when no transfer is under way and no answer waits to be read."""
        return not any(one.busy() for one in self._connections.values())

    def taken(self) -> int:
        """Octets that clients have acknowledged of what is under way: the same twice, and none of
        them takes any more."""
        return sum(one.taken() for one in self._connections.values() if one.busy())

    def add(
        self, sock: socket.socket, address: bytes, local: bytes, *, tls: bool = False
    ) -> Connection:
        """Take a new connection, over TLS where it came to a listener for that, and close one where
        there are too many."""
        sock.setblocking(False)
        stream = self.tls.stream() if tls and self.tls is not None else None
        connection = Connection(self, sock, address, local, tls=stream)
        connection.client = self._holders.enter(connection, address)
        self._connections[sock.fileno()] = connection
        self.counts.connections += 1
        loser = cast("Connection | None", self._holders.loser(connection))
        if loser is not None:
            self.counts.refused += 1
            loser.drop()
        if tls and stream is None:
            connection.drop()
        elif stream is not None and not connection.gone:
            late = self.handshakes.enter(connection, address, self.clock())
            if late is not None:
                self.counts.refused += 1
                late.drop()
        if not connection.gone:
            self.waits(connection)
            connection.begin()
        return connection

    def turn(self, *, look: bool = True) -> bool:
        """Do some of what is to be done; True when there is more. Without ``look`` it is not asked
        what has happened to connections."""
        now = self.clock()
        end = now + TURN
        more = look and self._notice()
        queue = self._queue
        self.slot.beat(now)
        clock = self.clock
        while queue:
            client = queue.popleft()
            connection: Connection = client.ready.popleft()
            connection.queued = False
            try:
                if not connection.gone and connection.step(min(end, now + SHARE)):
                    connection.queued = True
                    client.ready.append(connection)
            except Exception as error:  # its client sees it break off, others notice nothing
                self.errors.note("serving a TCP connection", error)
                connection.drop()
            if client.ready:
                queue.append(client)
            else:
                client.queued = False
            now = clock()
            if now >= end or self.to_give_way():
                break
        self.slot.done()
        return more or bool(queue)

    def greet(self) -> None:
        """One step of the handshake that has waited the longest."""
        while self._greeting:
            connection = self._greeting.popleft()
            connection.queued = False
            if connection.gone:
                continue
            began = self.clock()
            self.slot.beat(began)
            more = False
            try:
                more = connection.step(began)
            except Exception as error:  # as in `turn`
                self.errors.note("greeting a TLS client", error)
                connection.drop()
            ended = self.clock()
            self.slot.done()
            self._greet_at = ended + (ended - began) * REST
            if more:
                self.enqueue(connection)
            return

    def sweep(self) -> None:
        """Close the connections whose time is over, and see which transfers do not get on."""
        now = self.clock()
        end = now + TURN
        while self._idle and self.clock() < end:
            connection = next(iter(self._idle))
            if now - connection.since <= self.limits.idle:
                break
            if connection.queued:
                # Its next query may have come; it is our turn to look.
                self._again(self._idle, connection, now)
            else:
                connection.close()
        while self._unread and self.clock() < end:
            connection = next(iter(self._unread))
            if now - connection.since <= self.limits.write:
                break
            if connection.stalled():
                connection.drop()
            else:
                self._again(self._unread, connection, now)
        while self.clock() < end:
            late = self.handshakes.late(now)
            if late is None:
                break
            self.tls_failed(late, TimeoutError("it takes too long"))
            late.drop()
        self.places.look(now)

    # What `lzc.serve.transport.tcp_connection.Server` says:

    def to_give_way(self) -> bool:
        """True where a zone is sent and a datagram waits: 1 µs, where a turn of the event loop to
        find that out takes 20."""
        return self.places.sending and bool(self._datagrams.poll(0, 1))

    def enqueue(self, connection: Connection) -> None:
        """Give it time, after all others that are ready."""
        if connection.greeting and not connection.queued:
            connection.queued = True
            self._greeting.append(connection)
            self._schedule_greeting()
        elif not connection.queued:
            client = connection.client
            connection.queued = True
            client.ready.append(connection)
            client.quiet.pop(connection, None)
            if not client.queued:
                client.queued = True
                self._queue.append(client)
                self._schedule()

    def active(self, connection: Connection) -> None:
        """Its client said something whole, or took something: its time begins anew."""
        self._idle.pop(connection, None)
        if self._unread:
            self._unread.pop(connection, None)
        self._holders.active(connection)

    def waits(self, connection: Connection) -> None:
        """It waits for its client to say or to take something."""
        waiting = self._unread if connection.stuck() else self._idle
        still = connection in waiting
        if not still:
            self._again(waiting, connection, self.clock())
            if waiting is self._unread:
                connection.stalled()
        if not connection.sends_zone():
            self._holders.waits(connection, still=still)

    def forget(self, connection: Connection) -> None:
        """Count a connection out, and take back its place for a transfer."""
        self._holders.leave(connection)
        self.handshakes.leave(connection)
        self._idle.pop(connection, None)
        self._unread.pop(connection, None)
        del self._connections[connection.fd]
        self.places.leave(connection, self.clock())

    def greeted(self, connection: Connection) -> None:
        """Its TLS handshake is done."""
        self.counts.tls += 1
        self.handshakes.leave(connection)

    def tls_failed(self, connection: Connection, error: Exception) -> None:
        """TLS cannot go on, or the client broke its handshake off."""
        self.counts.tls_failed += 1
        self.handshakes.tell(connection.address, error)

    @staticmethod
    def _again(waiting: dict[Connection, None], connection: Connection, now: float) -> None:
        waiting.pop(connection, None)
        waiting[connection] = None
        connection.since = now

    def _notice(self) -> bool:
        """Tell connections what has happened to them; True where there may be more."""
        events = self.epoll.poll(0, _EVENTS)
        for fd, what in events:
            connection = self._connections.get(fd)
            if connection is None:
                continue
            try:
                connection.notice(what)
            except Exception as error:  # as in `turn`; no event of the others comes again
                self.errors.note("serving a TCP connection", error)
                connection.drop()
        return len(events) == _EVENTS

    def _schedule(self) -> None:
        if self._loop is not None and not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._run)

    def _schedule_greeting(self) -> None:
        if self._loop is not None and self._greeting and not self._greet_scheduled:
            self._greet_scheduled = True
            self._loop.call_later(max(0.0, self._greet_at - self.clock()), self._run_greeting)

    def _run_greeting(self) -> None:
        self._greet_scheduled = False
        try:
            self.greet()
        finally:
            self._schedule_greeting()

    def _run(self, *, look: bool = True) -> None:
        # The loop calls who was to be called soon before those whose sockets have become readable.
        self._gave_way = not self._gave_way and self.to_give_way()
        self._scheduled = True
        try:
            more = self._gave_way or self.turn(look=look)
        finally:
            self._scheduled = False
        if more:
            self._schedule()

    def _readable(self) -> None:
        # The turn that is due looks at events itself.
        if not self._scheduled:
            self._run()

    def _sweep_again(self) -> None:
        assert self._loop is not None
        self.sweep()
        self._loop.call_later(_SWEEP, self._sweep_again)

    def accept(self, listener: Listener | TlsListener) -> None:
        """Accept what has connected, for a while. Who comes alone, with his query as a rule, has
        his answer before it is looked whether others come."""
        began = self.clock()
        alone, self._scheduled = not self._scheduled, True
        try:
            for connection in self._accepted(listener):
                if alone:
                    connection.look()
                    alone = self._scheduled = False
                    if self._queue:
                        self._run(look=False)
        finally:
            if alone:
                self._scheduled = False
        if isinstance(listener, TlsListener) and listener in self._listeners:
            # What a handshake needs is made here, for anybody: it has its share of time, too.
            self._pause(listener, (self.clock() - began) * REST)

    def _accepted(self, listener: Listener | TlsListener) -> Iterator[Connection]:
        """Accept what has connected, one after the other."""
        tls = isinstance(listener, TlsListener)
        end = self.clock() + ACCEPT
        local = listener.local
        now = 0.0
        crowded = False
        while now < end:
            now = self.clock()
            try:
                sock, peer = listener.tcp.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno in _FULL:
                    self.errors.note("accepting a TCP connection", error)
                    if crowded or not self._make_room():
                        self._pause(listener, PAUSE)
                        return
                    crowded = True
                continue  # or else the client was gone before we looked
            crowded = False
            self.slot.beat(now)
            try:
                own = local or packed_address(sock.getsockname()[0])
            except OSError:  # likewise
                sock.close()
                continue
            yield self.add(sock, packed_address(peer[0]), own, tls=tls)

    def _make_room(self) -> bool:
        """No descriptor is left: that is a limit of connections, too."""
        loser = cast("Connection | None", self._holders.surplus())
        if loser is None:
            return False
        self.counts.refused += 1
        loser.drop()
        return True

    def _pause(self, listener: Listener | TlsListener, seconds: float) -> None:
        """Accept nothing for a while."""
        if listener in self._paused:
            return
        self._paused.add(listener)
        loop = self._loop
        assert loop is not None
        loop.remove_reader(listener.tcp)

        def resume() -> None:
            self._paused.discard(listener)
            if listener in self._listeners:
                loop.add_reader(listener.tcp, self.accept, listener)

        loop.call_later(seconds, resume)

"""One TCP connection of a client, as a state machine that is given a little time again and again.

It answers what it was asked, or waits for a place to send a zone, or sends one. It reads only when
all that was read is answered, and does nothing more while its client does not take the answers.
Over TLS it does the same, once the handshake is done.
"""

from __future__ import annotations

import fcntl
import select
import socket
import struct
import termios
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, Protocol

from lzc.serve.ipc.scoreboard import Slot
from lzc.serve.ipc.traffic import Labels, Traffic
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport.responders import TcpResponder
from lzc.serve.transport.tcp_holders import Client, TcpCounts
from lzc.serve.transport.transfer_slots import (
    Holder,
    OpenTransfer,
    Transfer,
    TransferPlaces,
    asks_for_transfer,
)
from lzc.serve.transport.udp import servfail
from lzc.wire.message import SERVFAIL

if TYPE_CHECKING:
    from lzc.serve.transport.tap import Tap
    from lzc.serve.transport.tls import TlsStream

BATCH: Final = 32
"""Queries of one connection answered in a row at most."""
READ: Final = 16 * 1024
"""Octets read at once."""
_ANSWERS: Final = 64 * 1024
"""Octets of answers from which on they are sent before more is answered."""
_GONE: Final = select.EPOLLERR | select.EPOLLHUP
_END: Final = select.EPOLLRDHUP
_TO_READ: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
_INT: Final = struct.Struct("=i")


class Server(Protocol):
    """What a connection needs of the server that accepted it. ``epoll`` tells connections what has
    happened to them; ``slot`` is told what is worked on, before it is, and that work gets on.
    ``traffic`` counts queries and answers by the octets of an address, those over TLS apart;
    ``tap`` is told of each."""

    responder: TcpResponder
    open_transfer: OpenTransfer
    counts: TcpCounts
    errors: ErrorLog
    places: TransferPlaces
    clock: Callable[[], float]
    wall: Callable[[], float]
    epoll: select.epoll
    slot: Slot
    labels: Labels
    traffic: dict[int, Traffic]
    tls_traffic: dict[int, Traffic]
    tap: Tap | None

    def to_give_way(self) -> bool:
        """True where a zone is sent and something waits that is answered sooner."""

    def enqueue(self, connection: Connection) -> None:
        """Give it time, after all others that are ready."""

    def active(self, connection: Connection) -> None:
        """Its client said something whole, or took something: its time begins anew."""

    def waits(self, connection: Connection) -> None:
        """It waits for its client to say or to take something."""

    def forget(self, connection: Connection) -> None:
        """Count a connection out, and take back its place for a transfer."""

    def greeted(self, connection: Connection) -> None:
        """Its TLS handshake is done."""

    def tls_failed(self, connection: Connection, error: Exception) -> None:
        """TLS cannot go on, or the client broke its handshake off."""


@dataclass(slots=True, eq=False)
class Connection:
    """One client connection. ``client`` is who holds it, ``address`` the packed address; ``since``
    is when it began to wait for the client. ``fd`` is that of the socket. ``tls``: what is said
    goes through this; ``greeting``: its handshake is not done yet, and ``handshake`` is what the
    server counts that by."""

    _server: Server
    _sock: socket.socket
    address: bytes
    _local: bytes
    fd: int = field(init=False)
    client: Client = field(init=False)
    gone: bool = False
    queued: bool = False
    since: float = 0.0
    tls: TlsStream | None = None
    greeting: bool = False
    handshake: Any = None
    _buffer: bytes = b""
    _position: int = 0
    _readable: bool = False
    ended: bool = False
    _closing: bool = False
    _outgoing: bytes = b""
    _writes_watched: bool = False
    _sent: int = 0
    _taken: int = 0
    _transfer: Transfer | None = None
    _messages: Iterator[bytes] | None = None
    _placed: bool = False
    _ending: list[Transfer] = field(default_factory=list)
    _traffic: Traffic = field(init=False)

    def __post_init__(self) -> None:
        self.fd = self._sock.fileno()
        server = self._server
        self.greeting = self.tls is not None
        traffic = server.traffic if self.tls is None else server.tls_traffic
        self._traffic = traffic[len(self.address)]

    def begin(self) -> None:
        """Wait for the first query."""
        self._server.epoll.register(self.fd, _TO_READ)

    def look(self) -> None:
        """See whether the first query is there already, as it is as a rule, before the kernel says
        so. Over TLS nothing is looked at before something came."""
        if not self.gone and not self.greeting:
            self._readable = True
            self._server.enqueue(self)

    def notice(self, events: int) -> None:
        """The socket became readable or writable, or its other end is gone."""
        if events & _GONE:
            if self.greeting:
                self._greet()  # what it said at last is why
            self.drop()
            return
        if events & _TO_READ:
            self._readable = True
        if events & _END:
            self.ended = True
            if self._transfer is not None and not self._placed:
                # It may have closed its side only, and still want the zone; but no secondary does
                # that, and who left must not be waited with.
                self.drop()
                return
        if self.queued:
            return
        if self._outgoing:
            if events & select.EPOLLOUT:
                self._server.enqueue(self)
        elif self._transfer is None and events & _TO_READ:
            self._server.enqueue(self)

    def step(self, end: float) -> bool:
        """Work until ``end`` by the server's clock, or until others should have their turn; True
        when there is more to do at once. At least one query is answered."""
        if self._outgoing and not self._flush():
            return False
        if self.greeting:
            return self._greet()
        if self._transfer is not None:
            return self._placed and self._send_zone(end)
        return self._answer(end)

    def finish(self) -> None:
        """Close the connection after what it was asked for."""
        self._closing = True
        if not self.busy():
            self.close()

    def busy(self) -> bool:
        """True while its client waits for something that was not sent yet."""
        return self.queued or bool(self._outgoing) or self._transfer is not None

    def close(self, *, goodbye: bool = True) -> None:
        """Close the connection; what was sent still arrives. Over TLS it is said, as otherwise the
        client could not tell it from a connection that somebody else cut."""
        if not self.gone:
            if goodbye and self.tls is not None and not self.greeting and not self._outgoing:
                with suppress(OSError):
                    self._sock.send(self.tls.goodbye())
            self.gone = True
            self._buffer = self._outgoing = b""
            if self._transfer is not None:
                self._transfer.close()
                self._transfer = self._messages = None
            if self._ending:
                self._end(whole=False)
            self._server.forget(self)
            self._sock.close()

    def drop(self) -> None:
        """Close the connection at once, unsent answers included."""
        if not self.gone:
            # A reset: for the kernel, too, nothing is left to do.
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close(goodbye=False)

    def sends_zone(self) -> bool:
        """True while a transfer is under way, or waits for its place."""
        return self._transfer is not None

    def stalled(self) -> bool:
        """True when the client has taken nothing since this was asked last, though there is
        something to take."""
        before, self._taken = self._taken, self.taken()
        return bool(self._outgoing) and self._taken == before

    # What `lzc.serve.transport.transfer_slots.Sending` says:

    def taken(self) -> int:
        """Octets that the client has acknowledged."""
        try:
            queued = fcntl.ioctl(self.fd, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return self._sent
        return self._sent - int(_INT.unpack(queued)[0])

    def stuck(self) -> bool:
        """True while it waits for its client to take what was sent."""
        return bool(self._outgoing) and not self.queued

    def go_on(self) -> None:
        """Send the zone: there is a place for it now."""
        assert self._transfer is not None
        self._placed = True
        if self._messages is None:
            self._server.counts.transfers += 1
            self._messages = self._transfer.messages()
        if not self._outgoing:
            self._server.enqueue(self)

    def give_way(self) -> None:
        """Wait for another place."""
        self._placed = False
        if self.ended:
            self.drop()  # as in `notice`: there is no word of it a second time

    def give_up(self) -> None:
        """There is no place any more, and no room to wait for one."""
        self._server.counts.refused += 1
        self.drop()

    def _flush(self) -> bool:
        """Send what could not be sent before; True when all of it is."""
        data, self._outgoing = self._outgoing, b""
        before = self._sent
        whole = self._send_wire(data)
        if not self.gone and self._sent > before:
            self._server.active(self)
            if not whole:
                self._server.waits(self)
        if whole and self._ending:
            self._end(whole=True)
        return whole

    def _send(self, data: bytes) -> bool:
        """True when all of it went out; the rest goes when there is room."""
        return self._send_wire(data if self.tls is None else self.tls.wrap(data))

    def _send_wire(self, data: bytes) -> bool:
        """The same of octets as they go over the wire."""
        if self._outgoing:
            self._outgoing += data
            return False
        try:
            sent = self._sock.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self.drop()
            return False
        self._sent += sent
        if sent == len(data):
            return True
        self._outgoing = data[sent:]
        if not self._writes_watched:
            self._writes_watched = True
            self._server.epoll.modify(self.fd, _TO_READ | select.EPOLLOUT)
        return False

    def _greet(self) -> bool:
        """Go on with the handshake; True where there may be more to do."""
        server, stream = self._server, self.tls
        assert stream is not None
        try:
            data = self._sock.recv(READ)
        except (BlockingIOError, InterruptedError):
            self._readable = False
            server.waits(self)
            return False
        except OSError:
            data = b""
        if not data:
            server.tls_failed(self, stream.broke_off())
            self.close()
            return False
        try:
            stream.feed(data)
            done = stream.handshake()
        except Exception as error:  # whatever a stranger brings a library to
            server.tls_failed(self, error)
            if self._send_wire(stream.outgoing()):  # the alert, where there is one
                self.close()
            elif not self.gone:
                self.drop()
            return False
        answer = stream.outgoing()
        if answer and not self._send_wire(answer) and self.gone:
            return False
        if done:
            self.greeting = False
            server.greeted(self)
            server.active(self)
        # More may have come, behind the last octet of the handshake too.
        return not self._outgoing

    def _read_tls(self, stream: TlsStream) -> bool:
        """As `_read`: of a record that is not whole yet nothing is put there, and it is asked
        again."""
        try:
            data = stream.read(READ)
            if not data and not stream.ended:
                try:
                    octets = self._sock.recv(READ)
                except (BlockingIOError, InterruptedError):
                    self._readable = False
                    return False
                if octets:
                    stream.feed(octets)
                    data = stream.read(READ)
                else:
                    stream.ended = True
        except OSError:
            self.drop()
            return False
        except Exception as error:  # as in `_greet`
            self._server.tls_failed(self, error)
            self.drop()
            return False
        if stream.ended and not data:
            self._readable = False
            self._closing = True
            return False
        # Keys that are changed are answered (RFC 8446 §4.6.3).
        said = stream.outgoing()
        if said and not self._send_wire(said):
            self._readable = not self.gone
            return False
        left = self._buffer[self._position :]
        self._buffer = left + data if left else data
        self._position = 0
        return True

    def _read(self) -> bool:
        """Put what has come behind what is there; False when there was nothing."""
        if self.tls is not None:
            return self._read_tls(self.tls)
        try:
            data = self._sock.recv(READ)
        except (BlockingIOError, InterruptedError):
            self._readable = False
            return False
        except OSError:
            self.drop()
            return False
        if not data:
            self._readable = False
            self._closing = True
            return False
        # The end is an event of its own only when it comes after what was read.
        self._readable = len(data) == READ or self.ended
        left = self._buffer[self._position :]
        self._buffer = left + data if left else data
        self._position = 0
        return True

    def _answer(self, end: float) -> bool:
        """Answer what has come, and send the answers."""
        server = self._server
        clock, now, note = server.clock, server.wall(), server.slot.note
        quick, address, local = server.responder.quick, self.address, self._local
        traffic, label_of = self._traffic, server.labels.of
        began = clock()
        tap, asked = server.tap, 0.0
        answers: list[bytes] = []
        count, octets, more = 0, 0, True
        while count < BATCH and octets < _ANSWERS and self._transfer is None:
            buffer, start = self._buffer, self._position + 2
            stop = len(buffer) + 1
            if start < stop:
                stop = start + (buffer[start - 2] << 8 | buffer[start - 1])
            if stop > len(buffer):
                more = self._readable and not self._closing and self._read()
                if more and clock() < end:
                    continue
                break
            self._position = stop
            count += 1
            query = buffer[start:stop]
            note(query)
            if tap is not None:
                asked = clock()
            # Octets of two qtypes: most queries have none of them.
            if len(query) < 12 or b"\0\xfc" in query or b"\0\xfb" in query:
                answer = self._rare(query, now)
            else:
                try:
                    # The option code of PADDING, which ``quick`` knows nothing of.
                    pads = self.tls is not None and b"\0\x0c" in query
                    found = None if pads else quick(query, address, now, True, local)
                    answer = found[0] if found else self._any_query(query, now)
                except Exception as error:  # a fault in one answer must not stop the others
                    answer = self._failed(query, error)
            traffic.labels[label_of(query, answer)] += 1
            if answer is not None:
                traffic.sized(len(answer))
                answers.append(len(answer).to_bytes(2, "big") + answer)
                octets += len(answer)
                if answer[3] & 15 == SERVFAIL:
                    server.counts.servfail += 1
            if tap is not None:
                over_tls = self.tls is not None
                tap.over_tcp(self._sock, query, answer, clock() - asked, tls=over_tls)
            if clock() >= end:
                break
        if self.gone:
            traffic.took(clock() - began, len(answers))
            return False
        if count:
            server.counts.queries += count
            server.active(self)
        whole = self._send(b"".join(answers)) if answers else True
        traffic.took(clock() - began, len(answers))
        if whole and self._ending:
            self._end(whole=True)
        return not self.gone and self._go_on(whole, more)

    def _go_on(self, whole: bool, more: bool) -> bool:
        """What comes after some answers: ``whole``, when all were taken; ``more``, when others
        should have their turn before it is known whether there is more to do."""
        if self._transfer is not None:
            self._ask_for_place()
        elif not whole:
            self._server.waits(self)
        elif more:
            return True
        elif self._closing:
            self.close()
        else:
            self._server.waits(self)
        return False

    def _any_query(self, query: bytes, now: float) -> bytes | None:
        """The answer to a query that is not of the commonest."""
        any_query, pads = self._server.responder.any_query, self.tls is not None
        answer = any_query(query, self.address, now, True, self._local, pads)
        if answer is None:
            self._server.counts.silent += 1
            return None
        return answer[0]

    def _failed(self, query: bytes, error: Exception) -> bytes | None:
        self._server.errors.note("answering a TCP query", error)
        return servfail(query)

    def _rare(self, query: bytes, now: float) -> bytes | None:
        """The answer to a query that is too short or may ask for a zone; none where the zone is to
        be sent."""
        if len(query) < 12:
            # RFC 7766 leaves no way to answer less than a header; RFC 5966 §6 lets us close.
            self._server.counts.silent += 1
            self._buffer, self._position = b"", 0
            self._closing = True
            return None
        try:
            if not asks_for_transfer(query):
                quick = self._server.responder.quick(query, self.address, now, True, self._local)
                return quick[0] if quick else self._any_query(query, now)
            # Whether the client may have the zone is looked at before anything waits for that.
            tls = self.tls.client if self.tls is not None else None
            opened = self._server.open_transfer(query, self.address, now, tls)
        except Exception as error:  # as for answers
            return self._failed(query, error)
        if opened is None or isinstance(opened, bytes):
            return opened
        try:
            once = opened.at_once()
        except Exception as error:
            opened.close()
            return self._failed(query, error)
        if once is None:
            self._transfer = opened
        else:
            self._server.counts.transfers += 1
            self._ending.append(opened)
        return once

    def _end(self, *, whole: bool) -> None:
        """What was answered at once is with the kernel, or the connection is gone before that."""
        ending, self._ending = self._ending, []
        for one in ending:
            if whole:
                one.done()
            one.close()

    def _ask_for_place(self) -> None:
        server, transfer = self._server, self._transfer
        assert transfer is not None
        holder = Holder(transfer.key, self.address)
        if server.places.ask(self, holder, server.clock(), transfer.octets):
            if self.ended and not self._placed:
                self.drop()  # as in `notice`: it left before we read what it wanted
            elif self._outgoing:
                server.waits(self)  # for what was asked before, it has as long as others have
            return
        server.counts.refused += 1
        wire = transfer.refuse(server.wall())
        traffic = self._traffic
        traffic.labels[server.labels.unasked(wire)] += 1
        traffic.sized(len(wire))
        transfer.close()
        self._transfer = None
        # Behind what could not be sent before.
        waiting, self._outgoing = self._outgoing, b""
        said = len(wire).to_bytes(2, "big") + wire
        if self._send_wire(waiting + (said if self.tls is None else self.tls.wrap(said))):
            server.enqueue(self)
        elif not self.gone:
            server.waits(self)

    def _send_zone(self, end: float) -> bool:
        """Send messages of the transfer until the client is full or the time is over."""
        server, messages = self._server, self._messages
        assert messages is not None
        while (message := next(messages, None)) is not None:
            # Nothing is yielded where something takes time before the first message.
            wire = message if self.tls is None or not message else self.tls.wrap(message)
            # To sign a message takes as long as to send it.
            if wire and server.to_give_way():
                self._outgoing = wire
                return True
            if wire and not self._send_wire(wire):
                if not self.gone:
                    server.waits(self)
                return False
            now = server.clock()
            server.slot.beat(now)
            if now >= end or server.to_give_way():
                return True
        assert self._transfer is not None
        self._transfer.close()
        self._transfer = self._messages = None
        self._placed = False
        server.places.leave(self, server.clock())
        server.active(self)
        return True

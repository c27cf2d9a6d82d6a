"""What comes and what goes, for the query log and for dnstap.

Sockets are tapped where they read and send, so that the loops of `lzc.serve.transport.udp` and what
they cost are the same with and without.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from lzc.serve.observe.dnstap import Endpoint, Exchange
from lzc.serve.observe.frame_stream import FrameStream
from lzc.serve.observe.query_log import QueryLog
from lzc.serve.observe.sampling import Sampling
from lzc.serve.transport import datagrams
from lzc.serve.transport.sockets import Listener, sent_to
from lzc.serve.transport.udp import BatchReader, SingleReader, UdpServer, packed_address

_PORT: Final = 2
"""Where the port stands in a socket address, after the family."""
_NAME: Final = 32
"""Octets between two socket addresses in `datagrams.Datagrams`."""


class Tap:
    """Of a worker. ``stream`` takes messages of dnstap, with these texts for the server, and
    ``query_log`` lines; each gets what its sampling chooses."""

    def __init__(
        self,
        stream: tuple[FrameStream, Sampling] | None,
        query_log: tuple[QueryLog, Sampling] | None,
        *,
        identity: str,
        version: str,
    ) -> None:
        self.stream: FrameStream | None = None
        self.query_log: QueryLog | None = None
        if stream is not None:
            self.stream, self._of_stream = stream
        if query_log is not None:
            self.query_log, self._of_log = query_log
        self._texts = identity, version
        self._tcp: dict[tuple[bytes, int], Endpoint] = {}
        self.computed: set[bytes] = set()
        """Queries of this turn that the packet cache had no answer for."""

    def endpoint(self, local: bytes, port: int, *, tcp: bool, six: bool) -> Endpoint:
        """Messages about a socket of ours."""
        return Endpoint(*self._texts, local, port, tcp=tcp, six=six)

    def udp_server(self, *args: Any) -> UdpServer:
        """A server that tells which queries the cache did not answer, where somebody wants to
        know."""
        return UdpServer(*args) if self.query_log is None else _TellingServer(self, *args)

    def reader(self, server: UdpServer, listener: Listener) -> Callable[[], None]:
        """As `UdpServer.reader`."""
        if isinstance(reader := server.reader(listener), BatchReader):
            reader._datagrams = _TappedDatagrams(listener, self)
            return reader
        tapped: Any = _TappedSocket(listener, self)
        return SingleReader(server, tapped, listener.local)

    def chosen(self, count: int) -> tuple[Sequence[int], Sequence[int]]:
        """Which of the next ``count`` queries dnstap and the query log get."""
        stream: Sequence[int] = ()
        log: Sequence[int] = ()
        if self.stream is not None:
            stream = self._of_stream.of(count)
            if not self.stream.streaming:
                self.stream.lost += 2 * len(stream)
                stream = ()
        if self.query_log is not None:
            log = self._of_log.of(count)
        return stream, log

    def look(self, now: float) -> None:
        """Tell of what the reader did not get, once in a while; ``now`` is monotonic time."""
        if self.stream is not None:
            self.stream.look(now)

    def close(self) -> None:
        """Write and send what waits."""
        if self.query_log is not None:
            self.query_log.flush()
        if self.stream is not None:
            self.stream.close()

    def over_tcp(
        self, sock: socket.socket, query: bytes, answer: bytes | None, seconds: float
    ) -> None:
        """A query over TCP, and its answer, after so many ``seconds``; none where a zone is sent or
        nothing at all."""
        stream, log = self.chosen(1)
        if not stream and not log:
            return
        try:
            (host, port, *_), (own, own_port, *_) = sock.getpeername(), sock.getsockname()
        except OSError:  # it is gone
            return
        client, local = packed_address(host), packed_address(own)
        now = time.time()
        if stream:
            endpoint = self._tcp.get((local, own_port))
            if endpoint is None:
                endpoint = self.endpoint(local, own_port, tcp=True, six=len(client) == 16)
                self._tcp[local, own_port] = endpoint
            assert self.stream is not None
            exchange = client, port.to_bytes(2, "big"), query, answer
            self.stream.send(*endpoint.frames(now - seconds, now, [exchange]))
        if log and self.query_log is not None:
            about = (now - seconds, seconds, client, port, query, answer)
            self.query_log.note(*about, tcp=True, cached=False)


class _TellingServer(UdpServer):
    """Tells a tap what the cache did not answer."""

    def __init__(self, tap: Tap, *args: Any) -> None:
        super().__init__(*args)
        self._tap = tap

    def answer(
        self, query: bytes, key: bytes, client: bytes, local: bytes, now: float
    ) -> bytes | None:
        """As `UdpServer.answer`."""
        before = self.counts.misses
        answer = super().answer(query, key, client, local, now)
        if self.counts.misses != before:
            self._tap.computed.add(query)
        return answer


class _TappedDatagrams(datagrams.Datagrams):
    """Queries stay in their slots until more are read, and so do answers: both are looked at once
    the answers are sent. Times are those of a batch: when it was read, and when it was answered."""

    def __init__(self, listener: Listener, tap: Tap) -> None:
        super().__init__(listener.udp)
        self._tap = tap
        six = listener.udp.family == socket.AF_INET6
        port = listener.udp.getsockname()[1]
        self._endpoint = tap.endpoint(listener.local, port, tcp=False, six=six)
        starts = [host.start & -_NAME for _, (_, _, host, _) in self.places]
        self._ports = [slice(start + _PORT, start + _PORT + 2) for start in starts]
        self._told = 0
        self._at = 0.0

    def receive(self) -> int:
        """As `Datagrams.receive`."""
        self._tap.computed.clear()
        self._told = 0
        self._at = time.time()
        return super().receive()

    def send(self, first: int, end: int) -> int:
        """As `Datagrams.send`. Those before ``first`` that were not sent yet got no answer."""
        failed = super().send(first, end)
        begin, self._told = self._told, end
        tap = self._tap
        stream, log = tap.chosen(end - begin)
        if not stream and not log:
            return failed
        now, at = time.time(), self._at
        if stream:
            assert tap.stream is not None
            tap.stream.send(*self._endpoint.frames(at, now, self._exchanges(begin, stream, first)))
        if log:
            assert tap.query_log is not None
            for client, port, query, answer in self._exchanges(begin, log, first):
                about = at, now - at, client, int.from_bytes(port, "big"), query, answer
                tap.query_log.note(*about, tcp=False, cached=query not in tap.computed)
        return failed

    def _exchanges(self, begin: int, chosen: Sequence[int], first: int) -> list[Exchange]:
        """What came and went in slots, which are ``chosen`` counting from ``begin``; of those before
        ``first`` nothing went."""
        received, sizes, clients, ports = self.received, self.sizes, self.clients, self._ports
        answers, answer_sizes, places = self.answers, self.answer_sizes, self.places
        some = places[begin : begin + len(chosen)]
        if not isinstance(chosen, range):
            some = [places[begin + one] for one in chosen]
        return [
            (
                clients[host],
                clients[ports[slot]],
                received[start : start + sizes[size]],
                answers[start : start + answer_sizes[octets]] if slot >= first else None,
            )
            for slot, (start, size, host, octets) in some
        ]


class _TappedSocket:
    """Stands for the socket of a `SingleReader`: what was read gets its answer before more is
    read."""

    def __init__(self, listener: Listener, tap: Tap) -> None:
        self._socket = listener.udp
        self._local = listener.local
        self._port = listener.udp.getsockname()[1]
        self._tap = tap
        self._endpoints: dict[bytes, Endpoint] = {}
        self._open: tuple[bytes, bytes, tuple[Any, ...], float] | None = None

    def recvmsg(self, size: int, control_size: int) -> Any:
        """As that of a socket."""
        if self._open is not None:
            self._tell(None)
        self._tap.computed.clear()
        found = self._socket.recvmsg(size, control_size)
        query, control, _, client = found
        local, _ = sent_to(control)
        self._open = query, local or self._local, client, time.time()
        return found

    def sendmsg(self, octets: list[bytes], reply: Any, flags: int, client: Any) -> int:
        """As that of a socket."""
        try:
            return self._socket.sendmsg(octets, reply, flags, client)
        finally:
            self._tell(octets[0])

    def _tell(self, answer: bytes | None) -> None:
        assert self._open is not None
        (query, local, peer, at), self._open = self._open, None
        tap = self._tap
        stream, log = tap.chosen(1)
        if not stream and not log:
            return
        now = time.time()
        client, port = packed_address(peer[0]), peer[1]
        if stream:
            endpoint = self._endpoints.get(local)
            if endpoint is None:
                six = len(client) == 16
                endpoint = tap.endpoint(local, self._port, tcp=False, six=six)
                self._endpoints[local] = endpoint
            assert tap.stream is not None
            exchange = client, port.to_bytes(2, "big"), query, answer
            tap.stream.send(*endpoint.frames(at, now, [exchange]))
        if log and tap.query_log is not None:
            cached = answer is not None and query not in tap.computed
            tap.query_log.note(at, now - at, client, port, query, answer, tcp=False, cached=cached)

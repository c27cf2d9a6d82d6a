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

    def endpoint(self, local: bytes, port: int, *, tcp: bool, six: bool) -> Endpoint:
        """Messages about a socket of ours."""
        return Endpoint(*self._texts, local, port, tcp=tcp, six=six)

    def reader(self, server: UdpServer, listener: Listener) -> Callable[[], None]:
        """As `UdpServer.reader`."""
        if isinstance(reader := server.reader(listener), BatchReader):
            reader._datagrams = _TappedDatagrams(server, listener, self)
            return reader
        tapped: Any = _TappedSocket(server, listener, self)
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


class _Misses:
    """Notes what the packet cache of a server has no answer for, while somebody wants to know: in
    the place of `UdpServer.answer`, so that it costs other queries nothing."""

    def __init__(self, server: UdpServer) -> None:
        self._server = server
        self._answer = server.answer
        self.queries: set[bytes] = set()

    def watch(self, chosen: Sequence[int]) -> None:
        """Begin anew, where one of the next queries is chosen; otherwise stop."""
        if chosen:
            self.queries.clear()
            vars(self._server)["answer"] = self._note
        else:
            vars(self._server).pop("answer", None)

    def _note(
        self,
        query: bytes,
        key: bytes,
        client: bytes,
        local: bytes,
        now: float,
        counted: list[int],
    ) -> bytes | None:
        before = self._server.counts.misses
        answer = self._answer(query, key, client, local, now, counted)
        if self._server.counts.misses != before:
            self.queries.add(query)
        return answer


class _TappedDatagrams(datagrams.Datagrams):
    """Queries stay in their slots until more are read, and so do answers: both are looked at once
    the answers are sent. Times are those of a batch: when it was read, and when it was answered."""

    def __init__(self, server: UdpServer, listener: Listener, tap: Tap) -> None:
        super().__init__(listener.udp)
        self._tap = tap
        self._misses = _Misses(server)
        six = listener.udp.family == socket.AF_INET6
        port = listener.udp.getsockname()[1]
        self._endpoint = tap.endpoint(listener.local, port, tcp=False, six=six)
        starts = [host.start & -_NAME for _, (_, _, host, _) in self.places]
        self._ports = [slice(start + _PORT, start + _PORT + 2) for start in starts]
        self._count = self._told = 0
        self._silent: set[int] = set()
        self._stream: Sequence[int] = ()
        self._log: Sequence[int] = ()
        self._at = 0.0

    def receive(self) -> int:
        """As `Datagrams.receive`."""
        count = self._count = super().receive()
        if self._log:
            self._misses.watch(())
        if count:
            self._at = time.time()
            self._told = 0
            self._stream, self._log = self._tap.chosen(count)
            if self._log:
                self._misses.watch(self._log)
        return count

    def send(self, first: int, end: int) -> int:
        """As `Datagrams.send`. Those before ``first`` that were not sent yet got no answer, and the
        last call for what was received is up to its end."""
        failed = super().send(first, end)
        stream, log = self._stream, self._log
        if not stream and not log:
            return failed
        if first > self._told:
            self._silent.update(range(self._told, first))
        self._told = end
        if end < self._count:
            return failed
        now, at, tap = time.time(), self._at, self._tap
        if stream:
            assert tap.stream is not None
            tap.stream.send(*self._endpoint.frames(at, now, self._exchanges(stream)))
        if log:
            assert tap.query_log is not None
            for client, port, query, answer in self._exchanges(log):
                about = at, now - at, client, int.from_bytes(port, "big"), query, answer
                cached = query not in self._misses.queries
                tap.query_log.note(*about, tcp=False, cached=cached)
        self._silent.clear()
        return failed

    def _exchanges(self, chosen: Sequence[int]) -> list[Exchange]:
        """What came into the chosen slots, and went from them."""
        received, sizes, clients, ports = self.received, self.sizes, self.clients, self._ports
        answers, answer_sizes, places = self.answers, self.answer_sizes, self.places
        silent = self._silent
        some = places[: len(chosen)]
        if not isinstance(chosen, range):
            some = [places[one] for one in chosen]
        return [
            (
                clients[host],
                clients[ports[slot]],
                received[start : start + sizes[size]],
                answers[start : start + answer_sizes[octets]] if slot not in silent else None,
            )
            for slot, (start, size, host, octets) in some
        ]


class _TappedSocket:
    """Stands for the socket of a `SingleReader`: what was read gets its answer before more is
    read."""

    def __init__(self, server: UdpServer, listener: Listener, tap: Tap) -> None:
        self._socket = listener.udp
        self._local = listener.local
        self._port = listener.udp.getsockname()[1]
        self._tap = tap
        self._misses = _Misses(server)
        self._endpoints: dict[bytes, Endpoint] = {}
        self._open: tuple[bytes, bytes, tuple[Any, ...], float] | None = None
        self._stream: Sequence[int] = ()
        self._log: Sequence[int] = ()

    def recvmsg(self, size: int, control_size: int) -> Any:
        """As that of a socket."""
        if self._open is not None:
            self._tell(None)
        found = self._socket.recvmsg(size, control_size)
        self._stream, self._log = self._tap.chosen(1)
        self._misses.watch(self._log)
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
        tap, stream, log = self._tap, self._stream, self._log
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
            cached = answer is not None and query not in self._misses.queries
            tap.query_log.note(at, now - at, client, port, query, answer, tcp=False, cached=cached)

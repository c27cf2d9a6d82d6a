"""Queries over UDP: one function that reads, looks up and sends until the socket is empty."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from typing import Final, Protocol

from lzc.serve.mishaps import Mishaps, servfail
from lzc.serve.packet_cache import PacketCache
from lzc.serve.sockets import Listener, asked_address, reply_control

BURST: Final = 256
"""Datagrams read in a row before TCP and timers have their turn."""
_DATAGRAM: Final = 65535
_CONTROL: Final = 128


class Answer(Protocol):
    """What `Responder.respond` gives."""

    @property
    def wire(self) -> bytes:
        """The whole message."""

    @property
    def cacheable(self) -> bool:
        """True when the answer depends on nothing but the query's octets and the transport."""


class Responder(Protocol):
    """The part of `lzc.answer.responder.Responder` that the sockets need."""

    def respond(
        self, query: bytes, client: bytes, now: float, *, tcp: bool, local: bytes = b""
    ) -> Answer | None:
        """The answer to a query, or `None` for silence."""


ValidUntil = Callable[[float], float]
"""Now -> when the answers kept must be made anew, both seconds since the epoch."""


class UdpCounts:
    """Counters of the UDP sockets of a worker."""

    __slots__ = ("hits", "queries", "send_errors", "servfail", "silent", "truncated")

    def __init__(self) -> None:
        self.queries = 0
        self.hits = 0
        self.servfail = 0
        self.silent = 0
        self.truncated = 0
        self.send_errors = 0


def packed_address(text: str) -> bytes:
    """The 4 or 16 octets of a socket's peer address."""
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    return socket.inet_aton(text)


class UdpServer:
    """The UDP side of a worker: any number of sockets, one cache."""

    def __init__(
        self, responder: Responder, valid_until: ValidUntil, cache_entries: int, mishaps: Mishaps
    ) -> None:
        self.responder = responder
        self.cache = PacketCache(cache_entries)
        self.counts = UdpCounts()
        self._mishaps = mishaps
        self._validity = valid_until
        self._valid_until = 0.0

    def swap(self, responder: Responder, valid_until: ValidUntil) -> None:
        """Answer from another bundle, starting with the next query."""
        self.responder = responder
        self._validity = valid_until
        self.expire(time.time())

    def reader(self, listener: Listener) -> UdpReader | WildcardReader:
        """The callback for ``loop.add_reader`` of a socket."""
        kind = WildcardReader if listener.wildcard else UdpReader
        return kind(self, listener.udp, listener.local)

    def expire(self, now: float) -> None:
        """Drop all answers: their signatures may be those of a window that has ended."""
        self.cache.clear()
        self._valid_until = self._validity(now)

    def answer(self, query: bytes, client: str, local: bytes, now: float) -> bytes | None:
        """The answer to a query that the young cache does not hold; never raises."""
        cache = self.cache
        key = query[2:]
        hit = cache.older(key)
        if hit is not None:
            return query[:2] + hit
        counts = self.counts
        counts.hits -= 1
        if len(query) < 12:
            counts.silent += 1
            return None
        try:
            answer = self.responder.respond(
                query, packed_address(client), now, tcp=False, local=local
            )
        except Exception as error:  # a fault in one answer must not stop the others
            self._mishaps.note("answering a UDP query", error)
            counts.servfail += 1
            return servfail(query)
        if answer is None:
            counts.silent += 1
            return None
        wire = answer.wire
        if wire[2] & 2:
            counts.truncated += 1
        if wire[3] & 15 == 2:
            counts.servfail += 1
        elif answer.cacheable:
            cache.put(key, wire[2:])
        return wire


class UdpReader:
    """Reads a socket that is bound to one address."""

    __slots__ = ("_local", "_recvfrom", "_sendto", "_server")

    def __init__(self, server: UdpServer, sock: socket.socket, local: bytes) -> None:
        self._local = local
        self._server = server
        self._recvfrom = sock.recvfrom
        self._sendto = sock.sendto

    def __call__(self) -> None:
        """Answer what is in the socket, at most `BURST` datagrams."""
        server = self._server
        recvfrom, sendto = self._recvfrom, self._sendto
        now = time.time()
        if now >= server._valid_until:
            server.expire(now)
        find = server.cache.young.get
        count = 0
        try:
            while count < BURST:
                query, client = recvfrom(_DATAGRAM)
                count += 1
                hit = find(query[2:])
                if hit is not None:
                    answer: bytes | None = query[:2] + hit
                else:
                    answer = server.answer(query, client[0], self._local, now)
                    find = server.cache.young.get
                    if answer is None:
                        continue
                try:
                    sendto(answer, client)  # type: ignore[arg-type]
                except OSError:
                    # Full buffer, a firewall, a spoofed port 0, an answer over the MTU of a
                    # link without fragments: the client asks again, as over any lossy path.
                    server.counts.send_errors += 1
        except BlockingIOError:
            pass
        except OSError as error:
            server._mishaps.note("reading a UDP socket", error)
        server.counts.queries += count
        server.counts.hits += count


class WildcardReader:
    """Reads a socket bound to 0.0.0.0 or ::. The answer leaves from the address that was asked,
    which takes recvmsg and sendmsg: about half the speed of `UdpReader`."""

    __slots__ = ("_server", "_sock")

    def __init__(self, server: UdpServer, sock: socket.socket, _local: bytes) -> None:
        self._server = server
        self._sock = sock

    def __call__(self) -> None:
        """Answer what is in the socket, at most `BURST` datagrams."""
        server, sock = self._server, self._sock
        now = time.time()
        if now >= server._valid_until:
            server.expire(now)
        count = 0
        try:
            while count < BURST:
                query, control, _, client = sock.recvmsg(_DATAGRAM, _CONTROL)
                count += 1
                hit = server.cache.young.get(query[2:])
                answer = query[:2] + hit if hit is not None else None
                if answer is None:
                    answer = server.answer(query, client[0], asked_address(control), now)
                    if answer is None:
                        continue
                try:
                    sock.sendmsg([answer], reply_control(control), 0, client)
                except OSError:
                    server.counts.send_errors += 1
        except BlockingIOError:
            pass
        except OSError as error:
            server._mishaps.note("reading a UDP socket", error)
        server.counts.queries += count
        server.counts.hits += count

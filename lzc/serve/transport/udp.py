"""Queries over UDP: one function that reads, looks up and sends until the socket is empty."""

from __future__ import annotations

import socket
import time
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Final

from lzc.answer.planned import Choice
from lzc.answer.unfinished import Unfinished
from lzc.serve.ipc.scoreboard import Scoreboard, Slot
from lzc.serve.ipc.traffic import LATENCIES, TrafficCounts
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport import datagrams
from lzc.serve.transport.packet_cache import PacketCache
from lzc.serve.transport.responders import UdpResponder
from lzc.serve.transport.sockets import Listener, sent_to
from lzc.wire.message import question_end

BURST: Final = 256
"""Datagrams read in a row before TCP and timers have their turn."""
TURN: Final = 0.004
"""Seconds after which they have it before: looked at after some dozen datagrams."""
_SOME: Final = 32
_DATAGRAM: Final = 65535
_CONTROL: Final = 128


Later = tuple[bytes, int, bytes, Unfinished]
"""A query, the label of its answer, what there is of that, and what it lacks."""

ValidUntil = Callable[[float], float]
"""Now -> when the answers kept must be made anew, both seconds since the epoch."""


@dataclass(slots=True)
class UdpCounts:
    """Counters of the UDP sockets of a worker."""

    queries: int = 0
    misses: int = 0
    servfail: int = 0
    silent: int = 0
    truncated: int = 0
    send_errors: int = 0

    @property
    def hits(self) -> int:
        """Queries that were answered from the cache."""
        return self.queries - self.misses


def packed_address(text: str) -> bytes:
    """The 4 or 16 octets of a socket's peer address."""
    if ":" in text:
        return socket.inet_pton(socket.AF_INET6, text.partition("%")[0])
    return socket.inet_aton(text)


def servfail(query: bytes) -> bytes | None:
    """SERVFAIL for a query that could not be answered, with its question where it can be found;
    `None` for what is no query at all."""
    if len(query) < 12 or query[2] & 0x80:
        return None
    end = question_end(query)
    flags = bytes((0x80 | query[2] & 0x79, 2))
    if not end or query[4:6] != b"\0\1":
        return query[:2] + flags + bytes(8)
    return query[:2] + flags + b"\0\1" + bytes(6) + query[12:end]


class UdpServer:
    """The UDP side of a worker: any number of sockets, one cache."""

    def __init__(
        self,
        responder: UdpResponder,
        valid_until: ValidUntil,
        cache_entries: int,
        errors: ErrorLog,
        slot: Slot | None = None,
        traffic: TrafficCounts | None = None,
    ) -> None:
        slot = slot or Scoreboard(1).slot(0)
        traffic = traffic or TrafficCounts()
        self._labels = traffic.labels
        self._known = traffic.labels.known
        self.traffic = traffic.udp
        self._note: Callable[[bytes], None] = slot.note
        self._note_alone = slot.note
        self.done = slot.done
        self._begin = responder.begin
        self._any_query = responder.any_query
        self.cache = PacketCache(cache_entries)
        self.counts = UdpCounts()
        self._errors = errors
        self._validity = valid_until
        self._valid_from = self._valid_until = 0.0

    def swap(
        self,
        responder: UdpResponder,
        valid_until: ValidUntil,
        cache_entries: int | None = None,
    ) -> None:
        """Answer from another bundle, starting with the next query, and keep so many answers from
        now on, where that is said."""
        if cache_entries is not None and cache_entries != self.cache.entries:
            self.cache = PacketCache(cache_entries)
        self._begin = responder.begin
        self._any_query = responder.any_query
        self._validity = valid_until
        self.expire(time.time())

    def noted_by(self, note: Callable[[bytes], None] | None) -> None:
        """Have queries that no cache answers noted by this, which calls `Slot.note`, from now on;
        without it by that alone."""
        self._note = note or self._note_alone

    def reader(self, listener: Listener) -> Callable[[], None]:
        """The callback for ``loop.add_reader`` of a socket."""
        batches = datagrams.AVAILABLE and not listener.wildcard
        return (BatchReader if batches else SingleReader)(self, listener.udp, listener.local)

    def expire(self, now: float) -> None:
        """Drop all answers: their signatures may be those of another window."""
        self.cache.clear()
        self._valid_from = now
        self._valid_until = self._validity(now)

    def begin(self, now: float) -> None:
        """Call this before a turn of queries at ``now``, seconds since the epoch. A clock that was
        set back is told by it: what was signed while it was ahead may not be valid yet."""
        if not self._valid_from <= now < self._valid_until:
            self.expire(now)

    def answer(
        self,
        query: bytes,
        key: bytes,
        client: bytes,
        local: bytes,
        now: float,
        counted: list[int],
        later: list[Later] | None = None,
    ) -> bytes | None:
        """The answer to a query that the young cache does not hold, `None` for silence; never
        raises. ``key`` is the query without its ID, ``client`` and ``local`` are packed addresses;
        ``counted`` has the counts by label. Where only a signature is missing, the answer goes to
        ``later``, for `finish`, and nothing is given, if there is such a list."""
        counts = self.counts
        cache = self.cache
        if cache.old:
            hit = cache.older(key)
            if hit is not None:
                wire, label, choose = hit
                if choose is not None:
                    wire = choose(client, now)
                if wire:
                    counted[label] += 1
                    return query[:2] + wire
        counts.misses += 1
        self._note(query)
        try:
            answer = self._begin(query, client, now, False, local)
            if answer is None:
                answer = self._any_query(query, client, now, False, local)
        except Exception as error:  # a fault in one answer must not stop the others
            self._errors.note("answering a UDP query", error)
            failed = servfail(query)
            counts.servfail += 1
            counted[self._labels.of(query, failed)] += 1
            return failed
        if answer is None:
            counts.silent += 1
            counted[self._labels.of(query, None)] += 1
            return None
        wire, cacheable = answer
        rcode = wire[3] & 15
        # As `Labels.of`, in place: half of its time is the call.
        known = self._known[rcode].get(query[-15:] if query[11] else query[-4:])
        label = self._labels.of(query, wire) if known is None else known
        counted[label] += 1
        if wire[2] & 2:
            counts.truncated += 1
        if rcode == 2:
            counts.servfail += 1
        elif cacheable is True:
            cache.offer(key, wire, label)
        elif isinstance(cacheable, Choice):
            cache.offer(key, cacheable, self._labels.planned(label))
        elif cacheable:
            begun = query, label, wire, cacheable
            if later is None:
                return self.finish(begun, counted)
            later.append(begun)
            return None
        return wire

    def finish(self, begun: Later, counted: list[int]) -> bytes:
        """The answer to a query once the signature is made that it lacked; never raises."""
        query, label, before, unfinished = begun
        try:
            wire = unfinished.finish(before)
        except Exception as error:
            self._errors.note("signing the answer to a UDP query", error)
            failed = servfail(query)
            assert failed is not None  # as its question was read before
            self.counts.servfail += 1
            counted[label] -= 1
            counted[self._labels.of(query, failed)] += 1
            return failed
        if unfinished.cacheable:
            self.cache.offer(query[2:], wire, label)
        return wire


class BatchReader:
    """Reads and answers many datagrams of a socket that is bound to one address with two system
    calls: 1.2 µs less for each than recvfrom and sendto take.

    All answers of a batch are handed over together, so each took as long as the batch."""

    __slots__ = ("_datagrams", "_local", "_server", "_traffic")

    def __init__(self, server: UdpServer, sock: socket.socket, local: bytes) -> None:
        self._datagrams = datagrams.Datagrams(sock)
        self._local = local
        self._server = server
        self._traffic = server.traffic[16 if sock.family == socket.AF_INET6 else 4]

    def __call__(self) -> None:
        """Answer what is in the socket, at most `BURST` datagrams."""
        server, local = self._server, self._local
        batch = self._datagrams
        now = time.time()
        end = now + TURN
        server.begin(now)
        counts, cache = server.counts, server.cache
        received, sizes, clients = batch.received, batch.sizes, batch.clients
        answers, answer_sizes = batch.answers, batch.answer_sizes
        traffic = self._traffic
        counted, lengths = traffic.labels, traffic.lengths
        try:
            for _ in range(BURST // datagrams.BATCH):
                count = batch.receive()
                if not count:
                    break
                began = perf_counter()
                counts.queries += count
                unsent = 0
                silent: list[int] = []
                later: list[Later] = []
                unsigned: list[tuple[int, int]] = []
                for index, (start, size, host, answer_size) in batch.places[:count]:
                    query = received[start : start + sizes[size]]
                    key = query[2:]
                    hit = cache.young.get(key)
                    answer: bytes | None
                    if hit is None:
                        client = clients[host]
                        answer = server.answer(query, key, client, local, now, counted, later)
                    else:
                        wire, label, choose = hit
                        if choose is None or (wire := choose(clients[host], now)):
                            answer = query[:2] + wire
                            counted[label] += 1
                        else:
                            client = clients[host]
                            answer = server.answer(query, key, client, local, now, counted, later)
                    if answer is None:
                        if len(later) > len(unsigned):
                            unsigned.append((start, answer_size))
                        else:
                            silent.append(index)
                        continue
                    length = len(answer)
                    lengths[length] += 1
                    answers[start : start + length] = answer
                    answer_sizes[answer_size] = length
                for begun, (start, answer_size) in zip(later, unsigned, strict=True):
                    answer = server.finish(begun, counted)
                    length = len(answer)
                    lengths[length] += 1
                    answers[start : start + length] = answer
                    answer_sizes[answer_size] = length
                for index in silent:
                    counts.send_errors += batch.send(unsent, index)
                    unsent = index + 1
                counts.send_errors += batch.send(unsent, count)
                answered = count - len(silent)
                took = perf_counter() - began
                traffic.latency[bisect_left(LATENCIES, took)] += answered
                traffic.seconds += took * answered
                if count == datagrams.BATCH and time.time() >= end:
                    break
        except OSError as error:
            server._errors.note("reading a UDP socket", error)
        server.done()


class SingleReader:
    """Reads one datagram after the other. The answer leaves from the address that was asked, which
    takes recvmsg and sendmsg: for sockets bound to 0.0.0.0 or ::, and for all of them on a system
    that has not what `BatchReader` needs."""

    __slots__ = ("_local", "_server", "_sock")

    def __init__(self, server: UdpServer, sock: socket.socket, local: bytes) -> None:
        self._local = local
        self._server = server
        self._sock = sock

    def __call__(self) -> None:
        """Answer what is in the socket, at most `BURST` datagrams."""
        server, sock = self._server, self._sock
        now = time.time()
        end = now + TURN
        server.begin(now)
        count = 0
        try:
            while count < BURST and ((count + 1) % _SOME or time.time() < end):
                query, control, _, client = sock.recvmsg(_DATAGRAM, _CONTROL)
                count += 1
                local, reply = sent_to(control)
                began = perf_counter()
                key = query[2:]
                traffic = server.traffic[4 if len(client) == 2 else 16]
                answer: bytes | None = None
                hit = server.cache.young.get(key)
                if hit is not None:
                    wire, label, choose = hit
                    if choose is not None:
                        wire = choose(packed_address(client[0]), now)
                    if wire:
                        answer = query[:2] + wire
                        traffic.labels[label] += 1
                if answer is None:
                    packed = packed_address(client[0])
                    own = local or self._local
                    answer = server.answer(query, key, packed, own, now, traffic.labels)
                if answer is None:
                    continue
                try:
                    sock.sendmsg([answer], reply, 0, client)
                except OSError:
                    server.counts.send_errors += 1  # as in `Datagrams.send`
                traffic.sized(len(answer))
                traffic.took(perf_counter() - began)
        except BlockingIOError:
            pass
        except OSError as error:
            server._errors.note("reading a UDP socket", error)
        server.counts.queries += count
        server.done()

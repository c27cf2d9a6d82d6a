"""What comes and what goes, for the query log and for dnstap.

Sockets are tapped where they read and send, so that the loops of `lzc.serve.transport.udp` and what
they cost are the same with and without. What is for dnstap is made frames of where it lies, into
the ring that the recorder (`lzc.serve.observe.recorder`) sends from. What is few, and what the
query log gets, is handed over as it is, and the recorder makes frames and lines of that.
"""

from __future__ import annotations

import mmap
import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from lzc.serve.ipc.exchanges import (
    FRAMES,
    LINE,
    MADE,
    NAME,
    SILENT,
    Batch,
    Exchange,
    Single,
    begin_made,
    front_of,
    pieces_of,
    pieces_of_singles,
)
from lzc.serve.ipc.octet_ring import OctetRing
from lzc.serve.ipc.recorder_table import (
    FRAMES_BEHIND,
    FRAMES_UNCHOSEN,
    FRAMES_UNREAD,
    LINES_BEHIND,
    LINES_UNCHOSEN,
)
from lzc.serve.observe.dnstap import Endpoints
from lzc.serve.observe.sampling import Sampling
from lzc.serve.observe.slot_frames import SlotFrames, Slots
from lzc.serve.transport import datagrams
from lzc.serve.transport.sockets import Listener, sent_to
from lzc.serve.transport.udp import BatchReader, SingleReader, UdpServer, packed_address

_GATHERED: Final = 32
"""Exchanges that are chosen for the query log are handed over so many at once, or some times a
second."""
_USUAL: Final = 512
"""Octets that frames of a query and its answer rarely exceed."""
_ALL_FRAMES: Final = bytes((FRAMES,)) * datagrams.BATCH


class Tap:
    """Of a worker. The recorder at the other end of ``ring`` gets what is chosen by ``frames`` for
    dnstap and by ``lines`` for the query log. An exchange is ``messages`` to dnstap, about one of
    ``endpoints``."""

    def __init__(
        self,
        ring: OctetRing,
        frames: Sampling | None,
        lines: Sampling | None,
        endpoints: Endpoints,
    ) -> None:
        self.ring = ring
        self._frames = frames
        self._lines = lines
        self._endpoints = endpoints
        self.messages = 1 if endpoints.together else 2
        self._unchosen = self._lines_unchosen = 0
        self.gatherers: list[_TappedDatagrams] = []

    def reader(self, server: UdpServer, listener: Listener) -> Callable[[], None]:
        """As `UdpServer.reader`."""
        if isinstance(reader := server.reader(listener), BatchReader):
            reader._datagrams = _TappedDatagrams(server, listener, self)
            return reader
        tapped: Any = _TappedSocket(server, listener, self)
        return SingleReader(server, tapped, listener.local)

    def slot_frames(
        self, at: datagrams.Addresses, marks: mmap.mmap, local: bytes, port: int, six: bool
    ) -> SlotFrames | None:
        """What makes frames for the ring of what is in slots; `None` where dnstap gets none."""
        if self._frames is None:
            return None
        slots = Slots(
            *(at.received, at.answers, at.clients, datagrams.address(marks)),
            *(at.lengths, at.lengths_step, at.answer_lengths, at.answer_lengths_step),
            *(datagrams.SLOT, NAME),
        )
        endpoint = self._endpoints.of(local, port, False, six)
        return SlotFrames(endpoint, self.ring.address, slots, six=six)

    def chosen(self, count: int) -> tuple[Sequence[int], Sequence[int]]:
        """Which of the next ``count`` queries dnstap and the query log get."""
        frames: Sequence[int] = ()
        lines: Sequence[int] = ()
        if self._frames is not None:
            frames = self._frames.of(count)
            self._unchosen += count - len(frames)
            if frames and not self.ring.wanted:
                self.ring.counts[FRAMES_UNREAD] += len(frames) * self.messages
                frames = ()
        if self._lines is not None:
            lines = self._lines.of(count)
            self._lines_unchosen += count - len(lines)
        return frames, lines

    def publish(self) -> None:
        """Hand over what is gathered, and let others see how many were not chosen; what else is
        counted, they see at once. To be called some times a second."""
        for one in self.gatherers:
            one.flush()
        counts = self.ring.counts
        counts[FRAMES_UNCHOSEN] += self._unchosen * self.messages
        counts[LINES_UNCHOSEN] += self._lines_unchosen
        self._unchosen = self._lines_unchosen = 0

    def hand_over(self, found: list[bytes], frames: int, lines: int) -> None:
        """Pieces of exchanges, so many of which are to be in frames and in lines."""
        if not self.ring.put(found):
            counts = self.ring.counts
            counts[FRAMES_BEHIND] += frames * self.messages
            counts[LINES_BEHIND] += lines

    def over_tcp(
        self,
        sock: socket.socket,
        query: bytes,
        answer: bytes | None,
        seconds: float,
        *,
        tls: bool = False,
    ) -> None:
        """A query over TCP, with TLS in it or not, and its answer, after so many ``seconds``; none
        where a zone is sent or nothing at all."""
        frames, lines = self.chosen(1)
        if not frames and not lines:
            return
        try:
            (host, port, *_), (own, own_port, *_) = sock.getpeername(), sock.getsockname()
        except OSError:  # it is gone
            return
        client = packed_address(host)
        now = time.time()
        six = len(client) == 16
        batch = Batch(True, six, packed_address(own), own_port, now - seconds, now, tls)
        self.tell(batch, (client, port.to_bytes(2, "big"), query, answer), frames, lines, True)

    def tell(
        self,
        batch: Batch,
        exchange: Exchange,
        frames: Sequence[int],
        lines: Sequence[int],
        missed: bool,
    ) -> None:
        """Hand over one exchange."""
        mark = (SILENT if exchange[3] is None else 0) | (FRAMES if frames else 0)
        mark |= LINE if lines else 0
        queries = [exchange[2]] if missed and lines else []
        found = pieces_of(batch, bytes((mark,)), [exchange], queries)
        self.hand_over(found, len(frames), len(lines))


class _Misses:
    """Notes what the packet cache of a server has no answer for, while somebody wants to know: with
    what the server notes anyway, so that it costs other queries nothing."""

    def __init__(self, server: UdpServer) -> None:
        self._server = server
        self._note_too = server._note_alone
        self.queries: list[bytes] = []

    def watch(self, chosen: Sequence[int]) -> None:
        """Begin anew, where one of the next queries is chosen; otherwise stop."""
        if chosen:
            self.queries.clear()
            self._server.noted_by(self._note)
        else:
            self._server.noted_by(None)

    def _note(self, query: bytes) -> None:
        self.queries.append(query)
        self._note_too(query)


class _TappedDatagrams(datagrams.Datagrams):
    """Queries stay in their slots until more are read, and so do answers: both are looked at once
    the answers are sent. Times are those of a batch: when it was read, and when it was answered."""

    def __init__(self, server: UdpServer, listener: Listener, tap: Tap) -> None:
        super().__init__(listener.udp)
        self._tap = tap
        self._misses = _Misses(server)
        six = listener.udp.family == socket.AF_INET6
        port = listener.udp.getsockname()[1]
        self._front = front_of(False, six, listener.local, port)
        self._marks = mmap.mmap(-1, datagrams.BATCH)
        self._all_marked = False
        self._slot_frames = tap.slot_frames(self.addresses, self._marks, listener.local, port, six)
        self._count = self._told = 0
        self._silent: set[int] = set()
        self._frames: Sequence[int] = ()
        self._lines: Sequence[int] = ()
        self._at = 0.0
        self._gathered: list[Single] = []
        self._gathered_missed: list[bytes] = []
        tap.gatherers.append(self)

    def receive(self) -> int:
        """As `Datagrams.receive`."""
        count = self._count = super().receive()
        if self._lines:
            self._misses.watch(())
        if count:
            self._at = time.time()
            self._told = 0
            self._frames, self._lines = self._tap.chosen(count)
            if self._lines:
                self._misses.watch(self._lines)
        return count

    def send(self, first: int, end: int) -> int:
        """As `Datagrams.send`. Those before ``first`` that were not sent yet got no answer, and the
        last call for what was received is up to its end."""
        failed = super().send(first, end)
        frames, lines = self._frames, self._lines
        if not frames and not lines:
            return failed
        if first > self._told:
            self._silent.update(range(self._told, first))
        self._told = end
        if end < self._count:
            return failed
        if frames:
            self._make(frames)
        if lines:
            self._gather(lines)
        if self._silent:
            self._silent.clear()
        return failed

    def _make(self, frames: Sequence[int]) -> None:
        """Frames of these slots."""
        assert self._slot_frames is not None
        count = self._count
        if isinstance(frames, range) and not self._silent:
            if not self._all_marked:
                self._marks[:] = _ALL_FRAMES
                self._all_marked = True
        else:
            marks = bytearray(count)
            for one in frames:
                marks[one] = FRAMES | (one in self._silent)
            self._marks[:count] = marks
            self._all_marked = False
        tap, now = self._tap, time.time()
        octets = count * _USUAL
        while octets > 0:
            space = tap.ring.space(octets + MADE)
            if space is None:
                tap.ring.counts[FRAMES_BEHIND] += len(frames) * tap.messages
                return
            place, stop = space
            octets, made = self._slot_frames.write(count, self._at, now, place + MADE, stop)
            if octets > 0:
                begin_made(tap.ring.octets, place, made)
                tap.ring.hand_over(place, MADE + octets)
                return
            octets = -octets

    def _gather(self, lines: Sequence[int]) -> None:
        """What is in these slots, for the query log."""
        at, now = self._at, time.time()
        received, lengths, slot = self.received, self.lengths, datagrams.SLOT
        answers, answer_lengths, names = self.answers, self.answer_lengths, self.clients
        missed = self._misses.queries
        for one in lines:
            mark = LINE | SILENT if one in self._silent else LINE
            start, name = one * slot, one * NAME
            query = received[start : start + lengths[one]]
            answer = answers[start : start + answer_lengths[one]]
            self._gathered.append((at, now, mark, names[name : name + NAME], query, answer))
            if missed and query in missed:
                self._gathered_missed.append(query)
        if len(self._gathered) >= _GATHERED:
            self.flush()

    def flush(self) -> None:
        """Hand over what is gathered."""
        gathered = self._gathered
        if gathered:
            found = pieces_of_singles(self._front, gathered, self._gathered_missed)
            self._tap.hand_over(found, 0, len(gathered))
            gathered.clear()
            self._gathered_missed.clear()


class _TappedSocket:
    """Stands for the socket of a `SingleReader`: what was read gets its answer before more is
    read."""

    def __init__(self, server: UdpServer, listener: Listener, tap: Tap) -> None:
        self._socket = listener.udp
        self._local = listener.local
        self._port = listener.udp.getsockname()[1]
        self._tap = tap
        self._misses = _Misses(server)
        self._open: tuple[bytes, bytes, tuple[Any, ...], float] | None = None
        self._frames: Sequence[int] = ()
        self._lines: Sequence[int] = ()

    def recvmsg(self, size: int, control_size: int) -> Any:
        """As that of a socket."""
        if self._open is not None:
            self._tell(None)
        found = self._socket.recvmsg(size, control_size)
        self._frames, self._lines = self._tap.chosen(1)
        self._misses.watch(self._lines)
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
        frames, lines = self._frames, self._lines
        if not frames and not lines:
            return
        client, port = packed_address(peer[0]), peer[1].to_bytes(2, "big")
        batch = Batch(False, len(client) == 16, local, self._port, at, time.time())
        missed = bool(self._misses.queries)
        self._tap.tell(batch, (client, port, query, answer), frames, lines, missed)

"""What comes and what goes, for the query log and for dnstap.

Sockets are tapped where they read and send, so that the loops of `lzc.serve.transport.udp` and what
they cost are the same with and without. All that is done here is to hand over what the recorder
(`lzc.serve.observe.recorder`) makes frames and lines of: the rest of it would be a third of what a
static answer takes.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from lzc.serve.ipc.exchanges import (
    FRAMES,
    LINE,
    NAME,
    SILENT,
    Batch,
    Exchange,
    Single,
    columns,
    front_of,
    pieces,
    pieces_of,
    pieces_of_singles,
    widest,
)
from lzc.serve.ipc.octet_ring import OctetRing
from lzc.serve.ipc.recorder_table import (
    FRAMES_BEHIND,
    FRAMES_UNCHOSEN,
    FRAMES_UNREAD,
    LINES_BEHIND,
    LINES_UNCHOSEN,
)
from lzc.serve.observe.sampling import Sampling
from lzc.serve.transport import datagrams
from lzc.serve.transport.sockets import Listener, sent_to
from lzc.serve.transport.udp import BatchReader, SingleReader, UdpServer, packed_address

_FEW: Final = 16
"""Where fewer than one of so many are chosen, the others are not handed over: from there on it
takes less to hand over all that lies beside each other."""
_SMALL: Final = 16
"""Nor are they of a batch up to this, unless all are chosen."""
_GATHERED: Final = 32
"""Exchanges that are chosen are handed over so many at once, or some times a second."""
_ALL_FRAMES: Final = bytes((FRAMES,)) * datagrams.BATCH


class Tap:
    """Of a worker. The recorder at the other end of ``ring`` gets what is chosen by ``frames`` for
    dnstap and by ``lines`` for the query log. An exchange is ``messages`` to dnstap."""

    def __init__(
        self, ring: OctetRing, frames: Sampling | None, lines: Sampling | None, messages: int = 2
    ) -> None:
        self._ring = ring
        self._frames = frames
        self._lines = lines
        self._messages = messages
        self._unchosen = self._lines_unchosen = 0
        self.gatherers: list[_TappedDatagrams] = []

    def reader(self, server: UdpServer, listener: Listener) -> Callable[[], None]:
        """As `UdpServer.reader`."""
        if isinstance(reader := server.reader(listener), BatchReader):
            reader._datagrams = _TappedDatagrams(server, listener, self)
            return reader
        tapped: Any = _TappedSocket(server, listener, self)
        return SingleReader(server, tapped, listener.local)

    def chosen(self, count: int) -> tuple[Sequence[int], Sequence[int]]:
        """Which of the next ``count`` queries dnstap and the query log get."""
        frames: Sequence[int] = ()
        lines: Sequence[int] = ()
        if self._frames is not None:
            frames = self._frames.of(count)
            self._unchosen += count - len(frames)
            if frames and not self._ring.wanted:
                self._ring.counts[FRAMES_UNREAD] += len(frames) * self._messages
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
        counts = self._ring.counts
        counts[FRAMES_UNCHOSEN] += self._unchosen * self._messages
        counts[LINES_UNCHOSEN] += self._lines_unchosen
        self._unchosen = self._lines_unchosen = 0

    def hand_over(self, found: list[bytes], frames: int, lines: int) -> None:
        """Pieces of exchanges, so many of which are to be in frames and in lines."""
        if not self._ring.put(found):
            counts = self._ring.counts
            counts[FRAMES_BEHIND] += frames * self._messages
            counts[LINES_BEHIND] += lines

    def over_tcp(
        self, sock: socket.socket, query: bytes, answer: bytes | None, seconds: float
    ) -> None:
        """A query over TCP, and its answer, after so many ``seconds``; none where a zone is sent or
        nothing at all."""
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
        batch = Batch(True, six, packed_address(own), own_port, now - seconds, now)
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
        count = self._count
        if end < count:
            return failed
        missed = self._misses.queries if lines else ()
        if (
            isinstance(frames, range)
            or isinstance(lines, range)
            or (len(frames) + len(lines)) * _FEW >= count > _SMALL
        ):
            found = self._all(self._marks(frames, lines), missed)
            self._tap.hand_over(found, len(frames), len(lines))
        else:
            self._some(frames, lines, missed)
        self._silent.clear()
        return failed

    def _marks(self, frames: Sequence[int], lines: Sequence[int]) -> bytes:
        count = self._count
        if not isinstance(frames, range):
            marks = bytearray(count)
            for one in frames:
                marks[one] = FRAMES
        elif lines or self._silent:
            marks = bytearray(_ALL_FRAMES[:count])
        else:
            return _ALL_FRAMES[:count]
        for chosen, mark in ((lines, LINE), (self._silent, SILENT)):
            for one in chosen:
                marks[one] |= mark
        return bytes(marks)

    def _all(self, marks: bytes, missed: Sequence[bytes]) -> list[bytes]:
        """What came into the slots, and went from them."""
        count = self._count
        sizes = self.lengths[:count].tobytes(), self.answer_lengths[:count].tobytes()
        wide = widest(sizes[0], 4), widest(sizes[1], 8)
        # A layout for each number of slots would be made for most of them.
        room = 1 << (count - 1).bit_length()
        slot = datagrams.SLOT
        queries = columns(room, wide[0], slot).unpack_from(self.received)
        answers = columns(room, wide[1], slot).unpack_from(self.answers)
        if room != count:
            queries, answers = queries[:count], answers[:count]
        clients = self.clients[: count * NAME]
        times = self._at, time.time()
        texts = queries + answers
        return pieces(self._front, times, marks, sizes, wide, clients, texts, missed)

    def _some(self, frames: Sequence[int], lines: Sequence[int], missed: Sequence[bytes]) -> None:
        """Likewise of chosen slots alone, which are gathered."""
        at, now = self._at, time.time()
        received, lengths, slot = self.received, self.lengths, datagrams.SLOT
        answers, answer_lengths, names = self.answers, self.answer_lengths, self.clients
        silent, gathered = self._silent, self._gathered
        for one in sorted({*frames, *lines}) if lines else frames:
            mark = FRAMES if one in frames else 0
            if one in lines:
                mark |= LINE
            if one in silent:
                mark |= SILENT
            start, name = one * slot, one * NAME
            query = received[start : start + lengths[one]]
            answer = answers[start : start + answer_lengths[one]]
            gathered.append((at, now, mark, names[name : name + NAME], query, answer))
            if mark & LINE and query in missed:
                self._gathered_missed.append(query)
        if len(gathered) >= _GATHERED:
            self.flush()

    def flush(self) -> None:
        """Hand over what is gathered."""
        gathered = self._gathered
        if gathered:
            found = pieces_of_singles(self._front, gathered, self._gathered_missed)
            frames = sum([one[2] & FRAMES != 0 for one in gathered])
            self._tap.hand_over(found, frames, sum([one[2] & LINE != 0 for one in gathered]))
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

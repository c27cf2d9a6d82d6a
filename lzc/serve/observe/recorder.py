"""The recorder: one process makes the frames of dnstap and the lines of the query log of all
workers, so that their answers do not wait for it.

It looks at what workers handed over some times in a second, as nobody wakes it up. Where it cannot
follow, there is no room for more, and workers count what is lost.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from itertools import repeat
from typing import Final

from lzc.serve.ipc.exchanges import FRAMES, LINE, MADE, Batch, Exchange, Taken, made_in, read
from lzc.serve.ipc.octet_ring import OctetRing
from lzc.serve.ipc.recorder_table import RecorderTable
from lzc.serve.observe.dnstap import Endpoint, Endpoints
from lzc.serve.observe.frame_stream import FrameStream
from lzc.serve.observe.query_log import QueryLog

PAUSE: Final = 0.05
"""Seconds between two looks at most. Where worker and recorder share a core, each look takes a
worker a third of a millisecond: the recorder's own time, and what the worker has to fetch into the
core's caches again."""
HURRY: Final = 0.005
"""Seconds between two looks at least."""
LOOK: Final = 2**20
"""Octets from a worker that a look is to find, a quarter of what has room: by that the pause goes
where much comes."""
TURN: Final = 0.05
"""Seconds after which the reader has its turn, however much there is."""
BEAT: Final = 0.25
"""Seconds between two looks at what is to be told."""
_NO_FRAME: Final = bytes(mark for mark in range(8) if not mark & FRAMES)


class Recorder:
    """Takes from the ``rings`` of workers, by the names that these have in the log."""

    def __init__(
        self,
        rings: Mapping[str, OctetRing],
        table: RecorderTable,
        stream: FrameStream | None,
        endpoints: Endpoints,
        query_log: QueryLog | None,
    ) -> None:
        self._rings = rings
        self._table = table
        self._stream = stream
        self._endpoints = endpoints
        self._query_log = query_log
        self._before = table.counts()
        self._said: bool | None = None
        self._stopping = False

    def stop(self) -> None:
        """Have `run` return, once all is taken that is there."""
        self._stopping = True

    async def run(self) -> None:
        """Take what comes, until `stop`."""
        loop = asyncio.get_running_loop()
        if self._stream is not None:
            self._stream.changed = self._tell_reader
            self._stream.start(loop)
        told, looked = 0.0, loop.time()
        # Looking at a flag, as to wait for an event takes longer, and nobody waits for that.
        while not self._stopping:
            since, looked, octets = looked, loop.time(), 0
            if self._stream is None or self._stream.settled:
                octets = self._take(looked + TURN)
            if self._query_log is not None:
                self._query_log.flush()
            self._publish()
            if loop.time() - told >= BEAT:
                told = loop.time()
                if self._stream is not None:
                    self._stream.look(time.monotonic())
            pause = (looked - since) * LOOK / octets if octets else PAUSE
            await asyncio.sleep(min(max(HURRY, pause), PAUSE))
        # What is sent meanwhile makes room for the rest.
        while self._take(loop.time() + TURN):
            self._publish()
            await asyncio.sleep(0)
        if self._query_log is not None:
            self._query_log.flush()
        if self._stream is not None:
            self._stream.close()
        self._publish()

    def _take(self, end: float) -> int:
        """What is there, until the monotonic time ``end``; how many octets the worker had that had
        most."""
        most = 0
        for name, ring in self._rings.items():
            taken = 0
            for octets in ring.take():
                taken += len(octets)
                if made := made_in(octets):
                    self._send(memoryview(octets)[MADE:], made)
                else:
                    self._record(name, read(octets))
                if time.monotonic() >= end:
                    break
            most = max(most, taken)
        if self._stream is not None:
            self._stream.flush()
        return most

    def _send(self, frames: memoryview, count: int) -> None:
        if self._stream is not None:
            self._stream.send(frames, count)

    def _record(self, worker: str, taken: Taken) -> None:
        pid, batch, marks, columns, missed, times = taken
        stream = self._stream
        if stream is not None and marks.translate(None, _NO_FRAME):
            wanted = columns.of([mark & FRAMES != 0 for mark in marks])
            endpoint = self._endpoint(batch)
            if stream.streaming:
                stream.send(*endpoint.frames(batch.received, batch.sent, wanted))
            else:
                stream.miss(endpoint.count(wanted))
        if self._query_log is not None:
            process = worker, pid
            of_each = times or repeat((batch.received, batch.sent))
            for mark, spent, exchange in zip(marks, of_each, taken.exchanges, strict=False):
                if mark & LINE:
                    self._write(self._query_log, process, batch, spent, exchange, missed)

    def _write(
        self,
        query_log: QueryLog,
        process: tuple[str, int],
        batch: Batch,
        spent: tuple[float, float],
        exchange: Exchange,
        missed: frozenset[bytes],
    ) -> None:
        (received, sent), (client, port, query, answer) = spent, exchange
        query_log.note(
            *(received, sent - received, client),
            *(int.from_bytes(port, "big"), query, answer),
            tcp=batch.tcp,
            tls=batch.tls,
            cached=not batch.tcp and answer is not None and query not in missed,
            process=process,
        )

    def _tell_reader(self, there: bool) -> None:
        """Have workers hand over frames, or not, and all see it."""
        for ring in self._rings.values():
            ring.wanted = there
        if there != self._said:
            self._said = there
            self._table.say(there, time.time())

    def _endpoint(self, batch: Batch) -> Endpoint:
        return self._endpoints.of(batch.local, batch.port, batch.tcp, batch.six, batch.tls)

    def _publish(self) -> None:
        """Let others see the counts, and that work gets on."""
        self._table.beat(time.monotonic())
        stream, query_log = self._stream, self._query_log
        counts = [0] * 5
        if stream is not None:
            counts[:3] = stream.sent, stream.unread, stream.slow
        if query_log is not None:
            counts[3:] = query_log.written, query_log.lost
        self._table.write([a + b for a, b in zip(self._before, counts, strict=True)])

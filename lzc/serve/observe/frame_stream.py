"""Frames to whoever reads them at a UNIX socket: Frame Streams with its handshake (fstrm).

A reader that is slow, hangs or is not there holds nothing up: what does not fit into a queue of
bounded size is lost, counted, and told in the log once in a while. Who comes back gets what is sent
from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Final

from lzc.foreign_text import shown
from lzc.serve.observe.log_format import about
from lzc.serve.observe.log_lines import QUIET, Quiet

log = logging.getLogger("lzc")

MOST: Final = 4 * 2**20
"""Octets that wait for the reader at most."""
GATHERED: Final = 2**17
"""Octets from which on they are sent, without waiting for more: a reader that is woken up for each
frame takes more of the machine than what it reads."""
RETRY: Final = 1.0
"""Seconds between two attempts to find a reader."""
SHAKE: Final = 5.0
"""Seconds in which a reader has to say that it accepts."""
PARTING: Final = 0.25
"""Seconds in which it has to take what is left, at the end."""
_BUFFER: Final = 2**20
_AT_ONCE: Final = 64
"""Pieces of one system call at most; Linux takes 1024."""
_CONTROL: Final = 512
"""Octets of a control frame at most, as the protocol has it."""
_ACCEPT, _START, _STOP, _READY = 1, 2, 3, 4
_CONTENT_TYPE: Final = 1
_WORD: Final = struct.Struct(">I")


def control_frame(kind: int, content_type: bytes = b"") -> bytes:
    """A frame that steers the stream."""
    field = struct.pack(">II", _CONTENT_TYPE, len(content_type)) + content_type
    body = _WORD.pack(kind) + (field if content_type else b"")
    return bytes(4) + _WORD.pack(len(body)) + body


class FrameStream:
    """Sends frames of ``content_type`` to the socket at ``path``, from `start` on. ``sent``
    counts frames, and so do ``unread`` and ``slow``: those that were lost as there was no reader,
    or none that was quick enough. ``changed`` is called with whether somebody reads, as soon as
    that is known or other than before."""

    def __init__(self, path: Path, content_type: bytes, most: int = MOST) -> None:
        self._path = path
        self._type = content_type
        self._most = most
        self._socket: socket.socket | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[tuple[memoryview, int]] = deque()
        self._octets = 0
        self._blocked = False
        self._heard = b""
        self._problem = ""
        self._told: tuple[float, int] = (-QUIET, 0)
        self._quiet = Quiet()
        self._said_lost = True
        self.streaming = False
        self.changed: Callable[[bool], None] = lambda _: None
        self.sent = 0
        self.unread = 0
        self.slow = 0

    @property
    def lost(self) -> int:
        """Frames that were not sent."""
        return self.unread + self.slow

    @property
    def settled(self) -> bool:
        """Whether it is known if somebody reads: until then, what is sent would be lost."""
        return self.streaming or bool(self._problem)

    def miss(self, count: int) -> None:
        """So many frames were not made, as nobody reads any."""
        self.unread += count

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Find the reader, now and whenever it is gone."""
        self._loop = loop
        self._connect()

    def send(self, frames: bytes | memoryview, count: int) -> None:
        """Send so many frames, with the next `flush` at the latest, or lose them. Never waits."""
        if not self.streaming:
            self.unread += count
            return
        if self._octets + len(frames) > self._most:
            self.slow += count
            return
        self._waiting.append((memoryview(frames), count))
        self._octets += len(frames)
        if self._octets >= GATHERED:
            self.flush()

    def flush(self) -> None:
        """Send what waits, as far as the reader takes it."""
        if not self._blocked:
            self._send_waiting()

    def look(self, now: float) -> None:
        """Tell of what was lost, once in a while; ``now`` is monotonic time."""
        for _, more in self._quiet.over(now):
            said = "dnstap: %d more times nobody read %s"
            log.warning(said, more, shown(self._path), extra=about(socket=self._path, more=more))
        at, told = self._told
        if self.lost == told or now - at < QUIET:
            return
        self._told = now, self.lost
        why = self._problem or "the reader is slow"
        log.warning(
            "dnstap: %d messages were not sent to %s: %s",
            *(self.lost - told, shown(self._path), why),
            extra=about(socket=self._path, lost=self.lost - told, reason=why),
        )

    def close(self) -> None:
        """Send what waits, and end the stream."""
        if self._timer is not None:
            self._timer.cancel()
        made, self._socket = self._socket, None
        if made is None:
            return
        self._loop.remove_reader(made)
        self._loop.remove_writer(made)
        with contextlib.suppress(OSError), made:
            if self.streaming:
                made.settimeout(PARTING)
                while self._waiting:
                    piece, count = self._waiting[0]
                    made.sendall(piece)
                    self._waiting.popleft()
                    self.sent += count
                made.sendall(control_frame(_STOP))
                made.recv(_CONTROL)  # that it has read all of it
        self.slow += sum(count for _, count in self._waiting)
        self._waiting.clear()
        self.streaming = False

    def _connect(self) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER)
        self._socket = made
        self._heard = b""
        try:
            made.connect(str(self._path))
            made.send(control_frame(_READY, self._type))
        except OSError as error:
            self._part(_why(error))
            return
        self._loop.add_reader(made, self._readable)
        self._timer = self._loop.call_later(SHAKE, self._part, "it does not say that it accepts")

    def _part(self, problem: str) -> None:
        """The reader is gone, or never came: try again later."""
        made, self._socket = self._socket, None
        if self._timer is not None:
            self._timer.cancel()
        if made is not None:
            self._loop.remove_reader(made)
            self._loop.remove_writer(made)
            made.close()
        self.unread += sum(count for _, count in self._waiting)
        self._waiting.clear()
        self._octets = 0
        self._blocked = self.streaming = False
        if problem != self._problem:
            self._problem = problem
            self.changed(False)
            now = time.monotonic()
            self._said_lost = not self._quiet.keeps(problem, now)
            if self._said_lost:
                log.warning(
                    "dnstap: nobody reads %s (%s); it is tried again every second%s",
                    *(shown(self._path), problem, self._quiet.begin(problem, now)),
                    extra=about(socket=self._path, reason=problem),
                )
        self._timer = self._loop.call_later(RETRY, self._connect)

    def _readable(self) -> None:
        made = self._socket
        assert made is not None
        try:
            heard = made.recv(_CONTROL)
        except BlockingIOError:
            return
        except OSError as error:
            self._part(_why(error))
            return
        if not heard:
            self._part("it closed the connection")
        elif not self.streaming:
            self._heard += heard
            self._look_for_accept(made)

    def _look_for_accept(self, made: socket.socket) -> None:
        heard = self._heard
        if len(heard) < 12:
            return
        length = _WORD.unpack_from(heard, 4)[0]
        if heard[:4] != bytes(4) or not 4 <= length <= _CONTROL:
            self._part("it does not speak Frame Streams")
            return
        if len(heard) < 8 + length:
            return
        if _WORD.unpack_from(heard, 8)[0] != _ACCEPT or self._type not in heard[: 8 + length]:
            self._part(f"it does not take {self._type.decode()}")
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        try:
            made.send(control_frame(_START, self._type))
        except OSError as error:
            self._part(_why(error))
            return
        self.streaming, self._problem = True, ""
        self.changed(True)
        if self._said_lost:
            log.info("dnstap: %s is read", shown(self._path), extra=about(socket=self._path))

    def _send_waiting(self) -> None:
        made = self._socket
        if made is None or not self.streaming:
            return
        waiting = self._waiting
        try:
            while waiting:
                done = made.sendmsg([piece for piece, _ in islice(waiting, _AT_ONCE)])
                self._octets -= done
                while waiting and done >= len(waiting[0][0]):
                    piece, count = waiting.popleft()
                    done -= len(piece)
                    self.sent += count
                if done:
                    piece, count = waiting[0]
                    waiting[0] = piece[done:], count
        except BlockingIOError:
            if not self._blocked:
                self._blocked = True
                self._loop.add_writer(made, self._send_waiting)
        except OSError as error:
            self._part(_why(error))
        else:
            if self._blocked:
                self._blocked = False
                self._loop.remove_writer(made)


def _why(error: OSError) -> str:
    # A path that is too long for a socket has no number.
    return shown(error.strerror or error)

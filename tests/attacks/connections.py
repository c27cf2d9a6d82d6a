"""Many TCP connections at once, from one process."""

from __future__ import annotations

import contextlib
import errno
import select
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator

Frames = Callable[[], bytes]
"""Makes what a connection sends, each message with its length in front."""


class Pipeline:
    """A connection that sends many queries at once, and counts the answers."""

    def __init__(self, port: int, frames: bytes, queries: int) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.sock.setblocking(False)
        self._frames = frames
        self._queries = queries
        self._left = memoryview(frames)
        self._buffer = b""
        self.asked = queries
        self.answered = 0
        self.broken = False
        with contextlib.suppress(BlockingIOError):
            self.sock.connect(("127.0.0.1", port))

    @property
    def done(self) -> bool:
        """All answers are there."""
        return self.answered >= self.asked

    def again(self) -> None:
        """Send everything once more."""
        self._left = memoryview(self._frames)
        self.asked += self._queries

    def events(self) -> int:
        """What to wait for."""
        return select.EPOLLIN | (select.EPOLLOUT if self._left else 0)

    def handle(self, events: int) -> None:
        """Send and read what can be."""
        try:
            if events & select.EPOLLOUT and self._left:
                self._left = self._left[self.sock.send(self._left) :]
            if events & (select.EPOLLIN | select.EPOLLHUP | select.EPOLLERR):
                data = self.sock.recv(1 << 18)
                if not data:
                    self.broken = True
                self._count(data)
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True

    def _count(self, data: bytes) -> None:
        buffer = self._buffer + data
        position, end = 0, len(buffer)
        while end - position >= 2:
            size = buffer[position] << 8 | buffer[position + 1]
            if end - position < 2 + size:
                break
            position += 2 + size
            self.answered += 1
        self._buffer = buffer[position:]


def drive(pipelines: Iterable[Pipeline], sustained: float = 0.0, limit: float = 60.0) -> float:
    """Work on all until each is done or broken; those that are done go on for ``sustained``
    seconds. The seconds it took."""
    begin = time.monotonic()
    with select.epoll() as epoll:
        open_ones = {}
        for one in pipelines:
            open_ones[one.sock.fileno()] = one
            epoll.register(one.sock, one.events())
        while open_ones and (now := time.monotonic()) < begin + limit:
            for fd, what in epoll.poll(0.2):
                one = open_ones[fd]
                waited = one.events()
                one.handle(what)
                if one.done and not one.broken and now < begin + sustained:
                    one.again()
                if one.broken or one.done:
                    epoll.unregister(fd)
                    del open_ones[fd]
                elif one.events() != waited:
                    epoll.modify(fd, one.events())
    return time.monotonic() - begin


@contextlib.contextmanager
def bare(port: int, count: int, at_once: int = 500) -> Iterator[list[socket.socket]]:
    """Connections that say nothing; they stay open until the block ends, unless the server closes
    them."""
    socks: list[socket.socket] = []
    try:
        with select.epoll() as epoll:
            pending: dict[int, socket.socket] = {}
            while len(socks) < count or pending:
                while len(socks) < count and len(pending) < at_once:
                    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                    sock.setblocking(False)
                    socks.append(sock)
                    if sock.connect_ex(("127.0.0.1", port)) == errno.EINPROGRESS:
                        pending[sock.fileno()] = sock
                        epoll.register(sock, select.EPOLLOUT)
                ready = epoll.poll(5)
                if not ready:
                    break
                for fd, _ in ready:
                    epoll.unregister(pending.pop(fd))
        yield socks
    finally:
        for sock in socks:
            # Without a reset each would keep its port for a minute.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()


def alive(socks: Iterable[socket.socket]) -> int:
    """How many the server has not closed."""
    count = 0
    for sock in socks:
        try:
            count += sock.recv(1) != b""
        except BlockingIOError:
            count += 1
        except OSError:
            pass
    return count

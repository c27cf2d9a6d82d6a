"""Child processes: forking them, and the line of JSON messages between them and the supervisor."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
from collections.abc import Callable
from typing import Any, Final

from lzc import contained, foreign_json


def enlarge(made: socket.socket, option: int, octets: int) -> None:
    """Ask for a larger buffer: ``option`` is SO_RCVBUF or SO_SNDBUF."""
    # The FORCE options (33 and 32) pass net.core.*mem_max, for those who may.
    force = 33 if option == socket.SO_RCVBUF else 32
    try:
        made.setsockopt(socket.SOL_SOCKET, force, octets)
    except PermissionError:
        made.setsockopt(socket.SOL_SOCKET, option, octets)


ChannelMessage = dict[str, Any]

_READ: Final = 1 << 18
_BUFFER: Final = 4 * 2**20
"""Octets: a report on ten thousand health checks fits, and goes out in one piece."""
_PR_SET_PDEATHSIG: Final = 1
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Channel:
    """One end of a socket pair that carries a JSON object a line, in both directions.

    ``on_message`` gets each object; ``on_closed`` is called once when the other end is gone.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._loop: asyncio.AbstractEventLoop | None = None
        self._incoming = bytearray()
        self._outgoing = bytearray()
        sock.setblocking(False)

    def attach(
        self,
        loop: asyncio.AbstractEventLoop,
        on_message: Callable[[ChannelMessage], None],
        on_closed: Callable[[], None],
    ) -> None:
        """Begin to read."""
        self._loop = loop
        self._on_message = on_message
        self._on_closed = on_closed
        loop.add_reader(self.sock, self._readable)
        if self._outgoing:
            loop.add_writer(self.sock, self._writable)

    def send(self, message: ChannelMessage) -> None:
        """Send an object, now or as soon as there is room; nothing happens when the other end is
        gone (``on_closed`` tells)."""
        waiting = bool(self._outgoing)
        self._outgoing += json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if not waiting:
            self._writable()

    @property
    def waiting(self) -> bool:
        """True while the other end has not taken what was sent."""
        return bool(self._outgoing)

    def close(self) -> None:
        """Close this end."""
        if self._loop is not None and self.sock.fileno() >= 0:
            self._loop.remove_reader(self.sock)
            self._loop.remove_writer(self.sock)
        self.sock.close()

    def _writable(self) -> None:
        try:
            sent = self.sock.send(self._outgoing)
            del self._outgoing[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._outgoing.clear()
        if self._loop is None or self.sock.fileno() < 0:
            return
        if self._outgoing:
            self._loop.add_writer(self.sock, self._writable)
        else:
            self._loop.remove_writer(self.sock)

    def _readable(self) -> None:
        try:
            data = self.sock.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.close()
            self._on_closed()
            return
        self._incoming += data
        *lines, rest = self._incoming.split(b"\n")
        self._incoming = bytearray(rest)
        for line in lines:
            self._on_message(foreign_json.parse(line))


def fork(main: Callable[[Channel], int], *, orphan: bool = False) -> tuple[int, Channel]:
    """Start a child that runs ``main`` with its end of a channel and exits with what it returns.

    Returns the child's process id and our end. The child starts with default signals and without
    an event loop. Unless it may be an ``orphan``, the kernel ends it with the parent, whatever it
    is doing: call this in the main thread.
    """
    begin = None if orphan else ending_with_parent()
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        enlarge(end, socket.SO_SNDBUF, _BUFFER)

    def child() -> int:
        if begin is not None:
            begin()
        # A thread of the parent may have turned it off for a moment, which is its own.
        gc.enable()
        signal.set_wakeup_fd(-1)
        for number in _SIGNALS:
            ignored = number in (signal.SIGINT, signal.SIGHUP)
            signal.signal(number, signal.SIG_IGN if ignored else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        ours.close()
        asyncio.events._set_running_loop(None)
        asyncio.set_event_loop(None)
        return main(Channel(theirs))

    # A signal between fork and the reset of its handler would run the parent's handler there.
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
    pid = contained.fork(child)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    theirs.close()
    return pid, Channel(ours)


def ending_with_parent() -> Callable[[], None]:
    """What a child of this thread calls first for the kernel to end it with this process, whatever
    it does then (prctl(2), PR_SET_PDEATHSIG)."""
    # Here, as what only asks a server for something need not import it.
    import ctypes

    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def begin() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
        if os.getppid() != parent:
            os._exit(0)

    return begin


def hear_no_more(loop: asyncio.AbstractEventLoop) -> None:
    """Signals that a loop heard are ignored from now on: what had to be done is done. A loop that
    closes lets go of its pipe first and of its handlers then, and a signal between the two is a
    traceback."""
    for number in _SIGNALS:
        if loop.remove_signal_handler(number) and number != signal.SIGCHLD:
            signal.signal(number, signal.SIG_IGN)


def ended(pid: int) -> int | None:
    """The wait status of a child that ended; `None` while it runs, and for pid 0."""
    if not pid:
        return None
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return 0
    return status if found else None


def kill(pid: int) -> None:
    """End a child that does not end by itself, and wait for that."""
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def how(status: int) -> str:
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        return signal.Signals(os.WTERMSIG(status)).name
    return f"exit code {os.waitstatus_to_exitcode(status)}"

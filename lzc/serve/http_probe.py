"""A run of a plain HTTP check as a socket and callbacks: a fifth of the work of a whole client.

It sends one GET and reads one answer of HTTP/1.0 or 1.1 (RFC 9112). What needs more, such as a
redirect, is left to `lzc.serve.probes.HttpProbes`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

from lzc.lua.health import Check
from lzc.serve.outcome import BODY_LIMIT, TIMED_OUT, Outcome, headers_of, say, weight_of

Done = Callable[[Outcome | None], None]
"""Gets `None` where the whole client has to look."""

_CHUNK: Final = 65536
_HEAD_LIMIT: Final = 65536
_LATE: Final = 0.1
_CHANCES: Final = 3
_STATUS: Final = re.compile(rb"HTTP/1\.[0-9] ([0-9]{3})(?: [^\r\n]*)?\r?\n")
_PLAIN: Final = re.compile(r"[!-~]+")
MOVED: Final = frozenset({301, 302, 303, 307, 308})


def request_of(check: Check) -> tuple[int, bytes] | None:
    """The port of an HTTP check's target and the request to send there; `None` where the check is
    not plain HTTP, has no address of its own, or its URL or headers are out of the ordinary."""
    url = check.url
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme != "http" or not check.address or not host or parts.username is not None:
        return None
    if not _PLAIN.fullmatch(url) or "%" in host or set(url) & set('"<>\\^`{|}'):
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if "/." in path:
        return None
    authority = f"[{host}]" if ":" in host else host
    if parts.port not in (None, 80):
        authority += f":{port}"
    lines = [f"GET {path} HTTP/1.1"]
    for name, value in headers_of(check, authority):
        if not name or set(f"{name}{value}") & set("\r\n\0"):
            return None
        lines.append(f"{name}: {value}")
    try:
        return port, "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        return None


class HttpProbe:
    """Sends ``request`` to a check's address at ``port``, and calls ``done`` exactly once."""

    __slots__ = (
        *("_answer", "_body", "_chances", "_check", "_done", "_length", "_loop", "_request"),
        *("_sock", "_started", "_timer"),
    )

    def __init__(
        self,
        check: Check,
        port: int,
        request: bytes,
        loop: asyncio.AbstractEventLoop,
        done: Done,
    ) -> None:
        self._check = check
        self._request = request
        self._loop = loop
        self._done = done
        self._started = time.monotonic()
        self._answer = bytearray()
        # Where the body begins, once the head is complete, and its length (-1: until the end, -2:
        # in chunks).
        self._body = 0
        self._length = -1
        self._chances = _CHANCES
        self._timer: asyncio.TimerHandle | None = None
        self._sock: socket.socket | None = None
        try:
            self._connect(port)
        except (OSError, ValueError, OverflowError) as error:
            self._finish(say(error))

    def _connect(self, port: int) -> None:
        check = self._check
        family = socket.AF_INET6 if ":" in check.address else socket.AF_INET
        sock = self._sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if check.source:
            sock.bind((check.source, 0))
        code = sock.connect_ex((check.address, port))
        if code not in (0, errno.EINPROGRESS):
            self._finish(os.strerror(code))
            return
        self._set_timer(max(check.timeout, 0.1))
        self._loop.add_writer(sock, self._connected)

    def _set_timer(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._timed_out, self._loop.time() + seconds)

    def _timed_out(self, due: float) -> None:
        late = self._loop.time() - due
        if late > _LATE and self._chances:
            # It was us who had no time: what the target said meanwhile is still to be read.
            self._chances -= 1
            self._set_timer(min(late, max(self._check.timeout, 0.1)))
        else:
            self._finish(TIMED_OUT)

    def _connected(self) -> None:
        assert self._sock is not None
        code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            self._finish(os.strerror(code))
            return
        try:
            # Some hundred octets into an empty buffer: they go out whole, but for odd URLs.
            sent = self._sock.send(self._request)
        except OSError as error:
            self._finish(say(error))
            return
        self._request = self._request[sent:]
        if not self._request:
            self._loop.remove_writer(self._sock)
            self._loop.add_reader(self._sock, self._readable)

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            data = self._sock.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(say(error))
            return
        self._answer += data
        if not self._body and not self._head(ended=not data):
            return
        self._look_at_body(ended=not data)

    def _head(self, *, ended: bool) -> bool:
        """Read the head if it is complete; True when the body is to be looked at."""
        answer = self._answer
        found = re.search(rb"\r?\n\r?\n", answer)
        if found is None:
            if ended or len(answer) > _HEAD_LIMIT or not b"HTTP/1.".startswith(answer[:7]):
                self._finish("no HTTP answer" if answer else "the connection was closed")
            return False
        status = _STATUS.match(answer)
        if status is None:
            self._finish("no HTTP answer")
            return False
        code = int(status[1])
        head = bytes(answer[: found.start()]).lower() + b"\n"
        if 100 <= code < 200 and code != self._check.httpcode:
            del answer[: found.end()]
            return bool(answer or ended) and self._head(ended=ended)
        if code != self._check.httpcode:
            if code in MOVED and b"\nlocation:" in head:
                self._leave()
            else:
                self._finish(f"HTTP status {code}")
            return False
        self._body = found.end()
        length = re.search(rb"\ncontent-length:[ \t]*([0-9]{1,15})[ \t]*\r?\n", head)
        if re.search(rb"\ncontent-encoding:[ \t]*(?!identity)", head):
            self._leave()
            return False
        if code in (204, 304) or 100 <= code < 200:
            self._length = 0
        elif re.search(rb"\ntransfer-encoding:[ \t]*chunked", head):
            self._length = -2
        elif length is not None:
            self._length = int(length[1])
        return True

    def _look_at_body(self, *, ended: bool) -> None:
        check = self._check
        limit = check.byteslimit or BODY_LIMIT
        if not check.stringmatch and not ended and self._length != -2:
            here = len(self._answer) - self._body
            if here < limit and (self._length < 0 or here < self._length):
                return
        body, complete = bytes(self._answer[self._body :]), ended
        if self._length == -2:
            body, complete = _unchunk(body)
        elif self._length >= 0:
            body, complete = body[: self._length], len(body) >= self._length
        body = body[:limit]
        wanted = check.stringmatch.encode()
        if wanted and wanted in body:
            self._finish("", weight_of(body))
        elif complete or len(body) >= limit:
            problem = f"no {check.stringmatch!r} in the body" if wanted else ""
            self._finish(problem, weight_of(body))
        elif ended:
            self._finish("the connection was closed within the body")

    def _leave(self) -> None:
        self._close()
        self._loop.call_soon(self._done, None)

    def _finish(self, problem: str, weight: int = 1) -> None:
        self._close()
        latency = time.monotonic() - self._started
        # Never from within the constructor: the caller expects to be called back later.
        self._loop.call_soon(self._done, Outcome(not problem, latency, problem, weight))

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._loop.remove_reader(self._sock)
            self._loop.remove_writer(self._sock)
            self._sock.close()


def _unchunk(data: bytes) -> tuple[bytes, bool]:
    """The body so far of one that comes in chunks (RFC 9112 §7.1), and whether that is all."""
    parts: list[bytes] = []
    place = 0
    while found := re.compile(rb"([0-9A-Fa-f]{1,8})[^\r\n]*\r?\n").match(data, place):
        size = int(found[1], 16)
        if not size:
            return b"".join(parts), True
        parts.append(data[found.end() : found.end() + size])
        place = found.end() + size
        place += 2 if data[place : place + 2] == b"\r\n" else 1
    return b"".join(parts), False

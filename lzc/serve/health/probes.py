"""Runs of health checks as sockets and callbacks: a TCP connection, or an HTTP or HTTPS request at
a fifth of the work of a whole client.

Ten thousand that all time out must not take the processor away from the workers, as tasks would.
HTTP is one GET and one answer; what needs more, such as a redirect, is left to
`lzc.serve.health.http_client.HttpClient`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import re
import socket
import ssl
import time
from collections.abc import Callable
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from lzc.health_check import Check, Endpoint, is_address
from lzc.serve.health.http_answer import HttpAnswer
from lzc.serve.health.outcome import TIMED_OUT, CheckResult, headers_of, is_ours, say

Done = Callable[[CheckResult], None]

_CHUNK: Final = 65536
_LATE: Final = 0.1
_CHANCES: Final = 3
_PLAIN: Final = re.compile(r"[!-~]+")
_PORTS: Final = {"http": 80, "https": 443}
SHORTEST: Final = 0.1
"""Seconds that a target gets at least."""


class Request(NamedTuple):
    """What to send to which port; ``server_name`` (SNI, RFC 6066 §3, without a final dot) is empty
    where the URL has an address."""

    port: int
    octets: bytes
    tls: bool = False
    server_name: str = ""


def request_of(check: Check) -> Request | None:
    """The request of an HTTP check; `None` where the check is none, has no address of its own, or
    its URL or headers are out of the ordinary."""
    url, port = check.url, check.endpoint().port
    if not check.address or port is None or not url:
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    usual = _PORTS.get(parts.scheme, 0)
    if not usual or parts.username is not None:
        return None
    if not _PLAIN.fullmatch(url) or "%" in host or set(url) & set('"<>\\^`{|}'):
        return None
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if "/." in path:
        return None
    # As it is written, in upper case too.
    authority = parts.netloc.rpartition(":")[0] if parts.port is not None else parts.netloc
    authority = authority.removesuffix(":")
    if port != usual:
        authority += f":{port}"
    lines = [f"GET {path} HTTP/1.1"]
    for name, value in headers_of(check, authority):
        if not name or set(f"{name}{value}") & set("\r\n\0"):
            return None
        lines.append(f"{name}: {value}")
    try:
        octets = "\r\n".join([*lines, "", ""]).encode("latin-1")
    except UnicodeEncodeError:
        return None
    server_name = "" if is_address(host) else host.rstrip(".")
    return Request(port, octets, parts.scheme == "https", server_name)


class TcpProbe:
    """Connects to an address and port, from the address ``source`` unless that is empty, within
    ``timeout`` seconds, and calls ``done`` exactly once."""

    __slots__ = ("_done", "_loop", "_sock", "_started", "_timeout", "_timer")

    def __init__(
        self,
        target: Endpoint,
        source: str,
        loop: asyncio.AbstractEventLoop,
        done: Done,
        *,
        timeout: float,
    ) -> None:
        self._loop = loop
        self._done = done
        self._timeout = max(timeout, 0)
        self._started = time.monotonic()
        self._timer: asyncio.TimerHandle | None = None
        self._sock: socket.socket | None = None
        try:
            self._connect(target, source)
        except (OSError, ValueError, OverflowError) as error:
            self._fail(error)

    def _connect(self, target: Endpoint, source: str) -> None:
        family = socket.AF_INET6 if ":" in target.host else socket.AF_INET
        sock = self._sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        if source:
            sock.bind((source, 0))
        code = sock.connect_ex(target)
        if code not in (0, errno.EINPROGRESS):
            raise OSError(code, os.strerror(code))
        self._set_timer(self._timeout)
        # Descriptors, not sockets: asyncio asks what is registered by an error with the socket's
        # text in it, with both of its addresses, six times a run; that was a fifth of the work.
        self._loop.add_writer(sock.fileno(), self._writable)

    def _set_timer(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._timed_out, self._loop.time() + seconds)

    def _timed_out(self, due: float) -> None:
        self._finish(TIMED_OUT)

    def _writable(self) -> None:
        assert self._sock is not None
        try:
            code = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code:
                raise OSError(code, os.strerror(code))
            self._connected(self._sock)
        except (OSError, ValueError) as error:
            self._fail(error)

    def _connected(self, sock: socket.socket) -> None:
        self._finish("")

    def _fail(self, error: Exception) -> None:
        self._finish(say(error), ours=is_ours(error))

    def _finish(self, problem: str, weight: int = 1, *, ours: bool = False) -> None:
        self._close()
        latency = time.monotonic() - self._started
        outcome = CheckResult(not problem, latency, problem, weight, ours)
        # Never from within the constructor: the caller expects to be called back later.
        self._loop.call_soon(self._done, outcome)

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._sock is not None:
            self._loop.remove_writer(self._sock.fileno())
            self._sock.close()
            self._sock = None


class HttpProbe(TcpProbe):
    """Sends ``request`` to a check's address. It calls ``elsewhere`` instead of ``done`` where the
    whole client has to look; ``tls`` is for requests that want it."""

    __slots__ = ("_answer", "_chances", "_elsewhere", "_request", "_tls", "_unsent")

    def __init__(
        self,
        check: Check,
        request: Request,
        loop: asyncio.AbstractEventLoop,
        done: Done,
        elsewhere: Callable[[], None],
        *,
        timeout: float,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._request = request
        self._unsent = request.octets
        self._elsewhere = elsewhere
        self._tls = tls
        self._answer = HttpAnswer(check)
        self._chances = _CHANCES
        target = Endpoint(check.address, request.port)
        super().__init__(target, check.source, loop, done, timeout=max(timeout, SHORTEST))

    def _timed_out(self, due: float) -> None:
        late = self._loop.time() - due
        if late > _LATE and self._chances:
            # It was us who had no time: what the target said meanwhile is still to be read.
            self._chances -= 1
            self._set_timer(min(late, self._timeout))
        else:
            self._finish(TIMED_OUT)

    def _connected(self, sock: socket.socket) -> None:
        if not self._request.tls:
            self._send()
            return
        assert self._tls is not None
        self._loop.remove_writer(sock.fileno())
        # It takes the descriptor over.
        name = self._request.server_name or None
        self._sock = self._tls.wrap_socket(
            sock, server_hostname=name, do_handshake_on_connect=False
        )
        self._shake_hands()

    def _shake_hands(self) -> None:
        sock = self._sock
        assert isinstance(sock, ssl.SSLSocket)
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            self._loop.remove_writer(sock.fileno())
            self._loop.add_reader(sock.fileno(), self._shake_hands)
        except ssl.SSLWantWriteError:
            self._loop.remove_reader(sock.fileno())
            self._loop.add_writer(sock.fileno(), self._shake_hands)
        except (OSError, ValueError) as error:
            self._fail(error)
        else:
            self._loop.remove_reader(sock.fileno())
            self._loop.add_writer(sock.fileno(), self._send)

    def _send(self) -> None:
        assert self._sock is not None
        try:
            # Some hundred octets into an empty buffer: they go out whole, but for odd URLs.
            sent = self._sock.send(self._unsent)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            sent = 0
        except OSError as error:
            self._fail(error)
            return
        self._unsent = self._unsent[sent:]
        if self._unsent:
            self._loop.add_writer(self._sock.fileno(), self._send)
        else:
            self._loop.remove_writer(self._sock.fileno())
            self._loop.add_reader(self._sock.fileno(), self._readable)

    def _readable(self) -> None:
        assert self._sock is not None
        try:
            # No record of TLS is as large: nothing stays behind decrypted, unknown to epoll.
            data = self._sock.recv(_CHUNK)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            return
        except OSError as error:
            self._fail(error)
            return
        verdict = self._answer.feed(data)
        if verdict is None:
            return
        if verdict.elsewhere:
            self._close()
            self._loop.call_soon(self._elsewhere)
        else:
            self._finish(verdict.problem, verdict.weight)

    def _close(self) -> None:
        if self._sock is not None:
            self._loop.remove_reader(self._sock.fileno())
        super()._close()

"""``[serve] http``: metrics and the state of the server over HTTP, for programs and, as a page, for
people; read-only.

It runs in the event loop of the supervisor, which answers no query. Whoever is slow, or many at
once, is let go of: every connection has one request and some seconds. What orchestrators ask,
``/live`` and ``/ready``, has room of its own.
"""

from __future__ import annotations

import asyncio
import base64
import fcntl
import gzip
import hmac
import ipaddress
import logging
import os
import socket
import struct
import sys
import termios
import time
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Final, NamedTuple

from aiohttp import web
from aiohttp.typedefs import Handler

from lzc.serve.observe.exposition import negotiated
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.observe.made_metrics import MadeMetrics
from lzc.serve.observe.status.request import PATHS, Asked, asked_of

log = logging.getLogger("lzc")

MOST: Final = 16
"""Answers at once, besides those to `_SMALL`."""
SPARE: Final = 16
"""Connections beside these, for what is no request yet, and for `_SMALL`."""
LIFE: Final = 30.0
"""Seconds that a connection may last."""
STALLED: Final = 5.0
"""Seconds in which whoever gets an answer has to take some of it."""
_SHORTLY: Final = 1.0
"""The same where others wait for the room."""
_SMALL: Final = frozenset(("/live", "/ready"))
"""Their answers are taken by the kernel as a whole, and keep nobody waiting."""
_SWEEP: Final = 1.0
_LINE: Final = 4096
"""Octets of a line of a request at most."""
_BACKLOG: Final = 64
_FOR_PROGRAMS: Final = 'Bearer realm="lzc"'
_FOR_BROWSERS: Final = 'Basic realm="lzc: any name, and the token as the password", charset="UTF-8"'
_COMPRESSED: Final = 1024
"""Octets from which on a body is compressed for those who take that."""

_PAUSE: Final = 0.0005
"""Seconds between parts of a long body: what the kernel copies keeps others waiting, too."""
_FOR_GOOD: Final = struct.pack("ii", 1, 0)
"""struct linger: the kernel drops what it has to send, and says so."""

_OTHER_HOST: Final = (
    "this server is asked by a name that is not its own: ask for it by its address or as localhost,"
    " or have it ask for a token (http-token-file)\n"
)


class Document(NamedTuple):
    """HTML in UTF-8, and the Content-Security-Policy that it is shown under."""

    body: bytes
    policy: str


Page = Callable[[Asked], Awaitable[Document]]
"""Makes a page of the status page."""
Metrics = Callable[[str, bool], Awaitable[MadeMetrics]]
"""Gives the metrics in a content type of `lzc.serve.observe.exposition`, compressed by gzip or
not."""
Ready = Callable[[], list[str]]
"""Says why the server is not ready, in lines; nothing where it is."""


class HttpServer:
    """On a socket that is bound; ``token`` is asked for where there is one, and may be another from
    some moment on."""

    def __init__(
        self,
        listener: socket.socket,
        token: bytes | None,
        metrics: Metrics,
        ready: Ready,
        page: Page,
    ) -> None:
        self._listener = listener
        self._page = page
        self._names = own_names(listener.getsockname()[0])
        self.token = token
        self._metrics = metrics
        self._ready = ready
        self._errors = ErrorLog()
        self._server: asyncio.Server | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def start(self) -> None:
        """Begin to accept."""
        self._loop = asyncio.get_running_loop()
        app = web.Application(middlewares=[self._whole])
        app.router.add_get("/metrics", self._serve_metrics)
        app.router.add_get("/live", self._serve_live)
        app.router.add_get("/ready", self._serve_ready)
        for path in PATHS:
            app.router.add_get(path, self._serve_page)
        app.on_response_prepare.append(_one_request)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        self._server = await self._loop.create_server(
            self._protocol, sock=self._listener, backlog=_BACKLOG
        )
        self._sweep()

    def close(self) -> None:
        """Accept nothing more, and end what there is."""
        if self._timer is not None:
            self._timer.cancel()
        if self._server is None:
            self._listener.close()
            return
        self._server.close()
        self._end(older=0.0)

    def close_in_child(self) -> None:
        """Let go of descriptors in a child, of which the parent's loop has to know nothing."""
        self._listener.close()
        if self._server is None:
            return
        nothing = os.open(os.devnull, os.O_RDWR)
        for made in self._runner.server.connections if self._runner.server else ():
            sock = made.transport.get_extra_info("socket") if made.transport is not None else None
            if sock is not None and sock.fileno() >= 0:
                os.dup2(nothing, sock.fileno(), inheritable=False)
        os.close(nothing)

    def _protocol(self) -> asyncio.Protocol:
        server = self._runner.server
        assert server is not None, "it is set up"
        there = _ours(server)
        if len(there) >= MOST + SPARE:
            idle = next((one for one in there if one.request is None), None)
            if idle is None:
                return _Full()
            # Whoever asks nothing must not keep those away who do: /live, above all.
            idle.abort()
        return _Connection(server, self._loop, self._errors)

    @web.middleware
    async def _whole(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """What every whole request meets first: is there room for its answer?"""
        if isinstance(request.protocol, _Connection):
            others = [one for one in _ours(self._runner.server) if one.is_large]
            request.protocol.request = request
            if request.path not in _SMALL and len(others) >= MOST:
                now = self._loop.time()
                slow = max(others, key=lambda one: one.stalled(now))
                if slow.stalled(now) < _SHORTLY:
                    busy = "too many ask at once\n"
                    return web.Response(status=503, text=busy, headers={"Retry-After": "1"})
                # Whoever takes nothing must not keep those away who would.
                slow.abort()
        return await handler(request)

    def _sweep(self) -> None:
        self._end(older=LIFE)
        now = self._loop.time()
        for one in _ours(self._runner.server):
            if one.stalled(now) >= STALLED:
                one.abort()
        self._errors.look(time.monotonic())
        self._timer = self._loop.call_later(_SWEEP, self._sweep)

    def _end(self, older: float) -> None:
        """Break off connections that have lasted longer than so many seconds."""
        now = self._loop.time()
        for one in _ours(self._runner.server):
            if now - one.began >= older:
                one.abort()

    def _is_admitted(self, request: web.Request) -> bool:
        if self.token is None:
            return self._is_meant(request)
        given = _token_in(request.headers.get("Authorization", ""))
        return given is not None and hmac.compare_digest(given, self.token)

    def _is_meant(self, request: web.Request) -> bool:
        """Whether it is asked by a name of its own. Where no token is asked for, a page of somebody
        else's whose name leads here by now (DNS rebinding) would be given all that a browser on
        this machine is. Programs that send no Host are no browsers."""
        hosts = request.headers.getall("Host", [])
        return all(_host_in(one) in self._names or _is_loopback(_host_in(one)) for one in hosts)

    def _turned_away(self, *challenges: str) -> web.Response:
        if self.token is None:
            return web.Response(status=421, text=_OTHER_HOST)
        refused = web.Response(status=401, text="a token is needed\n")
        for one in challenges:
            refused.headers.add("WWW-Authenticate", one)
        return refused

    async def _serve_metrics(self, request: web.Request) -> web.StreamResponse:
        if not self._is_admitted(request):
            return self._turned_away(_FOR_PROGRAMS)
        content_type = negotiated(request.headers.get("Accept", ""))
        headers = {"Content-Type": content_type, "Vary": "Accept, Accept-Encoding"}
        compressed = _takes_gzip(request.headers.get("Accept-Encoding", ""))
        if compressed:
            headers["Content-Encoding"] = "gzip"
        made = await self._metrics(content_type, compressed)
        headers["Content-Length"] = str(made.octets)
        if request.method == "HEAD":
            return web.Response(headers=headers)
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        for part in made.parts():
            await response.write(part)
            await asyncio.sleep(_PAUSE)
        return response

    async def _serve_page(self, request: web.Request) -> web.Response:
        if not self._is_admitted(request):
            return self._turned_away(_FOR_PROGRAMS, _FOR_BROWSERS)
        body, policy = await self._page(asked_of(request.path, request.query))
        headers = {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Security-Policy": policy,
            "Referrer-Policy": "no-referrer",
            "X-Frame-Options": "DENY",
            "Cross-Origin-Resource-Policy": "same-origin",
        }
        return await _sent(request, body, headers)

    async def _serve_live(self, _request: web.Request) -> web.Response:
        return web.Response(text="live\n")

    async def _serve_ready(self, request: web.Request) -> web.Response:
        problems = self._ready()
        if not problems:
            return web.Response(text="ready\n")
        told = problems if self._is_admitted(request) else []
        return web.Response(status=503, text="\n".join(["not ready", *told, ""]))


def own_names(address: str) -> frozenset[str]:
    """What a server that listens there may be called in a request, besides addresses of loopback:
    nobody else can have such a name lead here."""
    return frozenset((address.lower(), "localhost", socket.gethostname().lower()))


def _host_in(header: str) -> str:
    """The host in a Host field (RFC 9110 §7.2), in lower case and without brackets."""
    host = header.strip().lower()
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _token_in(authorization: str) -> bytes | None:
    """The token of a field: that of Bearer (RFC 6750 §2.1), or the password of Basic with any name
    (RFC 7617 §2), as browsers ask for nothing else."""
    scheme, _, given = authorization.partition(" ")
    said = given.strip().encode("utf-8", "surrogateescape")
    if scheme.lower() == "bearer":
        return said
    if scheme.lower() != "basic":
        return None
    try:
        _, colon, password = base64.b64decode(said, validate=True).partition(b":")
    except ValueError:
        return None
    return password if colon else None


async def _sent(request: web.Request, body: bytes, headers: dict[str, str]) -> web.Response:
    """An answer, compressed for those who take that."""
    headers["Vary"] = "Accept-Encoding"
    if len(body) >= _COMPRESSED and _takes_gzip(request.headers.get("Accept-Encoding", "")):
        body = await asyncio.to_thread(gzip.compress, body, 1)
        headers["Content-Encoding"] = "gzip"
    return web.Response(body=body, headers=headers)


class _Connection(web.RequestHandler):
    """A connection, which ``began`` at a time of the loop; ``request`` is what was asked, once it
    has come as a whole. What is no request is refused without a word in the log, like what may not
    be asked: whoever can connect could fill it otherwise. Errors of ours are logged, once in a
    while."""

    __slots__ = ("_errors", "_moved", "_taken", "began", "request")

    def __init__(
        self, server: web.Server, loop: asyncio.AbstractEventLoop, errors: ErrorLog
    ) -> None:
        self._errors = errors
        self.request: web.Request | None = None
        self.began = self._moved = loop.time()
        self._taken = 0
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]
            max_line_size=_LINE,
            max_field_size=_LINE,
            keepalive_timeout=0,
            # Nobody waits for the rest of a request that has one.
            lingering_time=0,
        )

    @property
    def is_large(self) -> bool:
        """Whether its answer is one that others may have to wait for."""
        return self.request is not None and self.request.path not in _SMALL

    def stalled(self, now: float) -> float:
        """For how many seconds there has been something to take, of which nothing was; as far as
        one sees who asks often."""
        transport, request = self.transport, self.request
        if transport is None or request is None:
            return 0.0
        waits = transport.get_write_buffer_size()
        taken = request.writer.output_size - waits - _not_taken(transport)
        if not waits or taken != self._taken:
            self._taken, self._moved = taken, now
        return now - self._moved

    def abort(self) -> None:
        """Break it off. What the other side did not take is not kept for it."""
        if self.transport is not None:
            sock = self.transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FOR_GOOD)
            self.transport.abort()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what is no request, or in whose answer something failed."""
        if isinstance(exc, ConnectionError) and (
            self.transport is None or self.transport.is_closing()
        ):
            # Whoever asked went away before there was an answer.
            raise exc
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR and exc is not None:
            self._errors.note("answering a request over HTTP", exc)
        if request.writer.output_size > 0:
            raise ConnectionError("a part of the answer was sent already")
        refused = web.Response(status=status, text=f"{status}: {HTTPStatus(status).phrase}\n")
        refused.force_close()
        _mark(refused.headers)
        return refused


def _not_taken(transport: asyncio.Transport) -> int:
    """Octets that the other side has not acknowledged."""
    number = transport.get_extra_info("socket").fileno()
    return int.from_bytes(fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)), sys.byteorder)


def _ours(server: web.Server | None) -> list[_Connection]:
    """The connections that there are, the oldest first."""
    found = server.connections if server is not None else []
    return [one for one in found if isinstance(one, _Connection)]


class _Full(asyncio.Protocol):
    """What one gets for whom there is no room."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Let go."""
        transport.close()


async def _one_request(request: web.Request, response: web.StreamResponse) -> None:
    response.force_close()
    _mark(response.headers)


def _mark(headers: MutableMapping[str, str]) -> None:
    """What every answer says."""
    headers["Server"] = "lzc"
    headers["Cache-Control"] = "no-store"
    headers["X-Content-Type-Options"] = "nosniff"


def _takes_gzip(accepted: str) -> bool:
    for one in accepted.split(","):
        coding, *parameters = (part.strip().lower() for part in one.split(";"))
        if coding == "gzip":
            return not any(each.replace(" ", "") in ("q=0", "q=0.0") for each in parameters)
    return False

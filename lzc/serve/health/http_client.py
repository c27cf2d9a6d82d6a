"""HTTP requests of health checks that need a whole client: those that look hosts up, or are
redirected."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Sequence
from functools import cache, cached_property
from importlib import import_module
from typing import TYPE_CHECKING, Final

from lzc.health_check import Check, is_address
from lzc.lua.health.reach import CheckReach, Refusal
from lzc.serve.health.http_answer import MOVED, Body, HttpVerdict
from lzc.serve.health.outcome import (
    TIMED_OUT,
    CheckResult,
    as_written,
    headers_of,
    is_ours,
    not_asked,
    say,
    without_password,
)
from lzc.serve.health.probes import SHORTEST
from lzc.serve.transport.sockets import own_address_refusal

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.connector import Connection
    from yarl import URL

_CHUNK: Final = 65536
_REDIRECTS: Final = 30
"""As of libcurl 8.3; what Debian 12 has follows any number, until the time is over."""


def import_ahead() -> None:
    """Import what requests need, which is a lot; it may be in a thread."""
    for name in ("aiohttp", "yarl", "encodings.idna"):
        import_module(name)


class HttpClient:
    """Makes HTTP requests to what may be reached; aiohttp is imported with the first, unless that
    was done ahead."""

    def __init__(self, reach: CheckReach) -> None:
        self._reach = reach
        self._sessions: dict[str, aiohttp.ClientSession] = {}

    def take_reach(self, reach: CheckReach) -> None:
        """Other addresses may be reached from now on."""
        self._reach = reach

    def _session(self, source: str) -> aiohttp.ClientSession:
        import aiohttp

        session = self._sessions.get(source)
        if session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                use_dns_cache=False,
                local_addr=(source, 0) if source else None,
            )
            session = self._sessions[source] = aiohttp.ClientSession(
                connector=connector,
                request_class=_last_of_its_connection(),
                cookie_jar=aiohttp.DummyCookieJar(),
                # PowerDNS asks for no compression and undoes none; some octets could be gigabytes.
                auto_decompress=False,
                skip_auto_headers=("Accept-Encoding",),
            )
        return session

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What all requests over TLS share. PowerDNS does not look at certificates: it asks
        addresses whether they serve a host."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["http/1.1"])
        return context

    async def run(self, check: Check, timeout: float, *, listed: bool) -> CheckResult:
        """Fetch the check's URL from its address, within ``timeout`` seconds; ``listed`` tells that
        the URL stands in the zone."""
        import aiohttp

        started = time.monotonic()
        ours = False
        moves: list[URL] = []
        try:
            async with asyncio.timeout(max(timeout, SHORTEST)) as limit:
                found = await self._fetch(check, limit.when() or started, moves, listed)
        except (aiohttp.ClientError, OSError, ValueError, TimeoutError) as error:
            found, ours = HttpVerdict(say(error)), is_ours(error)
        latency = time.monotonic() - started
        problem = found.problem
        # Which runs wait for which depends on whether they timed out.
        if problem and moves and problem != TIMED_OUT:
            problem += f", redirected to {without_password(str(moves[-1]))}"
        return CheckResult(not problem, latency, problem, found.weight, ours)

    async def _fetch(
        self, check: Check, until: float, moves: list[URL], listed: bool
    ) -> HttpVerdict:
        """Follow redirects to the end, as PowerDNS does: the URL's own host and port stay at the
        address under check, other hosts are looked up. ``moves`` is where they led so far."""
        from yarl import URL

        reason = not_asked(check.url)
        if reason:
            return HttpVerdict(reason)
        url = origin = URL(as_written(check.url))
        while len(moves) <= _REDIRECTS:
            if url.scheme not in ("http", "https") or not url.host:
                return HttpVerdict("not an HTTP URL")
            if check.address and url.origin() == origin.origin():
                addresses = [check.address]
            else:
                addresses = await self._addresses(url, written=listed and not moves)
            found = await self._ask(check, url, addresses, until)
            if isinstance(found, HttpVerdict):
                return found
            url = found
            moves.append(url)
        return HttpVerdict("too many redirects")

    async def _addresses(self, url: URL, *, written: bool) -> list[str]:
        """Where the host of a URL is, as far as that may be reached: it is looked up once, and what
        was judged is what is connected to. Raises `ValueError` where nothing is left."""
        host = url.raw_host or ""
        if is_address(host):
            found = [host]
        else:
            # What is no address in its own notation, such as 127.1, the resolver may take for one.
            written = False
            loop = asyncio.get_running_loop()
            rows = await loop.getaddrinfo(host, url.port, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(row[4][0]) for row in rows))
        refusals = [(one, self._refusal(one, written)) for one in found]
        allowed = [one for one, refusal in refusals if refusal is None]
        if not allowed:
            raise ValueError(str(next((one for _, one in refusals if one), "no address")))
        return allowed

    def _refusal(self, address: str, written: bool) -> Refusal | None:
        refusal = self._reach.refusal(address, written=written)
        if refusal is None and not written:
            return own_address_refusal(address, self._reach)
        return refusal

    async def _ask(
        self, check: Check, url: URL, addresses: Sequence[str], until: float
    ) -> HttpVerdict | URL:
        """What the first address says that can be connected to, or where it redirects to. Each gets
        its part of the time that is left."""
        import aiohttp
        from yarl import URL

        for place, address in enumerate(addresses):
            left = max(until - asyncio.get_running_loop().time(), SHORTEST)
            others = len(addresses) - place - 1
            try:
                async with self._session(check.source).get(
                    url.with_host(address),
                    # Encoded as UTF-8, they are the octets of the record again.
                    headers=[
                        (name, as_written(value))
                        for name, value in headers_of(check, url.raw_authority.rpartition("@")[2])
                    ],
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(total=None, sock_connect=left / (others + 1)),
                    ssl=self.tls if url.scheme == "https" else True,
                    server_hostname=None if is_address(url.host or "") else url.host,
                ) as response:
                    status = response.status
                    if status in MOVED and "Location" in response.headers:
                        return url.join(URL(response.headers["Location"]))
                    if status != check.httpcode:
                        return HttpVerdict(f"HTTP status {status}")
                    return await _verdict(response.content, check)
            except (aiohttp.ClientConnectorError, aiohttp.ServerTimeoutError):
                if not others:
                    raise
        raise AssertionError("there is an address")

    async def close(self) -> None:
        """Close all connections."""
        for session in self._sessions.values():
            await session.close()


@cache
def _last_of_its_connection() -> type[aiohttp.ClientRequest]:
    """Requests after which we close the connection, without a header that says so: PowerDNS sends
    none, and what a target makes of one is not known."""
    import aiohttp

    class Request(aiohttp.ClientRequest):
        async def send(self, conn: Connection) -> aiohttp.ClientResponse:
            if conn.protocol is not None:
                conn.protocol.force_close()
            return await super().send(conn)

    return Request


async def _verdict(content: aiohttp.StreamReader, check: Check) -> HttpVerdict:
    body = Body(check)
    verdict = body.feed(b"")
    # Read to the end even when nothing is looked for: a server that stalls there is not up.
    while verdict is None:
        chunk = await content.read(_CHUNK)
        verdict = body.feed(chunk) if chunk else body.end()
    return verdict

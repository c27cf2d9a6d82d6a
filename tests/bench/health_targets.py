"""Targets of health checks on the whole of 127.0.0.0/8, and the zone that asks about them.

They share their core with whoever asks the questions, so they do as little as can be: sockets and
callbacks, and no object for a connection that is answered at once.
"""

from __future__ import annotations

import asyncio
import datetime
import socket
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bench.inputs import APEX

_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n7\n"
_FILL = 64
_BACKLOG = 4096
_AT_ONCE = 64


def address(number: int, network: int = 16) -> str:
    """The address of a target: any in 127.0.0.0/8 is ours."""
    return f"127.{network + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on which every address accepts, answers HTTP, answers HTTPS, leaves connections
    unanswered until they time out, accepts but answers no request, and refuses."""

    accepting: int
    http: int
    https: int
    silent: int
    accepting_silent: int
    refusing: int = 1


class Targets:
    """The servers behind these ports, in the running event loop. ``async with`` gives the ports."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._socks: list[socket.socket] = []
        self._loop = asyncio.get_running_loop()

    async def __aenter__(self) -> Ports:
        return Ports(
            self._serve(lambda client: client.close()),
            self._serve(_answer, socket.TCP_DEFER_ACCEPT),
            await self._serve_tls(),
            self._silent(),
            self._serve(self._keep),
        )

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for sock in self._socks:
            self._loop.remove_reader(sock)
            sock.close()

    def _serve(self, take: Callable[[socket.socket], None], option: int = 0) -> int:
        """A port; ``take`` gets each connection that was accepted."""
        listener = socket.socket()
        if option:
            listener.setsockopt(socket.IPPROTO_TCP, option, 5)
        listener.bind(("0.0.0.0", 0))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        self._socks.append(listener)

        def accept() -> None:
            for _ in range(_AT_ONCE):
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                take(client)

        self._loop.add_reader(listener, accept)
        port: int = listener.getsockname()[1]
        return port

    def _keep(self, client: socket.socket) -> None:
        """Say nothing until the other end gives up."""

        def read() -> None:
            try:
                if client.recv(4096):
                    return
            except BlockingIOError:
                return
            except OSError:
                pass
            self._loop.remove_reader(client)
            client.close()

        client.setblocking(False)
        self._loop.add_reader(client, read)

    async def _serve_tls(self) -> int:
        server = await self._loop.create_server(
            _Page, "0.0.0.0", 0, ssl=_certificate(), backlog=_BACKLOG
        )
        self._servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    def _silent(self) -> int:
        """A listener that takes nothing from its full backlog: to further connections it gives no
        answer, like a host that is gone."""
        listener = socket.socket()
        listener.bind(("0.0.0.0", 0))
        listener.listen(0)
        port: int = listener.getsockname()[1]
        self._socks.append(listener)
        for _ in range(_FILL):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
            self._socks.append(client)
        return port


class _Page(asyncio.Protocol):
    """Answers whatever comes with a page."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(_PAGE)
        self._transport.close()


def _answer(client: socket.socket) -> None:
    """The request is here already: connections are only accepted with it (TCP_DEFER_ACCEPT)."""
    try:
        client.recv(4096)
        client.send(_PAGE)
    except OSError:
        pass
    client.close()


def _certificate() -> ssl.SSLContext:
    """Signed by itself; as most servers have, for ECDSA P-256."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "www.example.com")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1)
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    pem = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    pem += key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(pem)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def zone(path: Path, codes: list[str]) -> list[str]:
    """A zone with a LUA A record for each code; returns the names' first labels."""
    labels = [f"lua{number}" for number in range(len(codes))]
    with path.open("w") as out:
        out.write(APEX)
        out.writelines(
            f'{label} 60 IN LUA A "{code}"\n' for label, code in zip(labels, codes, strict=True)
        )
    return labels

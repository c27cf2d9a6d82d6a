"""Targets of health checks on the whole of 127.0.0.0/8, and the zone that asks about them."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from pathlib import Path

from tests.bench.inputs import APEX

_PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n7\n"
_NOTHING = b"nothing"
_FILL = 64


def address(number: int, network: int = 16) -> str:
    """The address of a target: any in 127.0.0.0/8 is ours."""
    return f"127.{network + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports on which every address accepts, answers HTTP, leaves connections unanswered until they
    time out, accepts but answers no request, and refuses."""

    accepting: int
    http: int
    silent: int
    accepting_silent: int
    refusing: int = 1


class Targets:
    """The servers behind these ports, in the running event loop. ``async with`` gives the ports."""

    def __init__(self) -> None:
        self._servers: list[asyncio.Server] = []
        self._socks: list[socket.socket] = []

    async def __aenter__(self) -> Ports:
        accepting = await self._serve(b"")
        http = await self._serve(_PAGE)
        return Ports(accepting, http, self._silent(), await self._serve(_NOTHING))

    async def __aexit__(self, *_: object) -> None:
        for server in self._servers:
            server.close()
        for sock in self._socks:
            sock.close()

    async def _serve(self, page: bytes) -> int:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                if page and await reader.readline() and page is not _NOTHING:
                    writer.write(page)
                    await writer.drain()
                if page is _NOTHING:
                    await reader.read()
            except OSError:
                pass
            writer.close()

        server = await asyncio.start_server(answer, "0.0.0.0", 0, backlog=4096)
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


def zone(path: Path, codes: list[str]) -> list[str]:
    """A zone with a LUA A record for each code; returns the names' first labels."""
    labels = [f"lua{number}" for number in range(len(codes))]
    with path.open("w") as out:
        out.write(APEX)
        out.writelines(
            f'{label} 60 IN LUA A "{code}"\n' for label, code in zip(labels, codes, strict=True)
        )
    return labels

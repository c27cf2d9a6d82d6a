"""A relay between a server and its client, over TCP and UDP on one port, that does what lines do:
it cuts a connection after any octet, lets nothing through for a while, loses datagrams."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self, cast

from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK, free_port

_CHUNK: Final = 65536


class Relay:
    """From ``port`` to ``target``, both on loopback, while the block lasts. ``cut`` is asked with
    each TCP connection after how many octets towards the client it is reset, `None` for never;
    ``stalled`` while it is true nothing is read from the server (a silent reader); ``lost`` says of
    each datagram whether it is. With ``keep`` all octets of TCP are in ``heard``, of both ways.
    ``counts``: connections, cuts, datagrams, lost."""

    def __init__(self, target: int, *, keep: bool = False) -> None:
        self.port = free_port()
        self.target = target
        self.cut: Callable[[], int | None] = lambda: None
        self.lost: Callable[[], bool] = lambda: False
        self.stalled = False
        self.counts: Counter[str] = Counter()
        self.heard: list[bytearray] = []
        self._keep = keep
        self._loop = asyncio.new_event_loop()
        self._begun = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._begun.wait(PATIENCE)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._begin())
        self._begun.set()
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()

    async def _begin(self) -> None:
        self._server = await asyncio.start_server(self._accept, LOOPBACK, self.port, limit=_CHUNK)
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(LOOPBACK, self.port)
        )

    async def _accept(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        self.counts["connections"] += 1
        try:
            server, there = await asyncio.open_connection(LOOPBACK, self.target, limit=_CHUNK)
        except OSError:
            back.transport.abort()
            return
        kept = bytearray()
        if self._keep:
            self.heard.append(kept)
        both = [
            asyncio.ensure_future(self._pass(client, there, kept, None)),
            asyncio.ensure_future(self._pass(server, back, kept, self.cut())),
        ]
        cuts = 0
        try:
            await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            cuts = both[1].result() if both[1].done() else 0
            # What the other side has still to say comes, unless it was cut.
            if both[0].done():
                await asyncio.wait(both[1:], timeout=1.0)
        except asyncio.CancelledError:
            pass  # the relay ends
        finally:
            for one in both:
                one.cancel()
            for writer in (back, there):
                # Every other one ends as if the server had said all of it.
                if cuts % 2:
                    _reset(writer)
                else:
                    writer.close()

    async def _pass(
        self,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        kept: bytearray,
        cut: int | None,
    ) -> int:
        """Pass one way on; the number of the cut, 0 where it ends by itself."""
        passed = 0
        with contextlib.suppress(OSError):
            while True:
                while self.stalled:  # noqa: ASYNC110 - switched by another thread
                    await asyncio.sleep(0.02)
                data = await source.read(_CHUNK)
                if not data:
                    return 0
                if self._keep:
                    kept += data
                if cut is not None and passed + len(data) >= cut:
                    sink.write(data[: cut - passed])
                    with contextlib.suppress(OSError):
                        await sink.drain()
                    self.counts["cuts"] += 1
                    return self.counts["cuts"]
                passed += len(data)
                sink.write(data)
                await sink.drain()
        return 0


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    """Each goes to the server from a socket of its own client, so that answers find back."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._there: dict[tuple[str, int], asyncio.DatagramTransport] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._back = transport

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        relay = self._relay
        relay.counts["datagrams"] += 1
        if relay.lost():
            relay.counts["lost"] += 1
            return
        task = asyncio.ensure_future(self._send(data, address))
        task.add_done_callback(lambda _: None)

    async def _send(self, data: bytes, client: tuple[str, int]) -> None:
        there = self._there.get(client)
        if there is None or there.is_closing():
            loop = asyncio.get_running_loop()
            there, _ = await loop.create_datagram_endpoint(
                lambda: _Answers(self._back, client), remote_addr=(LOOPBACK, self._relay.target)
            )
            if len(self._there) > 200:
                self._there.pop(next(iter(self._there))).close()
            self._there[client] = there
        there.sendto(data)


class _Answers(asyncio.DatagramProtocol):
    def __init__(self, back: asyncio.BaseTransport, client: tuple[str, int]) -> None:
        self._back = back
        self._client = client

    def datagram_received(self, data: bytes, _address: tuple[str, int]) -> None:
        cast("asyncio.DatagramTransport", self._back).sendto(data, self._client)

"""Steps of TLS handshakes have a queue of their own, and rest for a multiple of what they took."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any, cast

import pytest

from lzc.answer.tls_client import TlsClient
from lzc.serve.transport.sockets import TlsListener
from lzc.serve.transport.tcp import REST, TcpServer
from lzc.serve.transport.tls import TlsContext
from tests.patience import PATIENCE, SOON
from tests.unit.serve.test_tcp import HERE, QUERY, World, framed

STEP = 0.004
"""Seconds that a step of a handshake takes here."""


class Stream:
    """A handshake that is never done, of which each step takes a while."""

    client: TlsClient | None = None
    ended = False

    def __init__(self, world: World) -> None:
        self.world = world
        self.steps = 0

    def feed(self, _octets: bytes) -> None:
        pass

    def handshake(self) -> bool:
        self.steps += 1
        self.world.clock.now += STEP
        return False

    def outgoing(self) -> bytes:
        return b""


class Context:
    def __init__(self, world: World) -> None:
        self.world = world
        self.streams: list[Stream] = []

    def stream(self) -> Stream:
        self.streams.append(Stream(self.world))
        return self.streams[-1]


class Loop:
    """Remembers what is to be called, and after how many seconds."""

    def __init__(self) -> None:
        self.due: list[tuple[float, Callable[[], None]]] = []
        self.read: list[Any] = []

    def add_reader(self, sock: Any, *_: Any) -> None:
        self.read.append(sock)

    def remove_reader(self, sock: Any) -> None:
        self.read.remove(sock)

    def call_soon(self, what: Callable[[], None]) -> None:
        self.due.append((0.0, what))

    def call_later(self, seconds: float, what: Callable[[], None]) -> None:
        self.due.append((seconds, what))


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    yield made
    made.close()


def test_who_comes_for_a_handshake_is_accepted_in_a_share_of_time_too(world: World) -> None:
    server: TcpServer = world.server
    context, loop = Context(world), Loop()
    server.tls = cast(TlsContext, context)
    world.listener.setblocking(False)

    class Slow:
        """Each connection takes a while to be accepted."""

        def accept(self) -> tuple[socket.socket, Any]:
            found = world.listener.accept()
            world.clock.now += STEP
            return found

        def getsockname(self) -> Any:
            return world.listener.getsockname()

    listener = TlsListener(cast(socket.socket, Slow()), wildcard=False)
    server.start(cast(asyncio.AbstractEventLoop, loop), [listener])
    clients = [socket.create_connection(world.listener.getsockname(), PATIENCE) for _ in range(3)]
    while server.counts.connections < len(clients):
        assert listener.tcp in loop.read
        loop.due.clear()
        began, accepted = world.clock.now, server.counts.connections
        server.accept(listener)
        assert accepted < server.counts.connections <= accepted + 2
        # It is not listened to meanwhile.
        assert listener.tcp not in loop.read
        [(seconds, resume)] = [one for one in loop.due if one[1].__name__ == "resume"]
        assert seconds == pytest.approx((world.clock.now - began) * REST)
        resume()
    for client in clients:
        client.close()


def test_after_a_step_comes_a_pause_and_queries_do_not_wait(
    world: World,
) -> None:
    server: TcpServer = world.server
    context, loop = Context(world), Loop()
    server.tls = cast(TlsContext, context)
    server.start(cast(asyncio.AbstractEventLoop, loop), [])
    loop.due.clear()
    clients = []
    for _ in range(3):
        client = socket.create_connection(world.listener.getsockname(), PATIENCE)
        clients.append(client)
        server.add(world.listener.accept()[0], HERE, HERE, tls=True)
        client.sendall(b"hello")
    asker, _ = world.connect(data=framed(QUERY))
    end = time.monotonic() + PATIENCE
    while not world.responder.asked or len(loop.due) < 1:
        assert time.monotonic() < end
        server.turn()
        time.sleep(SOON / 20)
    # The query was answered, and no step of a handshake taken for it.
    assert [stream.steps for stream in context.streams] == [0, 0, 0]
    greetings = [(seconds, what) for seconds, what in loop.due if what.__name__ == "_run_greeting"]
    assert len(greetings) == 1
    (seconds, step), loop.due = greetings[0], []
    assert seconds == 0.0
    for steps in range(1, 4):
        step()
        assert sum(stream.steps for stream in context.streams) == steps
        (seconds, step) = next(one for one in loop.due if one[1].__name__ == "_run_greeting")
        assert seconds == pytest.approx(STEP * REST)
        loop.due.clear()
        world.clock.now += seconds
    for client in (*clients, asker):
        with closing(client):
            pass

"""The TCP side of a worker, turn by turn, with a clock that is set by hand."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import select
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from lzc.answer.tls_client import TlsClient
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.supervise.blame import at_work
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.transport.sockets import Listener
from lzc.serve.transport.tcp import ACCEPT, SHARE, TURN, TcpServer
from lzc.serve.transport.tcp_connection import BATCH, READ, Connection
from lzc.serve.transport.tcp_holders import TcpLimits
from lzc.serve.transport.transfer_slots import SHORT, WINDOW
from lzc.serve.transport.udp import UdpServer
from tests.patience import PATIENCE, SOON
from tests.unit.live_server import query_wire

HERE = bytes((127, 0, 0, 1))
QUERY = query_wire("www.example.org")
ZONE = query_wire("zone.example.org", "AXFR")


def framed(wire: bytes) -> bytes:
    return struct.pack(">H", len(wire)) + wire


class Clock:
    """Time that passes when somebody says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Responder:
    """Answers with the query, which takes some time."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.takes = 0.0
        self.asked: list[bytes] = []
        self.pad = b""
        self.on_query: Callable[[], None] = lambda: None

    def quick(
        self, query: bytes, client: bytes, now: float, tcp: bool, local: bytes
    ) -> tuple[bytes, bool] | None:
        self.asked.append(client)
        self.on_query()
        self.clock.now += self.takes
        return query + self.pad, False

    begin = quick

    def any_query(
        self,
        query: bytes,
        client: bytes,
        now: float,
        tcp: bool = False,
        local: bytes = b"",
        pad: bool = False,
    ) -> tuple[bytes, bool] | None:
        raise AssertionError("all is quick")


class Zone:
    """A transfer of endless length, or of some messages."""

    def __init__(
        self, key: bytes, messages: int, size: int, octets: int, once: bytes | None
    ) -> None:
        self.key = key
        self._message = framed(ZONE[:2] + b"\x80\0" + bytes(size))
        self._count = messages
        self.octets = octets
        self.closed = False
        self.made = 0
        self.ended: list[str] = []
        self.once = once

    def at_once(self) -> bytes | None:
        return self.once

    def done(self) -> None:
        self.ended.append("done")

    def messages(self) -> Iterator[bytes]:
        for _ in range(self._count):
            self.made += 1
            yield self._message

    def refuse(self, now: float) -> bytes:
        return ZONE[:2] + b"\x80\2" + bytes(8)

    def close(self) -> None:
        self.closed = True
        self.ended.append("closed")


class World:
    """A server without an event loop, and clients on the loopback that say they come from
    anywhere."""

    def __init__(self, **limits: object) -> None:
        self.clock = Clock()
        self.responder = Responder(self.clock)
        self.board = Scoreboard(1)
        self.slot = self.board.slot(0)
        self.messages = 1 << 30
        self.size = 60_000
        self.octets = SHORT + 1
        self.once: bytes | None = None
        self.key: bytes | None = b"key"
        self.opened: list[Zone] = []
        self.server = TcpServer(
            self.responder,
            self.open,
            TcpLimits(**limits),  # type: ignore[arg-type]
            ErrorLog(),
            self.slot,
            clock=self.clock,
            wall=lambda: 1e9,
        )
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.clients: list[socket.socket] = []
        self.connections: list[Connection] = []

    def open(
        self, query: bytes, client: bytes, now: float, _tls: TlsClient | None
    ) -> Zone | bytes | None:
        if self.key is None:
            return query[:2] + b"\x80\5" + bytes(8)
        self.opened.append(Zone(self.key, self.messages, self.size, self.octets, self.once))
        return self.opened[-1]

    def connect(
        self,
        address: bytes = HERE,
        data: bytes = b"",
        wrapped: Callable[[socket.socket], Any] = lambda sock: sock,
    ) -> tuple[socket.socket, Connection]:
        client = socket.socket()
        client.settimeout(PATIENCE)
        # What is sent must be there when the server looks, which has no loop to look again.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(self.listener.getsockname())
        client.sendall(data)
        self.clients.append(client)
        sock, _ = self.listener.accept()
        self.until(lambda: waiting(sock) == len(data))
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
        self.connections.append(self.server.add(wrapped(sock), address, HERE))
        return client, self.connections[-1]

    def settle(self, condition: Callable[[], object]) -> None:
        """Go on until what clients did has come about."""

        def after_turns() -> object:
            self.run()
            return condition()

        self.until(after_turns)

    def until(self, condition: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < end
            time.sleep(SOON / 20)

    def run(self, turns: int = 1000) -> None:
        """Until nothing is left to do."""
        for _ in range(turns):
            if not self.server.turn():
                return
        raise AssertionError("it does not come to an end")

    def answers(self, client: socket.socket, count: int) -> list[bytes]:
        """So many answers, and that no more have come."""
        data = b""
        found: list[bytes] = []
        end_of_patience = time.monotonic() + PATIENCE
        while len(found) < count:
            self.run()
            if select.select([client], [], [], SOON)[0]:
                data += client.recv(1 << 18)
            assert time.monotonic() < end_of_patience
            while len(data) >= 2 and len(data) >= (end := 2 + int.from_bytes(data[:2], "big")):
                found.append(data[2:end])
                data = data[end:]
        assert not data
        return found

    def close(self) -> None:
        for sock in (self.listener, *self.clients):
            sock.close()
        for one in self.connections:
            if not one.gone:
                one.drop()


@pytest.fixture
def make() -> Iterator[Callable[..., World]]:
    made: list[World] = []

    def one(**limits: object) -> World:
        made.append(World(**limits))
        return made[-1]

    yield one
    for each in made:
        each.close()


@pytest.fixture
def world(make: Callable[..., World]) -> World:
    return make()


def waiting(sock: socket.socket) -> int:
    """Octets that a socket has to read."""
    return int.from_bytes(fcntl.ioctl(sock, termios.FIONREAD, bytes(4)), sys.byteorder)


def closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        while client.recv(1 << 20):
            pass
        return True
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def test_a_turn_ends_in_time_whatever_queries_take(world: World) -> None:
    for number in range(20):
        world.connect(bytes((192, 0, 2, number)), framed(QUERY) * 200)
    for takes in (TURN / 8, TURN / 2, TURN * 3):
        world.responder.takes = takes
        begin, before = world.clock.now, len(world.responder.asked)
        assert world.server.turn()
        assert world.clock.now - begin <= TURN + takes + 1e-9
        assert len(world.responder.asked) > before


def test_udp_is_answered_in_between(world: World) -> None:
    """One datagram waits while a thousand TCP queries do, each of which takes a millisecond."""

    async def serve() -> int:
        loop = asyncio.get_running_loop()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking,
        ):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            before: list[int] = []
            udp_responder = Responder(world.clock)
            udp_responder.on_query = lambda: before.append(len(world.responder.asked))
            udp = UdpServer(udp_responder, lambda now: 1e12, 0, ErrorLog())
            loop.add_reader(sock, udp.reader(Listener(sock, sock, False)))
            world.server.start(loop, ())
            world.responder.takes = 0.001
            for number in range(100):
                world.connect(bytes((192, 0, 2, number)), framed(QUERY) * 10)
            for _ in range(50):
                seen = len(before)
                asking.sendto(QUERY, sock.getsockname())
                begin = len(world.responder.asked)
                while len(before) == seen:  # noqa: ASYNC110 - turn by turn
                    await asyncio.sleep(0)
                assert before[-1] - begin <= 2 * TURN / 0.001 + 2
            assert len(world.responder.asked) < 1000
            loop.remove_reader(sock)
            world.server.stop()
            return len(before)

    assert asyncio.run(serve()) == 50


def beside_datagrams(world: World, served: Callable[..., Any]) -> Any:
    """The outcome of ``served(udp, asking, sock)`` with the server in its event loop, ten clients
    with 40 small messages of a zone each before them, and no time passing: only a datagram ends a
    turn."""
    world.messages, world.size = 40, 100

    async def serve() -> Any:
        loop = asyncio.get_running_loop()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking,
            socket.create_server(("127.0.0.1", 0)) as tcp,
        ):
            sock.bind(("127.0.0.1", 0))
            sock.setblocking(False)
            asking.connect(sock.getsockname())
            world.server.start(loop, (Listener(sock, tcp, False),))
            clients = [
                world.connect(bytes((192, 0, 2, number)), framed(ZONE))[0] for number in range(10)
            ]
            try:
                return await served(sock, asking, clients)
            finally:
                loop.remove_reader(sock)
                world.server.stop()

    return asyncio.run(serve())


def test_a_zone_gives_way_to_a_datagram_after_each_message(make: Callable[..., World]) -> None:
    world = make(transfers=16)

    async def served(
        sock: socket.socket, asking: socket.socket, _clients: list[socket.socket]
    ) -> list[int]:
        def made() -> int:
            return sum(zone.made for zone in world.opened)

        between, began = [], 0
        responder = Responder(world.clock)
        responder.on_query = lambda: between.append(made() - began)
        udp = UdpServer(responder, lambda now: 1e12, 0, ErrorLog())
        asyncio.get_running_loop().add_reader(sock, udp.reader(Listener(sock, sock, False)))
        for number in range(1, 101):
            asking.send(QUERY)
            began = made()
            while len(between) < number:  # noqa: ASYNC110 - turn by turn
                await asyncio.sleep(0)
        return between

    between = beside_datagrams(world, served)
    assert max(between) <= 1
    # And they got on meanwhile.
    assert sum(zone.made for zone in world.opened) > 10


def test_zones_are_sent_though_datagrams_wait_all_the_time(make: Callable[..., World]) -> None:
    world = make(transfers=16)

    async def served(
        _sock: socket.socket, asking: socket.socket, clients: list[socket.socket]
    ) -> list[int]:
        loop = asyncio.get_running_loop()
        asking.send(QUERY)  # which nobody reads
        found = []
        for client in clients:
            client.setblocking(False)
            octets = 0
            while octets < 40 * (2 + 104):
                octets += len(await asyncio.wait_for(loop.sock_recv(client, 1 << 16), PATIENCE))
            found.append(octets)
        return found

    assert beside_datagrams(world, served) == [40 * (2 + 104)] * 10


def test_clients_take_turns_however_many_connections_they_have(world: World) -> None:
    for _ in range(100):
        world.connect(bytes((192, 0, 2, 1)), framed(QUERY) * 200)
    other = bytes((198, 51, 100, 1))
    world.connect(other, framed(QUERY) * BATCH * 2)
    world.run()
    # Each time it had its turn after one of the other's connections at most.
    places = [number for number, client in enumerate(world.responder.asked) if client == other]
    assert len(places) == 2 * BATCH
    assert places[-1] <= 4 * BATCH


def test_connections_of_a_client_take_turns(world: World) -> None:
    socks = [world.connect(data=framed(QUERY) * 3 * BATCH)[0] for _ in range(5)]
    served: list[int] = []
    more = True
    while more:
        world.responder.takes = TURN
        more = world.server.turn()
        served.append(len(world.responder.asked))
    assert len(served) >= 15 * BATCH
    assert [len(world.answers(sock, 3 * BATCH)) for sock in socks] == [3 * BATCH] * 5


def test_a_connection_has_its_share_of_a_turn(world: World) -> None:
    world.responder.takes = SHARE / 4
    for number in range(3):
        world.connect(bytes((192, 0, 2, number)), framed(QUERY) * 100)
    world.server.turn()
    assert [world.responder.asked.count(bytes((192, 0, 2, n))) for n in range(3)] == [8, 4, 4]


def test_time_that_passes_while_it_reads_costs_nothing_but_time(world: World) -> None:
    client, _ = world.connect(data=framed(QUERY) * 200)
    ticks = iter(range(10**6))

    def busy_machine() -> float:
        return 1000.0 + next(ticks)

    world.server.clock = busy_machine
    assert len(world.answers(client, 200)) == 200


@pytest.mark.parametrize("step", [1, 7, READ - 1, READ, READ + 1])
def test_queries_may_come_in_any_pieces(world: World, step: int) -> None:
    client, _ = world.connect()
    long = 40_000 if step > 7 else 0
    data = framed(QUERY) * 3 + framed(QUERY + bytes(long)) + framed(QUERY)
    for start in range(0, len(data), step):
        client.sendall(data[start : start + step])
        world.run()
    sizes = [len(answer) - len(QUERY) for answer in world.answers(client, 5)]
    assert sizes == [0, 0, 0, long, 0]


def test_the_end_of_what_a_client_says_is_seen_with_what_it_said(world: World) -> None:
    client, connection = world.connect(data=framed(QUERY) * 100)
    client.shutdown(socket.SHUT_WR)
    assert len(world.answers(client, 100)) == 100
    world.settle(lambda: connection.gone and closed(client))


def blocked(world: World) -> Connection:
    """A connection whose client has sent much more than it takes answers to."""
    world.responder.pad = bytes(60_000)
    client, connection = world.connect()
    client.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        for _ in range(100_000):
            client.sendall(framed(QUERY) * 100)
            world.run()
    assert connection.stuck()
    return connection


def test_who_takes_no_answers_gets_no_others_and_is_closed_in_time(world: World) -> None:
    connection = blocked(world)
    done = len(world.responder.asked)
    world.run()
    assert len(world.responder.asked) == done
    world.clock.now += world.server.limits.write / 2
    world.server.sweep()
    assert not connection.gone
    world.clock.now += world.server.limits.write
    world.server.sweep()
    assert connection.gone


def test_who_takes_answers_slowly_is_given_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = iter(range(10**6))
    monkeypatch.setattr(Connection, "taken", lambda _: next(taken))
    connection = blocked(world)
    for _ in range(100):
        world.clock.now += world.server.limits.write - 1
        world.server.sweep()
        assert not connection.gone
    monkeypatch.setattr(Connection, "taken", lambda _: 10**6)
    for _ in range(3):
        world.clock.now += world.server.limits.write + 1
        world.server.sweep()
    assert connection.gone


def test_an_idle_connection_is_closed_in_time_and_half_a_query_changes_nothing(
    world: World,
) -> None:
    silent, _ = world.connect()
    trickling, _ = world.connect()
    talking, connection = world.connect()
    for _ in range(12):
        world.clock.now += 1
        trickling.sendall(b"\0") if not closed(trickling) else None
        talking.setblocking(True)
        talking.sendall(framed(QUERY))
        world.run()
        world.server.sweep()
    world.settle(lambda: closed(silent) and closed(trickling))
    assert not connection.gone


@pytest.mark.parametrize("allowed", [1, 50])
def test_no_more_connections_are_open_than_allowed(
    make: Callable[..., World], allowed: int
) -> None:
    world = make(connections=allowed)
    for _ in range(300):
        world.connect()
        assert len(world.server) <= allowed
    world.run()
    world.settle(lambda: sum(not closed(one) for one in world.clients) == allowed)
    assert world.server.counts.refused == 300 - allowed


def test_a_connection_that_is_served_is_not_closed_for_another_of_its_client(
    make: Callable[..., World],
) -> None:
    world = make(connections=10)
    busy = [world.connect(data=framed(QUERY) * 100) for _ in range(10)]
    world.responder.takes = TURN
    world.server.turn()
    late, refused = world.connect()
    assert refused.gone
    world.settle(lambda: closed(late))
    other, connection = world.connect(bytes((198, 51, 100, 1)), framed(QUERY))
    assert not connection.gone
    assert sum(one.gone for _, one in busy) == 1
    world.responder.takes = 0.0
    assert len(world.answers(other, 1)) == 1


def test_accepting_has_a_bound_of_time_too(world: World) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setblocking(False)
        clients = [socket.create_connection(listening.getsockname()) for _ in range(50)]
        ticks = iter(range(10**6))
        world.server.clock = lambda: 1000.0 + next(ticks) * ACCEPT / 8
        world.server.accept(Listener(listening, listening, False))
        assert 1 <= len(world.server) <= 8
        for client in clients:
            client.close()


class Full:
    """A listening socket of a process that has no descriptor left, for now."""

    def __init__(self, listening: socket.socket) -> None:
        self._listening = listening
        self.full = True
        self.fileno = listening.fileno

    def accept(self) -> tuple[socket.socket, tuple[str, int]]:
        if self.full:
            raise OSError(errno.EMFILE, "Too many open files")
        return self._listening.accept()


def test_without_a_descriptor_left_it_neither_spins_nor_gives_up(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(listening: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        full = Full(listening)
        calls: list[Listener] = []
        accept = world.server.accept

        def counted(one: Listener) -> None:
            calls.append(one)
            accept(one)

        monkeypatch.setattr(world.server, "accept", counted)
        monkeypatch.setattr("lzc.serve.transport.tcp.PAUSE", SOON)
        listener = Listener(listening, full, False)  # type: ignore[arg-type]
        with socket.create_connection(listening.getsockname()):
            world.server.start(loop, [listener])
            while len(calls) < 3:  # noqa: ASYNC110 - it is a pause that is tested
                await asyncio.sleep(SOON)
            assert len(world.server) == 0
            full.full = False
            while not len(world.server):  # noqa: ASYNC110
                await asyncio.sleep(SOON)
            world.server.stop()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        asyncio.run(serve(listening))
    assert sum("Too many open files" in one.message for one in caplog.records) == 1


def test_who_holds_the_most_makes_room_where_no_descriptor_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = 5
    greedy = [world.connect(bytes((192, 0, 2, 1)))[1] for _ in range(room - 1)]
    single = world.connect(bytes((198, 51, 100, 1)))[1]

    class Descriptors:
        def accept(self) -> tuple[socket.socket, tuple[str, int]]:
            if len(world.server) >= room:
                raise OSError(errno.EMFILE, "Too many open files")
            return world.listener.accept()

    world.listener.setblocking(False)
    client = socket.create_connection(world.listener.getsockname())
    world.clients.append(client)
    client.sendall(framed(QUERY))
    world.until(lambda: select.select([world.listener], [], [], 0)[0])
    # Time stands still, so it goes on until nobody is left to accept; that there is no descriptor
    # is said before that is known.
    world.server.accept(Listener(world.listener, Descriptors(), False))  # type: ignore[arg-type]
    assert [one.gone for one in greedy] == [True, True, False, False]
    assert not single.gone and world.server.counts.refused == 2
    assert len(world.answers(client, 1)) == 1


def test_a_fault_of_ours_ends_one_connection(world: World) -> None:
    broken, connection = world.connect(data=framed(QUERY))
    other, _ = world.connect(bytes((192, 0, 2, 1)), framed(QUERY))
    world.server.active = lambda one: 1 / 0 if one is connection else None  # type: ignore[assignment,method-assign]
    assert len(world.answers(other, 1)) == 1
    world.settle(lambda: closed(broken))
    assert world.server.errors.total == 1


def test_a_transfer_that_may_not_be_is_refused_though_all_places_are_taken(
    make: Callable[..., World],
) -> None:
    world = make(transfers=2)
    for number in range(4):
        world.connect(bytes((192, 0, 2, number)), framed(ZONE))
    world.run()
    assert world.server.places.waiting == 3
    world.key = None
    client, _ = world.connect(data=framed(ZONE) + framed(QUERY))
    assert [answer[3] & 15 for answer in world.answers(client, 2)] == [5, 0]
    assert world.server.places.waiting == 3


def test_who_finds_no_room_to_wait_is_told_at_once(make: Callable[..., World]) -> None:
    world = make(transfers=1, transfers_waiting=1)
    for number in range(2):
        world.connect(bytes((192, 0, 2, number)), framed(ZONE))
    world.run()
    client, _ = world.connect(bytes((192, 0, 2, 9)), framed(QUERY) + framed(ZONE) + framed(QUERY))
    assert [answer[3] & 15 for answer in world.answers(client, 3)] == [0, 2, 0]
    assert world.opened[-1].closed
    assert world.server.counts.refused == 1


class Blocked:
    """A socket that takes nothing more."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)

    def send(self, data: bytes) -> int:
        raise BlockingIOError


@pytest.mark.parametrize(("places", "waiting"), [(1, 1), (4, 0)])
def test_a_transfer_behind_answers_that_nobody_takes_is_closed_in_time(
    make: Callable[..., World], places: int, waiting: int
) -> None:
    world = make(transfers=places)
    world.connect(bytes((192, 0, 2, 1)), framed(ZONE))
    world.run()
    _, connection = world.connect(data=framed(QUERY) + framed(ZONE), wrapped=Blocked)
    world.run()
    assert connection.stuck() and connection.sends_zone()
    assert world.server.places.waiting == waiting
    for _ in range(2):
        world.clock.now += world.server.limits.write + 1
        world.server.sweep()
    assert connection.gone and world.opened[-1].closed
    assert world.server.places.waiting == 0


def test_a_request_whose_client_left_before_it_was_read_does_not_wait(
    make: Callable[..., World],
) -> None:
    world = make(transfers=1)
    world.connect(data=framed(ZONE))
    world.run()
    for number in range(20):
        client, connection = world.connect(bytes((192, 0, 2, number)), framed(ZONE))
        client.close()
        world.settle(partial(getattr, connection, "gone"))
    assert world.server.places.waiting == 0
    assert [zone.closed for zone in world.opened] == [False] + [True] * 20


def test_who_ended_and_is_slow_does_not_wait_for_another_place(make: Callable[..., World]) -> None:
    world = make(transfers=1)
    gone, connection = world.connect(data=framed(ZONE))
    world.run()
    gone.shutdown(socket.SHUT_WR)
    world.settle(lambda: connection.ended)
    world.messages = 1
    other, _ = world.connect(bytes((192, 0, 2, 9)), framed(ZONE))
    world.run()
    world.clock.now += WINDOW
    world.server.sweep()
    assert connection.gone and world.server.places.waiting == 0
    assert len(world.answers(other, 1)) == 1


def test_a_fault_of_ours_at_an_event_keeps_no_event_from_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, connection = world.connect()
    other, _ = world.connect(bytes((192, 0, 2, 1)), framed(QUERY))
    notice = Connection.notice

    def broken(self: Connection, what: int) -> None:
        if self is connection:
            raise ZeroDivisionError
        notice(self, what)

    monkeypatch.setattr(Connection, "notice", broken)
    world.clients[0].sendall(framed(QUERY))
    assert len(world.answers(other, 1)) == 1
    world.settle(lambda: connection.gone)
    assert world.server.errors.total == 1


def test_who_comes_with_his_query_is_answered_before_others_are_accepted(world: World) -> None:
    world.listener.setblocking(False)
    first = socket.create_connection(world.listener.getsockname())
    first.sendall(framed(QUERY))
    world.clients.append(first)
    sent: list[int] = []

    class Listening:
        def accept(self) -> tuple[socket.socket, Any]:
            sent.append(world.server.counts.queries)
            sock, peer = world.listener.accept()
            world.until(lambda: waiting(sock) == len(framed(QUERY)))
            return sock, peer

    world.until(lambda: select.select([world.listener], [], [], 0)[0])
    # Time stands still: it goes on until nobody is left.
    world.server.accept(Listener(world.listener, Listening(), False))  # type: ignore[arg-type]
    assert sent == [0, 1]
    assert len(world.answers(first, 1)) == 1


def test_a_zone_of_one_message_is_an_answer_and_waits_for_no_place(
    make: Callable[..., World],
) -> None:
    world = make(transfers=1)
    world.connect(data=framed(ZONE))
    world.run()
    once = ZONE[:2] + b"\x84\0" + bytes(8)
    world.once = once
    for _ in range(3):
        client, _ = world.connect(data=framed(ZONE) + framed(QUERY))
        first, second = world.answers(client, 2)
        assert (first, second[:2]) == (once, QUERY[:2])
    assert world.server.places.waiting == 0
    assert [zone.ended for zone in world.opened[1:]] == [["done", "closed"]] * 3
    assert world.server.counts.transfers == 4


@pytest.mark.parametrize("reads", [True, False])
def test_a_zone_of_one_message_is_done_when_all_of_it_is_with_the_kernel(
    world: World, reads: bool
) -> None:
    world.once = ZONE[:2] + b"\x84\0" + bytes(8)
    world.responder.pad = bytes(60_000)
    client, connection = world.connect(data=framed(QUERY) * 31 + framed(ZONE))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    while not world.opened:
        world.run()
        if not world.opened:
            assert client.recv(1 << 18)
    [zone] = world.opened
    # It stands behind answers that are not taken yet.
    assert connection.stuck() and zone.ended == []
    if reads:
        client.setblocking(False)

        def taken() -> bool:
            with contextlib.suppress(BlockingIOError):
                client.recv(1 << 20)
            return bool(zone.ended)

        world.settle(taken)
        assert zone.ended == ["done", "closed"]
    else:
        connection.drop()
        assert zone.ended == ["closed"]


@pytest.mark.parametrize("how", ["reset", "end"])
def test_a_request_whose_client_goes_away_leaves_the_queue(
    make: Callable[..., World], how: str
) -> None:
    world = make(transfers=1)
    world.connect(data=framed(ZONE))
    for number in range(100):
        client, _ = world.connect(bytes((192, 0, 2, number)), framed(ZONE))
        world.run()
        assert world.server.places.waiting == 1
        if how == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        world.settle(lambda: world.server.places.waiting == 0)
    assert len(world.server) == 1
    assert [zone.closed for zone in world.opened] == [False] + [True] * 100


def test_a_reader_that_stops_gives_its_place_away_and_goes_on_later(
    make: Callable[..., World],
) -> None:
    world = make(transfers=1)
    world.messages = 300
    slow, _ = world.connect(data=framed(ZONE))
    world.run()
    world.messages, world.size = 20, 10
    other, _ = world.connect(bytes((192, 0, 2, 9)), framed(ZONE))
    world.run()
    assert world.server.places.waiting == 1
    world.clock.now += WINDOW
    world.server.sweep()
    assert len(world.answers(other, 20)) == 20
    assert len(world.answers(slow, 300)) == 300
    assert [zone.closed for zone in world.opened] == [True, True]
    assert world.server.counts.transfers == 2


def test_what_is_short_waits_for_no_place_and_frees_none(make: Callable[..., World]) -> None:
    world = make(transfers=1)
    for _ in range(2):
        world.connect(data=framed(ZONE))
        world.run()
    world.messages, world.octets = 3, SHORT
    for number in range(20):
        client, _ = world.connect(bytes((192, 0, 2, number)), framed(ZONE))
        assert len(world.answers(client, 3)) == 3
    assert (len(world.server.places), world.server.places.waiting) == (1, 1)
    assert [zone.closed for zone in world.opened] == [False, False] + [True] * 20
    for client in world.clients:
        client.close()
    world.settle(lambda: not len(world.server))
    assert not world.server.places.sending


def test_a_short_transfer_that_nobody_takes_is_closed_in_time(make: Callable[..., World]) -> None:
    world = make(write=5.0)
    world.octets, world.messages = SHORT, 1000
    client, connection = world.connect(data=framed(ZONE))
    world.run()
    assert connection.stuck() and world.server.places.sending
    for _ in range(2):
        world.clock.now += 6
        world.server.sweep()
    assert connection.gone and not world.server.places.sending
    assert world.opened[0].closed and closed(client)


@pytest.mark.parametrize("reset", [False, True])
def test_whatever_octet_a_transfer_is_cut_at_nothing_of_it_is_kept(
    make: Callable[..., World], reset: bool
) -> None:
    world = make(transfers=1)
    world.messages, world.size = 3, 60
    whole = 3 * (2 + 64)
    for octets in range(whole):
        client, _ = world.connect(data=framed(ZONE))
        got = 0
        while got < octets:
            world.run()
            got += len(client.recv(octets - got))
        if reset:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        world.settle(lambda: not len(world.server))
    assert not world.server.places.sending and not world.server.places.waiting
    assert len(world.opened) <= whole and all(zone.closed for zone in world.opened)
    # And who asks next has the place.
    client, _ = world.connect(data=framed(ZONE))
    assert len(world.answers(client, 3)) == 3


@pytest.mark.parametrize("octets", range(len(framed(ZONE))))
def test_a_request_that_is_cut_at_any_octet_is_none(world: World, octets: int) -> None:
    client, connection = world.connect(data=framed(ZONE)[:octets])
    world.run()
    client.close()
    world.settle(lambda: connection.gone)
    assert not world.opened and not world.server.places.sending


@pytest.mark.parametrize("takes", [1, 16_384])
def test_who_takes_little_holds_one_message_and_of_single_octets_not_for_long(
    make: Callable[..., World], takes: int
) -> None:
    """Single octets open no window again, so that nothing more was taken in the system's eyes."""
    world = make(transfers=1)
    client, connection = world.connect(data=framed(ZONE))
    world.run()
    begun, held = world.clock.now, []
    while not connection.gone and world.clock.now < begun + 100:
        client.recv(takes)
        world.clock.now += 1
        world.server.sweep()
        world.run()
        held.append(len(connection._outgoing))
    assert max(held) <= 2 + 60_004
    assert connection.gone == (takes == 1)
    assert world.clock.now - begun <= 2 * world.server.limits.write or takes > 1
    assert world.opened[0].closed == connection.gone


def test_a_slow_link_is_not_cut_while_nobody_waits(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = iter(range(10**6))
    monkeypatch.setattr(Connection, "taken", lambda _: next(taken))
    _, connection = world.connect(data=framed(ZONE))
    world.run()
    for _ in range(200):
        world.clock.now += 2
        world.server.sweep()
    assert connection.stuck() and len(world.server.places) == 1


def test_two_hundred_who_do_not_read_keep_nobody_out(world: World) -> None:
    world.key = b"greedy"
    for _ in range(200):
        world.connect(data=framed(ZONE))
    world.run()
    world.messages = 1
    for key, address in ((b"other", HERE), (b"greedy", bytes((192, 0, 2, 2)))):
        world.key = key
        client, _ = world.connect(address, framed(ZONE))
        assert len(world.answers(client, 1)) == 1
    assert world.server.counts.refused == 200 - 4 - 128


def test_a_worker_says_that_it_gets_on_between_two_queries(world: World) -> None:
    seen = []
    world.responder.on_query = lambda: seen.append(world.slot.progress())
    world.connect(
        data=b"".join(framed(query_wire("www.example.org", ident=n)) for n in range(1, 100))
    )
    world.run()
    assert len(set(seen)) == 99
    assert world.slot.at_work() is None


def test_busy_is_told_from_hanging() -> None:
    slot = Scoreboard(1).slot(0)
    place = WorkerProcess(0, slot)
    slot.beat(1.0)
    assert place.without_progress(100.0) == 0
    assert place.without_progress(102.0) == 2.0
    for ident in range(1, 50):
        slot.note(query_wire("slow.example.org", ident=ident))
        assert place.without_progress(102.0 + ident) == 0
    assert place.without_progress(154.0) == 3.0
    assert at_work(slot.at_work()) == " (busy with slow.example.org. A)"
    slot.done()
    assert at_work(slot.at_work()) == ""


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (QUERY[:12] + b"\3a\n\x1b" + b"\0\0\1\0\1", " (busy with a\\010\\027. A)"),
        (QUERY[:12] + b"\xc0\x0c\0\1\0\1", " (busy with a malformed query)"),
        (b"\0\1\0", " (busy with . TYPE0)"),
        (b"\xff" * 2000, " (busy with a malformed query)"),
    ],
)
def test_what_hung_is_said_whatever_it_was(query: bytes, said: str) -> None:
    slot = Scoreboard(1).slot(0)
    slot.note(query)
    assert at_work(slot.at_work()) == said

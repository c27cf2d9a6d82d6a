"""The UDP loop, with responders that misbehave and sockets that refuse."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport import datagrams, udp
from lzc.serve.transport.sockets import IP_PKTINFO, sent_to
from lzc.serve.transport.transfer_slots import asks_for_transfer
from lzc.serve.transport.udp import BURST, BatchReader, SingleReader, UdpServer, servfail
from tests.patience import PATIENCE
from tests.unit.live_server import query_wire


class Responder:
    """Answers with the header and a counter; raises or stays silent when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.cacheable = True
        self.error: Exception | None = None
        self.silent = False
        self.silent_to = b"nobody"
        self.asked: list[bytes] = []
        self.on_query: Callable[[], object] = lambda: None

    def begin(
        self, query: bytes, client: bytes, now: float, tcp: bool, local: bytes
    ) -> tuple[bytes, bool] | None:
        return None

    def any_query(
        self,
        query: bytes,
        client: bytes,
        now: float,
        tcp: bool = False,
        local: bytes = b"",
        pad: bool = False,
    ) -> tuple[bytes, bool] | None:
        self.calls += 1
        self.asked.append(client)
        self.on_query()
        if self.error is not None:
            raise self.error
        if self.silent or query == self.silent_to:
            return None
        return query[:2] + b"\x80\0" + bytes(8) + b"%d" % self.calls, self.cacheable


class Loopback:
    """A server socket with its reader, and a client."""

    def __init__(self, kind: type[SingleReader | BatchReader], host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.server = socket.socket(family, socket.SOCK_DGRAM)
        self.server.bind((host, 0))
        self.server.setblocking(False)
        self.client = socket.socket(family, socket.SOCK_DGRAM)
        self.client.connect(self.server.getsockname())
        self.client.settimeout(PATIENCE)
        self.responder = Responder()
        self.now_valid = 1e12
        self.udp = UdpServer(self.responder, lambda now: self.now_valid, 1000, ErrorLog())
        self.reader = kind(self.udp, self.server, b"\x7f\0\0\1")

    def ask(self, name: str = "www.example.org", ident: int = 1) -> bytes:
        self.client.send(query_wire(name, ident=ident))
        self.reader()
        return self.client.recv(4096)


@pytest.fixture(params=[SingleReader, BatchReader])
def loop(request: pytest.FixtureRequest) -> Iterator[Loopback]:
    made = Loopback(request.param)
    yield made
    made.server.close()
    made.client.close()


def test_a_cacheable_answer_is_kept_when_it_is_wanted_again(loop: Loopback) -> None:
    loop.ask(ident=1)
    assert loop.ask(ident=2)[2:] == loop.ask(ident=3)[2:]
    assert loop.responder.calls == 2
    assert (loop.udp.counts.queries, loop.udp.counts.hits) == (3, 1)


def test_names_that_are_asked_once_are_not_kept(loop: Loopback) -> None:
    for number in range(500):
        loop.ask(f"n{number}.example.org")
    assert len(loop.udp.cache) < 20


def test_an_answer_that_depends_on_the_client_is_made_each_time(loop: Loopback) -> None:
    loop.responder.cacheable = False
    assert loop.ask() != loop.ask()


def test_answers_are_made_anew_after_a_swap(loop: Loopback) -> None:
    for _ in range(3):
        loop.ask()
    loop.udp.swap(loop.responder, lambda now: 1e12)
    loop.ask()
    assert loop.responder.calls == 3


def test_answers_are_made_anew_when_their_signatures_are_over(loop: Loopback) -> None:
    loop.now_valid = 0.0
    for _ in range(4):
        loop.ask()
    assert loop.responder.calls == 4


class Clock:
    """The time that the readers see."""

    def __init__(self, now: float) -> None:
        self.now = now

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(1_800_000_000.0)
    monkeypatch.setattr(udp, "time", made)
    return made


@pytest.mark.parametrize("back", [0.001, 1.0, 59.0, 3600.0, 30 * 86400.0])
def test_a_clock_that_is_set_back_drops_what_was_kept(
    loop: Loopback, clock: Clock, back: float
) -> None:
    for _ in range(3):
        loop.ask()
    assert loop.responder.calls == 2
    clock.now -= back
    for _ in range(3):
        loop.ask()
    assert loop.responder.calls == 3, "made anew, and kept from then on"


def test_a_clock_that_goes_on_or_stands_still_drops_nothing(loop: Loopback, clock: Clock) -> None:
    for _ in range(10):
        loop.ask()
        clock.now += 0.5
        loop.ask()
    assert loop.responder.calls == 2


def test_an_unexpected_error_is_servfail_and_logged_once(
    loop: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    loop.responder.error = RuntimeError("a fault")
    with caplog.at_level(logging.ERROR):
        for ident in range(50):
            answer = loop.ask(ident=ident)
            assert answer[3] & 15 == 2
            assert answer[12:] == query_wire("www.example.org")[12 : len(answer)]
    assert [record.message.count("a fault") for record in caplog.records] == [1]
    loop.responder.error = None
    assert loop.ask()[3] & 15 == 0


def test_silence_is_silence(loop: Loopback) -> None:
    loop.responder.silent = True
    loop.client.send(query_wire("www.example.org"))
    loop.reader()
    loop.responder.silent = False
    assert loop.ask(ident=9)[1] == 9
    assert loop.udp.counts.silent == 1


def test_a_burst_is_bounded(loop: Loopback) -> None:
    for ident in range(BURST):
        loop.client.send(query_wire("a.example", ident=ident))
    for _ in range(20):
        loop.client.send(query_wire("b.example"))
    loop.reader()
    assert loop.udp.counts.queries <= BURST


def test_a_turn_of_slow_queries_is_ended(loop: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000, 10**6))
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    for ident in range(BURST):
        loop.client.send(query_wire(f"n{ident}.example", ident=ident))
    loop.reader()
    assert 0 < loop.udp.counts.queries <= datagrams.BATCH


def test_each_query_that_no_cache_answers_is_a_sign_of_life() -> None:
    slot = Scoreboard(1).slot(0)
    made = Loopback(SingleReader)
    made.udp = UdpServer(made.responder, lambda now: 1e12, 0, ErrorLog(), slot)
    made.reader = SingleReader(made.udp, made.server, b"")
    seen: list[Any] = []
    made.responder.on_query = lambda: seen.append(slot.at_work())
    for ident in range(1, 4):
        made.ask(ident=ident)
    assert [at_work[:2] for at_work in seen if at_work] == [b"\0\1", b"\0\2", b"\0\3"]
    assert slot.at_work() is None
    made.server.close()
    made.client.close()


def test_a_batch_answers_each_client_and_leaves_out_who_gets_silence() -> None:
    made = Loopback(BatchReader)
    clients = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(3)]
    for ident, client in enumerate(clients):
        client.settimeout(PATIENCE)
        client.connect(made.server.getsockname())
        client.send(query_wire("www.example.org", ident=ident))
        client.send(b"")
    made.responder.silent_to = b""
    made.reader()
    assert [client.recv(4096)[1] for client in clients] == [0, 1, 2]
    assert made.udp.counts.silent == 3
    for each in (*clients, made.server, made.client):
        each.close()


def test_a_batch_knows_who_asks_over_ipv6() -> None:
    made = Loopback(BatchReader, "::1")
    assert made.ask()[:2] == b"\0\1"
    assert made.responder.asked == [socket.inet_pton(socket.AF_INET6, "::1")]
    made.server.close()
    made.client.close()


def test_an_answer_that_a_batch_cannot_send_stops_nothing_behind_it() -> None:
    made = Loopback(BatchReader)
    batch = datagrams.Datagrams(made.server)
    for _ in range(3):
        made.client.send(b"query")
    assert batch.receive() == 3
    for _, (start, _, _, size) in batch.places[:3]:
        batch.answers[start : start + 2] = b"ok"
        batch.answer_sizes[size] = 2
    # 65536 octets are no datagram.
    batch.answer_sizes[batch.places[1][1][3]] = 65536
    assert batch.send(0, 3) == 1
    assert [made.client.recv(16), made.client.recv(16)] == [b"ok", b"ok"]
    for each in (made.server, made.client):
        each.close()


class Refusing:
    """A socket whose sends fail, as for spoofed port 0, a full buffer or a firewall."""

    def __init__(self, error: OSError) -> None:
        self._queries = [query_wire("www.example.org")] * 3
        self._error = error
        self.tried = 0

    def recvmsg(self, size: int, control: int) -> tuple[bytes, list[Any], int, Any]:
        if not self._queries:
            raise BlockingIOError
        return self._queries.pop(), [], 0, ("192.0.2.1", 0)

    def sendmsg(self, answer: list[bytes], control: list[Any], flags: int, client: Any) -> int:
        self.tried += 1
        raise self._error


@pytest.mark.parametrize(
    "error",
    [
        OSError(22, "EINVAL"),
        PermissionError(1, "EPERM"),
        BlockingIOError(),
        OSError(90, "EMSGSIZE"),
    ],
)
def test_an_answer_that_cannot_be_sent_stops_nothing(loop: Loopback, error: OSError) -> None:
    sock = Refusing(error)
    SingleReader(loop.udp, sock, b"")()  # type: ignore[arg-type]
    assert sock.tried == 3
    assert loop.udp.counts.send_errors == 3


def test_servfail_has_the_question_where_there_is_one() -> None:
    query = query_wire("www.example.org", ident=0x1234)
    answer = servfail(query)
    assert answer is not None
    assert answer[:4] == b"\x12\x34\x81\x02"
    assert answer[4:12] == b"\0\1" + bytes(6)
    assert servfail(query[:14]) == query[:2] + b"\x81\x02" + bytes(8)
    assert servfail(b"short") is None
    assert servfail(answer) is None


@pytest.mark.parametrize(("qtype", "expected"), [("AXFR", True), ("IXFR", True), ("A", False)])
def test_transfers_are_told_from_queries(qtype: str, expected: bool) -> None:
    assert asks_for_transfer(query_wire("example.org", qtype)) is expected
    assert asks_for_transfer(query_wire("example.org", qtype)[:15]) is False


def test_answers_leave_from_the_address_that_was_asked() -> None:
    asked = [(socket.IPPROTO_IP, IP_PKTINFO, b"\7\0\0\0" + b"\x0a\0\0\1" + b"\xe0\0\0\1")]
    local, reply = sent_to(asked)
    assert local == b"\x0a\0\0\1"
    assert reply[0][2] == bytes(4) + b"\x0a\0\0\1" + bytes(4)
    link_local = bytes.fromhex("fe80") + bytes(13) + b"\1"
    for address, index in ((link_local, b"\7\0\0\0"), (b"\x20\1" + bytes(14), bytes(4))):
        six = [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, address + b"\7\0\0\0")]
        local, reply = sent_to(six)
        assert (local, reply[0][2]) == (address, address + index)
    assert sent_to([]) == (b"", [])

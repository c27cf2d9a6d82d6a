"""Answers that are chosen anew for every query, in the UDP loop."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from lzc.answer.planned import Choice
from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport.packet_cache import PacketCache
from lzc.serve.transport.udp import BatchReader, SingleReader, UdpServer
from tests.patience import PATIENCE
from tests.unit.live_server import query_wire

CLIENT = bytes((127, 0, 0, 1))


class Chooser:
    """Answers with how often it was asked; from then on chooses answers that say so."""

    def __init__(self) -> None:
        self.calls = 0
        self.chosen: list[bytes] = []
        self.gives = True

    def begin(
        self, query: bytes, client: bytes, now: float, tcp: bool, local: bytes
    ) -> tuple[bytes, bool | Choice] | None:
        self.calls += 1
        return query[:2] + b"\x80\0" + bytes(8) + b"%d" % self.calls, Choice(self.choose, 100)

    def any_query(
        self,
        query: bytes,
        client: bytes,
        now: float,
        tcp: bool = False,
        local: bytes = b"",
        pad: bool = False,
    ) -> tuple[bytes, bool | Choice] | None:
        raise AssertionError("the quick way has an answer")

    def choose(self, client: bytes, now: float) -> bytes:
        self.chosen.append(client)
        return b"\x80\0" + bytes(8) + b"chosen %d" % len(self.chosen) if self.gives else b""


class Loop:
    def __init__(self, kind: type[SingleReader | BatchReader]) -> None:
        self.server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.server.bind(("127.0.0.1", 0))
        self.server.setblocking(False)
        self.server.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(self.server.getsockname())
        self.client.settimeout(PATIENCE)
        self.responder = Chooser()
        self.udp = UdpServer(self.responder, lambda now: 1e12, 1000, ErrorLog())
        self.reader = kind(self.udp, self.server, b"\x7f\0\0\1")

    def ask(self, ident: int = 1) -> bytes:
        self.client.send(query_wire("www.example.org", ident=ident))
        self.reader()
        answer = self.client.recv(4096)
        assert answer[:2] == ident.to_bytes(2, "big")
        return answer[12:]


@pytest.fixture(params=[SingleReader, BatchReader])
def loop(request: pytest.FixtureRequest) -> Iterator[Loop]:
    made = Loop(request.param)
    yield made
    made.server.close()
    made.client.close()


def test_each_query_is_a_choice_once_the_question_is_known(loop: Loop) -> None:
    answers = [loop.ask(ident) for ident in range(5)]
    assert answers == [b"1", b"2", b"chosen 1", b"chosen 2", b"chosen 3"]
    assert loop.responder.chosen == [CLIENT] * 3
    assert loop.udp.counts.hits == 3


def test_what_cannot_be_chosen_is_made(loop: Loop) -> None:
    loop.ask()
    loop.ask()
    loop.responder.gives = False
    assert loop.ask() == b"3"
    loop.responder.gives = True
    assert loop.ask() == b"chosen 2"


def test_an_old_choice_is_young_again(loop: Loop) -> None:
    loop.ask()
    loop.ask()
    cache = loop.udp.cache
    cache.old, cache.young = cache.young, {}
    assert loop.ask() == b"chosen 1"
    assert loop.ask() == b"chosen 2"
    assert len(cache.young) == 1


def test_no_choice_outlives_its_bundle(loop: Loop) -> None:
    loop.ask()
    loop.ask()
    loop.udp.swap(Chooser(), lambda now: 1e12)
    assert loop.ask() == b"1"


def test_choices_count_with_the_octets_their_answers_may_take() -> None:
    cache = PacketCache(1000, octets=100_000)
    for number in range(20):
        for _ in range(2):
            cache.offer(b"question %d" % number, Choice(lambda client, now: b"", 10_000), 0)
    assert len(cache) < 12

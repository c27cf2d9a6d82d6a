"""A clock that was ahead and is set back: no answer is signed for a time that has not come."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import dns.message
import dns.rdatatype
import pytest

from lzc.serve.observe.log_lines import ErrorLog
from lzc.serve.transport import udp
from lzc.serve.transport.udp import BatchReader, SingleReader, UdpServer
from tests.patience import PATIENCE
from tests.unit.answer.test_plan import Pair, opt_rr, query
from tests.unit.answering import NOW

AHEAD = 30 * 86400.0


class Clock:
    """The time that the readers see."""

    now = NOW

    def time(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    return Pair(tmp_path_factory.mktemp("clock"), signed=True)


@pytest.fixture
def client() -> Iterator[tuple[socket.socket, socket.socket]]:
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("127.0.0.1", 0))
    server.setblocking(False)
    server.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO
    with server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(server.getsockname())
        client.settimeout(PATIENCE)
        yield server, client


@pytest.mark.parametrize("reader", [SingleReader, BatchReader])
@pytest.mark.parametrize(
    ("name", "qtype"),
    [("mixed", "A"), ("missing", "A"), ("mixed", "TXT"), ("fixed", "A"), ("hashed", "A")],
    ids=["an RRset", "NXDOMAIN", "NODATA", "a plan's one outcome", "a choice"],
)
def test_answers_are_signed_for_the_time_that_it_is(
    pair: Pair,
    client: tuple[socket.socket, socket.socket],
    monkeypatch: pytest.MonkeyPatch,
    reader: type[SingleReader | BatchReader],
    name: str,
    qtype: str,
) -> None:
    clock = Clock()
    monkeypatch.setattr(udp, "time", clock)
    here, there = client
    server = UdpServer(pair.planned, lambda now: now + 60.0, 1000, ErrorLog())
    read = reader(server, here, b"\x7f\0\0\1")
    asked = query(name, qtype, 1, opt_rr(dnssec=True))
    for moment in (NOW + AHEAD, NOW):
        clock.now = moment
        for _ in range(4):  # from the third on, they come from the cache
            there.send(asked)
            read()
            answer = dns.message.from_wire(there.recv(4096))
            inceptions = [
                rrsig.inception
                for rrset in (*answer.answer, *answer.authority)
                if rrset.rdtype == dns.rdatatype.RRSIG
                for rrsig in rrset
            ]
            assert inceptions
            assert all(moment - 14 * 86400 <= each <= moment for each in inceptions)
    assert server.counts.hits >= 4

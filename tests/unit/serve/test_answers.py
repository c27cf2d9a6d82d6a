"""The running server over UDP and TCP: answers, limits, hostile input."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.xfr
import dns.zone
import pytest

from tests.patience import PATIENCE, SOON
from tests.unit.live_server import (
    TSIG_NAME,
    TSIG_SECRET,
    LiveServer,
    Project,
    query_wire,
    udp_socket,
)

ZONE = """\
www A 192.0.2.1
www AAAA 2001:db8::1
*.wild TXT "any"
lua LUA TXT "who:toString()"
bad LUA A "error('no')"
big TXT {big}
""".format(big=" ".join(f'"{number:03}{"x" * 200}"' for number in range(20)))

SETTINGS = """
[lua]
enable = true
exec-limit = 100000
time-limit = 0
[serve]
tcp-connections = 8
[[secondary]]
name = "ns2"
address = "127.0.0.1:9"
software = "powerdns-5.1"
tsig = "transfer.example."
notify = false
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    project = Project(tmp_path_factory.mktemp("serve"), SETTINGS)
    many = "".join(f"n{number} A 192.0.2.{number % 256}\n" for number in range(3000))
    project.build({"example.org": ZONE, "many.example": many}, signed=["example.org"])
    with LiveServer(project) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """A server that has no time for connections on which nothing comes."""
    project = Project(tmp_path_factory.mktemp("hasty"), "[serve]\ntcp-idle-timeout = 0.6\n")
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project) as running:
        yield running


def tcp_socket(server: LiveServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)


def framed(wire: bytes) -> bytes:
    return struct.pack(">H", len(wire)) + wire


def read_message(sock: socket.socket) -> bytes:
    def exactly(count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = sock.recv(count - len(data))
            if not chunk:
                raise ConnectionError("closed")
            data += chunk
        return data

    return exactly(int.from_bytes(exactly(2), "big"))


def is_closed(sock: socket.socket) -> bool:
    try:
        return sock.recv(1) == b""
    except ConnectionError:
        return True


def test_static_answers_come_over_both_transports(server: LiveServer) -> None:
    for tcp in (False, True):
        assert server.answers("www.example.org", tcp=tcp) == ["192.0.2.1"]
        assert server.answers("x.wild.example.org", "TXT", tcp=tcp) == ['"any"']


def test_a_lua_record_sees_the_client(server: LiveServer) -> None:
    assert server.answers("lua.example.org", "TXT") == ['"127.0.0.1"']


def test_a_failing_lua_record_is_servfail_and_the_log_says_why(server: LiveServer) -> None:
    assert server.ask("bad.example.org").rcode() == dns.rcode.SERVFAIL
    server.wait_for(lambda: server.logged("SERVFAIL for bad.example.org."))


def test_a_cached_answer_has_the_id_of_its_own_query(server: LiveServer) -> None:
    with udp_socket(server.port) as sock:
        answers = set()
        for ident in (7, 8, 9):
            sock.send(query_wire("www.example.org", ident=ident))
            answer = sock.recv(4096)
            assert int.from_bytes(answer[:2], "big") == ident
            answers.add(answer[2:])
    assert len(answers) == 1


def test_many_different_queries_in_flight_are_each_answered(server: LiveServer) -> None:
    found = {}
    with udp_socket(server.port) as sock:
        for start in range(0, 1000, 100):
            for number in range(start, start + 100):
                sock.send(query_wire(f"n{number}.many.example", ident=number))
            for _ in range(100):
                answer = dns.message.from_wire(sock.recv(4096))
                found[answer.id] = str(answer.answer[0][0])
    assert found == {number: f"192.0.2.{number % 256}" for number in range(1000)}


def test_a_large_answer_is_truncated_over_udp_and_whole_over_tcp(server: LiveServer) -> None:
    assert server.ask("big.example.org", "TXT").flags & dns.flags.TC
    assert len(server.ask("big.example.org", "TXT", tcp=True).answer[0][0].strings) == 20


@pytest.mark.parametrize(
    "datagram",
    [b"", b"\0", b"\0" * 11, query_wire("www.example.org")[:2] + b"\x84" + b"\0" * 9, b"\xff" * 40],
)
def test_what_is_no_query_gets_no_answer(server: LiveServer, datagram: bytes) -> None:
    with udp_socket(server.port) as sock:
        sock.send(datagram)
        sock.send(query_wire("www.example.org", ident=77))
        assert int.from_bytes(sock.recv(4096)[:2], "big") == 77


def test_a_datagram_of_maximal_size_is_survived(server: LiveServer) -> None:
    with udp_socket(server.port) as sock:
        sock.send(query_wire("www.example.org") + bytes(60_000))
        assert sock.recv(4096)[3] & 15 == dns.rcode.FORMERR
    assert server.answers("www.example.org") == ["192.0.2.1"]


def test_pipelined_tcp_queries_are_all_answered(server: LiveServer) -> None:
    with tcp_socket(server) as sock:
        sock.sendall(
            b"".join(framed(query_wire(f"n{n}.many.example", ident=n)) for n in range(200))
        )
        assert {int.from_bytes(read_message(sock)[:2], "big") for _ in range(200)} == set(
            range(200)
        )


def test_a_tcp_query_may_come_octet_by_octet(server: LiveServer) -> None:
    with tcp_socket(server) as sock:
        for octet in framed(query_wire("www.example.org", ident=5)):
            sock.send(bytes([octet]))
        assert read_message(sock)[:2] == b"\0\5"


def test_a_half_closed_connection_still_gets_its_answers(server: LiveServer) -> None:
    with tcp_socket(server) as sock:
        sock.sendall(framed(query_wire("www.example.org", ident=5)) * 100)
        sock.shutdown(socket.SHUT_WR)
        assert [read_message(sock)[:2] for _ in range(100)] == [b"\0\5"] * 100
        assert is_closed(sock)


def test_a_silent_connection_is_closed_after_the_idle_timeout(hasty: LiveServer) -> None:
    with tcp_socket(hasty) as sock:
        assert is_closed(sock)


def test_an_unfinished_message_does_not_keep_a_connection_open(hasty: LiveServer) -> None:
    with tcp_socket(hasty) as sock:
        sock.sendall(b"\0\x30")
        begun = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() < begun + PATIENCE:
                time.sleep(SOON)
                sock.sendall(b"x")
        assert time.monotonic() < begun + PATIENCE


def test_less_than_a_header_closes_the_connection(server: LiveServer) -> None:
    with tcp_socket(server) as sock:
        sock.sendall(framed(b"abc"))
        assert is_closed(sock)


def test_beyond_the_limit_the_quietest_connection_makes_room(server: LiveServer) -> None:
    socks = [tcp_socket(server) for _ in range(9)]
    try:
        query = framed(query_wire("www.example.org"))
        socks[8].sendall(query)
        assert read_message(socks[8])
        assert is_closed(socks[0])
    finally:
        for sock in socks:
            sock.close()


def test_a_client_that_does_not_read_does_not_keep_others_waiting(server: LiveServer) -> None:
    with tcp_socket(server) as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(0.2)
        query = framed(query_wire("big.example.org", "TXT"))
        with pytest.raises(TimeoutError):
            for _ in range(20_000):
                greedy.sendall(query * 10)
        assert server.answers("www.example.org", tcp=True) == ["192.0.2.1"]
        assert server.answers("www.example.org") == ["192.0.2.1"]


def transfer(server: LiveServer, zone: str, *, keyed: bool = True) -> dns.zone.Zone:
    keyring = dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET}) if keyed else None
    query = dns.message.make_query(zone, "AXFR")
    if keyring is not None:
        query.use_tsig(keyring, TSIG_NAME)
    found = dns.zone.Zone(zone)
    dns.query.inbound_xfr("127.0.0.1", found, query, port=server.port, timeout=PATIENCE)
    return found


def test_axfr_with_tsig_gives_the_zone_with_its_lua_records(server: LiveServer) -> None:
    zone = transfer(server, "example.org.")
    assert zone.get_rdataset("www", "A") is not None
    assert zone.get_rdataset("lua", "TYPE65402") is not None
    assert zone.get_rdataset("@", "DNSKEY") is None


def test_axfr_of_many_records_is_complete(server: LiveServer) -> None:
    assert len(transfer(server, "many.example.").nodes) == 3002


def test_axfr_without_tsig_is_refused(server: LiveServer) -> None:
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        transfer(server, "example.org.", keyed=False)


def test_a_query_after_a_transfer_on_the_same_connection_is_answered(server: LiveServer) -> None:
    with tcp_socket(server) as sock:
        refused = framed(query_wire("example.org", "AXFR", ident=1))
        sock.sendall(refused + framed(query_wire("www.example.org", ident=2)))
        assert read_message(sock)[3] & 15 == dns.rcode.REFUSED
        assert read_message(sock)[:2] == b"\0\2"


def test_every_listen_address_is_served_and_wildcards_answer_from_the_asked_one(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project, listen=["0.0.0.0:0", "[::1]:0", "127.0.0.1:0"]) as server:
        endpoints = server.control("status")["listen"]
        ports = [int(endpoint.rpartition(":")[2]) for endpoint in endpoints]
        query = dns.message.make_query("www.example.org", "A")
        for address, port in [
            ("127.0.0.1", ports[0]),
            ("127.0.0.2", ports[0]),
            ("::1", ports[1]),
            ("127.0.0.1", ports[2]),
        ]:
            # dnspython raises unless the answer comes from where the query went.
            assert dns.query.udp(query, address, port=port, timeout=PATIENCE).answer
            assert dns.query.tcp(query, address, port=port, timeout=PATIENCE).answer

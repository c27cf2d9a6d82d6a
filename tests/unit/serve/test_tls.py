"""DNS over TLS, and zones over it (RFC 7858, RFC 9103): what a real server does with clients of all
sorts, with certificates that change, and with those that are wrong."""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import dns.edns
import dns.message
import dns.query
import dns.rcode
import dns.tsigkeyring
import pytest

from tests.patience import PATIENCE
from tests.unit.certificates import NAME, Pair, make
from tests.unit.live_server import TSIG_NAME, TSIG_SECRET, LiveServer, Project
from tests.unit.tls_client import TlsClient, context

ZONE = {"example.org.": "www A 192.0.2.1\n" + "".join(f"h{n} A 192.0.2.2\n" for n in range(3000))}
KEYRING = dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET})
TLS = '[serve]\ntls-listen = ["127.0.0.1:0"]\n' + (
    'tls-certificate-file = "tls.pem"\ntls-key-file = "tls.key"\n'
)


def secondary(*lines: str) -> str:
    """A section for loopback."""
    return '[[secondary]]\nname = "ns2"\naddress = "127.0.0.1:9"\nnotify = false\n' + "".join(
        f"{line}\n" for line in lines
    )


KEYED = f'tsig = "{TSIG_NAME}"'


class TlsProject(Project):
    """A project with a certificate in ``tls.pem`` and ``tls.key``."""

    def __init__(self, folder: Path, *sections: str, toml: str = TLS) -> None:
        super().__init__(folder, toml + "".join(sections))
        self.pair = make()
        self.pair.write(folder, "tls")
        self.build(ZONE)


def tls_port(server: LiveServer) -> int:
    for line in server.log:
        if found := re.search(r", TLS on 127\.0\.0\.1:(\d+)$", line):
            return int(found[1])
    raise AssertionError(server.log)


@contextmanager
def served(project: Project, **options: Any) -> Iterator[tuple[LiveServer, int]]:
    with LiveServer(project, **options) as server:
        yield server, tls_port(server)


def question(name: str = "www.example.org.", qtype: str = "A", **more: Any) -> dns.message.Message:
    return dns.message.make_query(name, qtype, **more)


def transfer_query(*, signed: bool = True, qtype: str = "AXFR") -> dns.message.Message:
    query = dns.message.make_query("example.org.", qtype)
    if signed:
        query.use_tsig(KEYRING, TSIG_NAME)
    return query


def records(messages: list[dns.message.Message]) -> int:
    return sum(len(message.answer) for message in messages)


def test_queries_and_zones_go_over_one_connection_that_stays_open(tmp_path: Path) -> None:
    project = TlsProject(tmp_path, secondary(KEYED))
    with served(project) as (server, port), TlsClient(port) as client:
        assert client.sock.version() == "TLSv1.3"
        assert client.sock.selected_alpn_protocol() == "dot"
        assert client.ask(question()).answer[0][0].to_text() == "192.0.2.1"
        for qtype in ("AXFR", "AXFR"):
            messages = list(client.transfer(transfer_query(qtype=qtype)))
            # SOA, NS, ns1, www, the hosts, and the SOA again.
            assert records(messages) == 3000 + 5
            assert all(message.had_tsig for message in messages)
        assert client.ask(question("example.org.", "SOA")).answer
        assert server.logged("transfer: example.org. serial 1 to 127.0.0.1 over TLS")

        def last() -> Any:
            [one] = server.control("secondaries")["secondaries"]
            return one["states"] and one["states"][0]["last"]

        assert server.wait_for(last)["transport"] == "tls"


def test_who_asks_over_tcp_or_tls_is_told_how_long_it_may_be_idle(tmp_path: Path) -> None:
    """RFC 7828; over UDP never."""
    project = TlsProject(tmp_path, secondary(KEYED), toml=f"{TLS}tcp-idle-timeout = 2.5\n")

    def keepalives(answer: dns.message.Message) -> list[bytes | None]:
        return [one.to_wire() for one in answer.options if one.otype == 11]

    empty = dns.edns.GenericOption(dns.edns.OptionType.make(11), b"")
    with served(project) as (server, port), TlsClient(port) as client:
        ask = question(options=[empty])
        assert keepalives(client.ask(ask)) == [b"\0\x19"]
        first, *_ = client.transfer(_with_options(transfer_query(), empty))
        assert keepalives(first) == [b"\0\x19"]
        told = partial(server.ask, "www.example.org.", options=[empty])
        assert keepalives(told(tcp=True)) == [b"\0\x19"]
        for _ in range(2):
            assert keepalives(told(tcp=False)) == []
        # It is what the settings say by now.
        text = project.config.read_text()
        project.config.write_text(text.replace("2.5", "30"))
        assert server.control("reload")["ok"]
        assert keepalives(client.ask(question(options=[empty]))) == [b"\1\x2c"]


def _with_options(query: dns.message.Message, *options: dns.edns.Option) -> dns.message.Message:
    query.use_edns(0, options=list(options))
    return query


def test_what_comes_over_tls_is_counted_and_told_apart(tmp_path: Path) -> None:
    log = f'{TLS}query-log = 1\nquery-log-file = "queries"\nhttp-compat = "powerdns"\n'
    project = TlsProject(tmp_path, secondary(KEYED), toml=log)
    with served(project) as (server, port), TlsClient(port) as client:
        assert client.ask(question(want_dnssec=True)).answer
        assert records(list(client.transfer(transfer_query()))) == 3000 + 5
        assert server.answers("www.example.org.") == ["192.0.2.1"]

        def measured() -> str:
            [one] = server.control("secondaries", name="ns2", zone="example.org")["secondaries"]
            [zone] = one["states"]
            return str((zone["last"] or {}).get("transport"))

        server.wait_for(lambda: measured() == "tls")
        server.wait_for(lambda: _totals(server, "queries_tcp", 2))
        found = server.control("metrics")["text"]
        for line in (
            'lzc_transfer_octets_total{secondary="ns2",transport="tls"} ',
            'lzc_queries_total{family="4",transport="tls",type="A"} 1',
            'lzc_queries_total{family="4",transport="tls",type="AXFR"} 1',
            'lzc_answers_total{rcode="NOERROR",transport="tls"} 1',
            'lzc_dnssec_ok_queries_total{transport="tls"} 1',
            'lzc_dnssec_ok_queries_total{transport="tcp"} 0',
            "pdns_auth_tcp_queries 2",
        ):
            assert line in found, found
        assert 'lzc_queries_total{family="4",transport="tcp",type="AXFR"}' not in found
        server.wait_for(lambda: server.logged("kind=AXFR transport=tls"))
        queries = tmp_path / "queries"
        server.wait_for(lambda: queries.exists() and queries.read_text().count("\n") == 3)
    over = re.findall(r"transport=(\w+) .* qtype=(\w+)", queries.read_text())
    assert sorted(over) == [("tls", "A"), ("tls", "AXFR"), ("udp", "A")]


def test_many_queries_in_one_record_and_one_query_in_many_records(tmp_path: Path) -> None:
    with served(TlsProject(tmp_path)) as (_, port), TlsClient(port) as client:
        wire = question().to_wire()
        framed = len(wire).to_bytes(2, "big") + wire
        client.sock.sendall(framed * 200)
        for octet in framed:
            client.sock.sendall(bytes([octet]))
        for _ in range(201):
            assert dns.message.from_wire(client.receive()).answer


def test_what_is_padded_is_answered_so_over_tls_alone(tmp_path: Path) -> None:
    project = TlsProject(tmp_path, secondary(KEYED))
    pad = dns.edns.GenericOption(dns.edns.OptionType.PADDING, bytes(31))
    asked = [
        question(use_edns=0, options=[pad]),
        question("nothing.example.org.", use_edns=0, options=[pad]),
        question("example.org.", "SOA", use_edns=0, options=[pad]),
        question("example.org.", "SOA", use_edns=0, options=[pad]),
    ]
    asked[3].use_tsig(KEYRING, TSIG_NAME)
    whole = transfer_query()
    whole.use_edns(0, options=[pad])
    whole.use_tsig(KEYRING, TSIG_NAME)
    with served(project) as (server, port), TlsClient(port) as client:
        for query in asked:
            client.send(query)
            wire = client.receive()
            answer = dns.message.from_wire(wire, keyring=query.keyring, request_mac=query.mac)
            assert len(wire) % 468 == 0
            assert [option.otype for option in answer.options] == [dns.edns.OptionType.PADDING]
            clear = dns.query.tcp(query, "127.0.0.1", PATIENCE, server.port)
            assert not clear.options
        client.send(question(use_edns=0))
        assert len(client.receive()) < 100
        messages = list(client.transfer(whole))
        assert records(messages) == 3000 + 5
        assert len(messages) > 1
        for message in messages:
            size = len(message.wire or b"")
            assert size % 468 == 0 or size == 65535
            assert [option.otype for option in message.options] == [dns.edns.OptionType.PADDING]


@pytest.mark.parametrize("alpn", [("dot",), ("h2", "dot"), ()])
def test_dot_is_selected_where_it_is_offered_and_nothing_need_be(
    tmp_path: Path, alpn: tuple[str, ...]
) -> None:
    project = TlsProject(tmp_path)
    with served(project) as (_, port), TlsClient(port, context(alpn=alpn)) as client:
        assert client.sock.selected_alpn_protocol() == ("dot" if alpn else None)
        assert client.ask(question()).answer


def test_who_offers_other_protocols_only_or_an_older_tls_is_refused_with_a_line(
    tmp_path: Path,
) -> None:
    project = TlsProject(tmp_path)
    with served(project) as (server, port):
        with pytest.raises(ssl.SSLError, match=r"(?i)no.application.protocol"):
            TlsClient(port, context(alpn=("h2",)))
        old = context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            TlsClient(port, old)
        server.wait_for(lambda: server.logged("failed: it does not speak TLS 1.3"))
        server.wait_for(lambda: server.logged("by ALPN, and dot is none of them"))
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        with plain:
            plain.sendall(b"\0\x1d" + question().to_wire())
            while plain.recv(100):
                pass
        server.wait_for(lambda: server.logged("failed: it does not speak TLS:") or True)
        totals = server.wait_for(lambda: _totals(server, "tls_failed", 3))
        assert totals["tls_handshakes"] == 0


def _totals(server: LiveServer, name: str, least: int) -> dict[str, int] | None:
    totals: dict[str, int] = server.control("status")["totals"]
    return totals if totals[name] >= least else None


def test_a_client_that_does_not_take_our_certificate_is_a_warning(tmp_path: Path) -> None:
    project = TlsProject(tmp_path)
    make("ns1.lzc.example").write(tmp_path, "other")
    with served(project) as (server, port):
        for trusted, name in (
            (tmp_path / "other.pem", NAME),
            (tmp_path / "tls.pem", "wrong.example"),
        ):
            with pytest.raises(ssl.SSLError):
                TlsClient(port, context(trusted), name=name)
        server.wait_for(lambda: server.logged("WARNING TLS with 127.0.0.1 failed: it does not t"))


def test_strict_mode_gives_no_zone_in_the_clear(tmp_path: Path) -> None:
    project = TlsProject(tmp_path, secondary(KEYED, "require-tls = true"))
    with served(project) as (server, port):
        for qtype in ("AXFR", "IXFR"):
            query = transfer_query(qtype=qtype)
            if qtype == "IXFR":
                query.authority.append(
                    dns.rrset.from_text("example.org.", 0, "IN", "SOA", ". . 0 0 0 0 0")
                )
            answer = dns.query.tcp(query, "127.0.0.1", PATIENCE, server.port)
            assert answer.rcode() == dns.rcode.REFUSED
            assert not answer.answer
        server.wait_for(lambda: server.logged("it asked in the clear, and its [[secondary]] wants"))
        # What everybody may ask, it may ask as everybody does.
        assert server.answers("example.org.", "SOA")
        with TlsClient(port) as client:
            assert records(list(client.transfer(transfer_query()))) == 3000 + 5
        [status] = server.wait_for(lambda: _with_transfer(server))
        assert status["transfers"]["refused"] == {"clear": 2}


def _with_transfer(server: LiveServer) -> list[dict[str, Any]]:
    return [one for one in server.control("status")["secondaries"] if one["transfers"]["done"]]


def test_a_key_in_tls_pins_is_enough_and_another_is_not(tmp_path: Path) -> None:
    own, other = make("ns2.example", days=-1, since=9), make("ns2.example")
    ours, theirs = own.write(tmp_path, "own"), other.write(tmp_path, "other")
    project = TlsProject(tmp_path, secondary(f'tls-pins = ["{own.pin}"]'))
    query = transfer_query(signed=False)
    with served(project) as (server, port):
        # As with every pin, the dates in the certificate do not matter.
        with TlsClient(port, context(own=ours)) as client:
            assert records(list(client.transfer(query))) == 3000 + 5
        for pair in (theirs, None):
            with TlsClient(port, context(own=pair)) as client:
                assert client.ask(question()).answer
                assert client.ask(query).rcode() == dns.rcode.REFUSED
        answer = dns.query.tcp(query, "127.0.0.1", PATIENCE, server.port)
        assert answer.rcode() == dns.rcode.REFUSED
        server.wait_for(lambda: server.logged(f"none of tls-pins: it is {other.pin}"))
        server.wait_for(lambda: server.logged("it asked in the clear"))
        reasons = server.control("status")["secondaries"][0]["transfers"]["refused"]
        assert reasons == {"certificate": 2, "clear": 1}


def test_a_key_and_a_certificate_are_needed_where_both_are_named(tmp_path: Path) -> None:
    own = make("ns2.example")
    project = TlsProject(tmp_path, secondary(KEYED, f'tls-pins = ["{own.pin}"]'))
    ours = own.write(tmp_path, "own")
    with served(project) as (server, port):
        with TlsClient(port, context(own=ours)) as client:
            assert client.ask(transfer_query(signed=False)).rcode() == dns.rcode.REFUSED
            assert records(list(client.transfer(transfer_query()))) == 3000 + 5
        with TlsClient(port) as client:
            assert client.ask(transfer_query()).rcode() == dns.rcode.REFUSED
        server.wait_for(lambda: server.logged("it showed no certificate over TLS"))


def test_a_name_counts_by_the_ca_that_is_trusted_alone(tmp_path: Path) -> None:
    ca, stranger = make("our CA", ca=True), make("no CA of ours", ca=True)
    ca.write(tmp_path, "ca")
    toml = TLS + 'tls-client-ca-file = "ca.pem"\n'
    project = TlsProject(tmp_path, secondary('tls-name = "NS2.example."'), toml=toml)
    query = transfer_query(signed=False)
    refused: dict[str, Pair] = {
        "its certificate was not issued by a CA in tls-client-ca-file": make(
            "ns2.example", issuer=stranger
        ),
        "its certificate is self-signed, and not in tls-client-ca-file": make("ns2.example"),
        "its certificate has expired": make("ns2.example", issuer=ca, days=-1, since=9),
        "its certificate is not for tls-name ns2.example, but for ns3.example": make(
            "ns3.example", issuer=ca
        ),
    }
    with served(project) as (server, port):
        right = make("ns2.example", issuer=ca).write(tmp_path, "right")
        with TlsClient(port, context(own=right)) as client:
            assert records(list(client.transfer(query))) == 3000 + 5
        for number, (why, pair) in enumerate(refused.items()):
            wrong = pair.write(tmp_path, f"wrong{number}")
            with TlsClient(port, context(own=wrong)) as client:
                assert client.ask(query).rcode() == dns.rcode.REFUSED
            server.wait_for(partial(_last_refusal_is, server, why))


def _last_refusal_is(server: LiveServer, why: str) -> bool:
    last = server.control("status")["secondaries"][0]["transfers"]["last_refusal"]
    return bool(last) and str(last["why"]).endswith(why)


def test_new_files_are_taken_and_open_connections_go_on(tmp_path: Path) -> None:
    project = TlsProject(tmp_path, secondary(KEYED))
    with served(project) as (server, port), TlsClient(port) as old:
        fresh = make()
        fresh.write(tmp_path, "tls")

        def shown() -> bytes:
            with TlsClient(port) as client:
                assert client.ask(question()).answer
                return client.shown

        server.wait_for(lambda: shown() != old.shown)
        assert records(list(old.transfer(transfer_query()))) == 3000 + 5
        server.wait_for(lambda: server.logged(f"pin {fresh.pin}"))
        status = server.control("status")["tls"]
        assert (status["pin"], status["names"], status["error"]) == (fresh.pin, [NAME], "")
        assert not status["late"]


def test_a_pair_that_does_not_fit_leaves_the_one_before_in_use(tmp_path: Path) -> None:
    project = TlsProject(tmp_path)
    with served(project) as (server, port):
        with TlsClient(port) as client:
            before = client.shown
        (tmp_path / "tls.key").write_bytes(make().key_pem)
        server.wait_for(lambda: server.logged("the certificate from before is kept"))
        assert server.logged("the key of TLS is not that of the certificate")
        answer = server.control("reload")
        assert not answer["ok"]
        assert "the key of TLS is not that of the certificate" in answer["error"]
        project.build({"example.org.": "www A 192.0.2.77\n"}, serial=2)
        # It keeps no bundle from going live.
        server.wait_for(lambda: server.answers("www.example.org.") == ["192.0.2.77"])
        with TlsClient(port) as client:
            assert client.shown == before
        assert "is not that of the certificate" in server.control("status")["tls"]["error"]
        project.pair.write(tmp_path, "tls")
        server.wait_for(lambda: not server.control("status")["tls"]["error"])
        assert server.control("reload")["ok"]


def test_a_key_that_others_may_read_is_not_used_and_dns_is_served(tmp_path: Path) -> None:
    project = TlsProject(tmp_path)
    (tmp_path / "tls.key").chmod(0o644)
    with served(project) as (server, port):
        assert server.logged("TLS OUT OF SERVICE")
        assert server.logged("the key of TLS is open to other users")
        assert server.answers("www.example.org.") == ["192.0.2.1"]
        with pytest.raises(OSError):
            TlsClient(port)
        assert not server.logged(project.pair.key_pem.decode().splitlines()[1])
        (tmp_path / "tls.key").chmod(0o600)

        def answers() -> bool:
            try:
                with TlsClient(port) as client:
                    return bool(client.ask(question()).answer)
            except OSError:
                return False

        server.wait_for(answers)


@pytest.mark.parametrize(("days", "word"), [(5, "expires in"), (-2, "is over since")])
def test_the_end_of_the_certificate_is_told_before_and_after(
    tmp_path: Path, days: float, word: str
) -> None:
    project = TlsProject(tmp_path)
    make(days=days, since=90).write(tmp_path, "tls")
    with served(project) as (server, port):
        server.wait_for(lambda: server.logged(word))
        assert server.control("status")["tls"]["late"]
        # Whoever pins the key does not look at the dates.
        with TlsClient(port) as client:
            assert client.ask(question()).answer


def test_a_certificate_that_is_over_takes_no_place_of_a_good_one(tmp_path: Path) -> None:
    project = TlsProject(tmp_path)
    with served(project) as (server, _):
        make(days=-2, since=90).write(tmp_path, "tls")
        server.wait_for(lambda: server.logged("the certificate from before is kept"))
        assert "has expired" in server.control("status")["tls"]["error"]
        assert server.control("status")["tls"]["pin"] == project.pair.pin


def test_half_open_handshakes_have_a_bound_and_others_are_served(tmp_path: Path) -> None:
    project = TlsProject(tmp_path)
    with served(project) as (server, port):
        idle = [socket.create_connection(("127.0.0.1", port), PATIENCE) for _ in range(200)]
        try:
            server.wait_for(lambda: _totals(server, "tcp_refused", 200 - 64))
            assert server.answers("www.example.org.") == ["192.0.2.1"]
            with TlsClient(port) as client:
                assert client.ask(question()).answer
            # Each has some seconds in all, and then is closed.
            for sock in idle:
                sock.settimeout(PATIENCE)
                with suppress(ConnectionResetError):
                    assert sock.recv(1) == b""
        finally:
            for sock in idle:
                sock.close()


class Flood:
    """Clients that begin handshakes, as fast as they can, and never go on with one."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.begun = 0

    def __enter__(self) -> Flood:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        said = ssl.MemoryBIO()
        hello = context().wrap_bio(ssl.MemoryBIO(), said, server_hostname=NAME)
        with suppress(ssl.SSLWantReadError):
            hello.do_handshake()
        octets = said.read()
        open_now: deque[socket.socket] = deque()
        while not self._end.is_set():
            with suppress(OSError):
                sock = socket.create_connection(("127.0.0.1", self._port), PATIENCE)
                open_now.append(sock)
                sock.sendall(octets)
                self.begun += 1
            if len(open_now) > 300:
                open_now.popleft().close()
        for sock in open_now:
            sock.close()


def test_a_flood_of_half_open_handshakes_takes_nothing_from_others(tmp_path: Path) -> None:
    project = TlsProject(tmp_path, secondary(KEYED))
    with served(project) as (server, port), TlsClient(port) as client, Flood(port) as flood:
        server.wait_for(lambda: flood.begun > 300)
        before = flood.begun
        for number in range(300):
            assert server.answers(f"h{number}.example.org.") == ["192.0.2.2"]
        for _ in range(3):
            assert records(list(client.transfer(transfer_query()))) == 3000 + 5
        server.wait_for(lambda: flood.begun > before)
        # Of one client no more are under way than it may have, and the others were closed.
        server.wait_for(lambda: _totals(server, "tcp_refused", 100))
        [worker] = server.control("status")["workers"]
        assert len(os.listdir(f"/proc/{worker['pid']}/fd")) < 64 + 60
        assert not [line for line in server.log if "Traceback" in line]


def test_a_zone_whose_client_reads_little_at_a_time_comes_whole(tmp_path: Path) -> None:
    big = {"example.org.": "".join(f"h{n} TXT {'x' * 200}\n" for n in range(20000))}
    project = TlsProject(tmp_path, secondary(KEYED))
    project.build(big)
    with served(project) as (_, port):
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.connect(("127.0.0.1", port))
        plain.settimeout(PATIENCE)
        with TlsClient(port) as client:
            client.sock.close()
            client.sock = context().wrap_socket(plain, server_hostname=NAME)
            assert records(list(client.transfer(transfer_query()))) == 20000 + 4

"""PowerDNS of three generations as a secondary gives the same answers as lzc, to the same
clients, signed with the same keys."""

from __future__ import annotations

import functools
import http.server
import random
import shlex
import socket
import socketserver
import threading
from collections.abc import Iterator
from typing import NamedTuple

import dns.message
import dns.rcode
import dns.rdatatype
import dns.zone
import pytest

from tests.patience import PATIENCE
from tests.peers._peers.asking import (
    ANYONE,
    Client,
    ask,
    ask_for_each,
    essence,
    query_wire,
    records,
)
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, free_port, serial_at, wait_until
from tests.peers._peers.project import LUA_ZONES, PLAIN_ZONES, SIGNED_ZONES, Project
from tests.peers._peers.releases import POWERDNS, Release

ZONES = (*PLAIN_ZONES, *LUA_ZONES)
ED25519, RSASHA256 = 15, 8

DETERMINISTIC = [
    ("hashed.det.example.org", "A"),
    ("hashed.det.example.org", "AAAA"),
    ("whashed.det.example.org", "A"),
    ("whashed20.det.example.org", "A"),
    ("all.det.example.org", "A"),
    ("constant.det.example.org", "A"),
    ("constant.det.example.org", "AAAA"),
    ("list.det.example.org", "A"),
    ("empty.det.example.org", "A"),
    ("view.det.example.org", "A"),
    ("netmask.det.example.org", "TXT"),
    ("country.det.example.org", "A"),
    ("continent.det.example.org", "A"),
    ("codes.det.example.org", "TXT"),
    ("region.det.example.org", "TXT"),
    ("closest.det.example.org", "A"),
    ("latlon.det.example.org", "TXT"),
    ("nearest.det.example.org", "A"),
    ("who.det.example.org", "TXT"),
    ("subnet.det.example.org", "TXT"),
    ("cname.det.example.org", "A"),
    ("cname.det.example.org", "CNAME"),
    ("txt.det.example.org", "TXT"),
    ("ptr.det.example.org", "PTR"),
    ("mx.det.example.org", "MX"),
    ("srv.det.example.org", "SRV"),
    ("tlsa.det.example.org", "TLSA"),
    ("aaaa.det.example.org", "AAAA"),
    ("shared.det.example.org", "A"),
    ("config.example.org", "A"),
    ("a.b.echo.det.example.org", "TXT"),
    ("web.pool.det.example.org", "A"),
    ("192-0-2-77.fwd.example.org", "A"),
    ("ip-192-0-2-77.fwd.example.org", "A"),
    ("192.0.2.77.fwd.example.org", "A"),
    ("2001-db8-1--53.fwd6.example", "AAAA"),
    ("2001.db8.1.0.0.0.0.53.fwd6.example", "AAAA"),
    ("77.2.0.192.in-addr.arpa", "PTR"),
    ("3.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa", "PTR"),
]

STATIC = [
    ("example.com", "MX"),
    ("www.example.com", "A"),
    ("ftp.example.com", "A"),
    ("web.old.example.com", "A"),
    ("private.example.com", 65280),
    ("nothing.example.com", "A"),
    ("example.net", "SOA"),
    ("example.net", "NS"),
    ("www.example.net", "A"),
    ("www.example.net", "AAAA"),
    ("nothing.example.net", "A"),
    ("nothing.example.net", "TXT"),
    ("b.ent.example.net", "A"),
    ("ent.example.net", "TXT"),
    ("x.wild.example.net", "A"),
    ("x.wild.example.net", "AAAA"),
    ("x.blocked.wild.example.net", "A"),
    ("x.alias.example.net", "A"),
    ("x.star.example.net", "A"),
    ("static.example.org", "A"),
    ("static.example.org", "TXT"),
    ("10.2.0.192.in-addr.arpa", "PTR"),
    ("193.2.0.192.in-addr.arpa", "PTR"),
]

CLIENTS = [
    ANYONE,
    *(Client(f"127.{n}.{n * 7}.{n * 11}") for n in range(1, 12)),
    *(Client(subnet=text) for text in ("192.0.2.0/24", "192.0.2.128/26", "198.51.100.0/24")),
    *(Client(subnet=text) for text in ("198.51.100.128/25", "203.0.113.0/24", "203.0.113.77/32")),
    *(Client(subnet=text) for text in ("193.0.0.0/21", "81.2.69.0/24", "8.8.8.0/24")),
    *(Client(subnet=f"2001:db8:{n}::/48") for n in range(1, 9)),
    *(Client(subnet=text) for text in ("2001:67c:2e8::/48", "2001:db8:1:2::/64")),
    Client("127.3.2.1", "192.0.2.0/24"),
]


class Pair(NamedTuple):
    """lzc and its PowerDNS secondary, both running."""

    project: Project
    secondary: PowerDns


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    release: Release = request.param
    release.require()
    folder = tmp_path_factory.mktemp("pdns")
    port = free_port()
    project = Project(folder / "project", [("ns2", port, str(release))])
    project.generate_keys({"example.org": ED25519, "example.net": RSASHA256})
    project.append("example.net", 'deep.*.star TXT "below an asterisk"')
    project.build()
    geo = project.folder / "geo" / "example.mmdb"
    secondary = PowerDns(folder / "pdns", port, project.port, geo, release)
    for zone in ZONES:
        secondary.add_zone(zone)
    for zone in SIGNED_ZONES:
        exported = project.lzc(
            "keys", "export", zone, "--format", "powerdns", "-o", str(folder / "exported")
        )
        for line in exported.stdout.splitlines():
            program, *arguments = shlex.split(line)
            assert program == "pdnsutil"
            secondary.pdnsutil(*arguments)
    with project.serve(), secondary.run(ZONES):
        yield Pair(project, secondary)


def both(
    pair: Pair, name: str, rrtype: str | int, client: Client = ANYONE, dnssec: bool = False
) -> tuple[dns.message.Message, dns.message.Message]:
    return (
        ask(pair.project.port, name, rrtype, client, dnssec),
        ask(pair.secondary.port, name, rrtype, client, dnssec),
    )


def both_for_each(
    pair: Pair, name: str, rrtype: str | int
) -> Iterator[tuple[Client, dns.message.Message, dns.message.Message]]:
    """What both say to each of `CLIENTS`."""
    ours = ask_for_each(pair.project.port, name, rrtype, CLIENTS)
    theirs = ask_for_each(pair.secondary.port, name, rrtype, CLIENTS)
    return zip(CLIENTS, ours, theirs, strict=True)


@pytest.mark.parametrize("zone", ZONES)
def test_it_transfers_every_zone(pair: Pair, zone: str) -> None:
    assert serial_at(pair.secondary.port, zone) == serial_at(pair.project.port, zone)


@pytest.mark.parametrize(("name", "rrtype"), DETERMINISTIC)
def test_a_deterministic_lua_name_has_one_answer(pair: Pair, name: str, rrtype: str | int) -> None:
    for client, ours, theirs in both_for_each(pair, name, rrtype):
        assert essence(ours) == essence(theirs), client


def test_a_name_that_is_no_address_gives_what_the_version_gives(pair: Pair) -> None:
    for client, ours, theirs in both_for_each(pair, "nonsense.fwd6.example", "AAAA"):
        assert essence(ours) == essence(theirs), client
        if pair.secondary.release.at_least(4, 9):
            owner = "nonsense.fwd6.example."
            assert records(ours.answer) == [(owner, "AAAA", 60, "::")], client
        else:
            assert ours.rcode() == dns.rcode.SERVFAIL, client


@pytest.mark.parametrize(("name", "rrtype"), STATIC)
@pytest.mark.parametrize("dnssec", [False, True], ids=["plain", "dnssec"])
def test_static_data_and_its_absence_have_one_answer(
    pair: Pair, name: str, rrtype: str | int, dnssec: bool
) -> None:
    ours, theirs = both(pair, name, rrtype, dnssec=dnssec)
    assert essence(ours) == essence(theirs)


@pytest.mark.parametrize(
    ("name", "rrtype"),
    [
        ("example.org", "DNSKEY"),
        ("example.org", "SOA"),
        ("static.example.org", "TXT"),
        ("hashed.det.example.org", "A"),
        ("mx.det.example.org", "MX"),
        ("web.pool.det.example.org", "A"),
        ("cname.det.example.org", "A"),
        ("nothing.example.org", "A"),
        ("example.net", "DNSKEY"),
        ("www.example.net", "A"),
        ("nothing.example.net", "A"),
        ("x.wild.example.net", "A"),
        ("secure.example.net", "DS"),
        ("sub.example.net", "DS"),
    ],
)
def test_signatures_are_the_same_octets(pair: Pair, name: str, rrtype: str) -> None:
    """Ed25519 (example.org) and RSA (example.net) are deterministic, and the validity of a
    signature moves once a week on both."""
    ours, theirs = both(pair, name, rrtype, dnssec=True)
    assert essence(ours, but=frozenset()) == essence(theirs, but=frozenset())
    assert any(rrset.rdtype == dns.rdatatype.RRSIG for rrset in ours.answer + ours.authority)


@pytest.mark.difference("D-8")
def test_an_empty_answer_is_provable_with_lzc_only(pair: Pair) -> None:
    """PowerDNS denies the type with an NSEC record that lists it, which validators call bogus. lzc
    leaves the type out when the code returned nothing."""
    ours, theirs = both(pair, "empty.det.example.org", "A", dnssec=True)
    listed = [
        [
            " a " in f" {text} "
            for _, rrtype, _, text in records(message.authority)
            if rrtype == "NSEC"
        ]
        for message in (ours, theirs)
    ]
    assert listed == [[False], [True]]


@pytest.mark.parametrize(
    "name",
    ["sub.example.net", "www.sub.example.net", "a.secure.example.net", "sibling.example.net"],
)
def test_referrals_agree(pair: Pair, name: str) -> None:
    ours, theirs = both(pair, name, "A", dnssec=True)
    assert essence(ours, but=frozenset()) == essence(theirs, but=frozenset())
    assert ours.rcode() == dns.rcode.NOERROR and not ours.answer


@functools.cache
def queries_of_anyone(name: str, count: int) -> list[bytes]:
    """Queries for the address of a name from clients anywhere, others for each name: hosts in IPv4,
    /64 networks in IPv6."""
    seed = random.Random(name)
    # The client's address is what a message ends with (RFC 7871 §6).
    hosts = query_wire(name, "A", Client(subnet="192.0.2.1/32"))[:-4]
    networks = query_wire(name, "A", Client(subnet="2001:db8::/64"))[:-8]
    return [
        hosts + seed.randbytes(4) if seed.random() < 0.5 else networks + seed.randbytes(8)
        for _ in range(count)
    ]


def addresses(port: int, name: str, queries: list[bytes]) -> list[bytes]:
    """The one address that each client gets, in order; the ID tells whose an answer is."""
    at = 12 + len(name.encode()) + 2 + 4
    found: dict[int, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(PATIENCE)
        udp.connect((LOOPBACK, port))
        for start in range(0, len(queries), 32):
            batch = range(start, min(start + 32, len(queries)))
            for number in batch:
                udp.send(number.to_bytes(2, "big") + queries[number][2:])
            for _ in batch:
                answer = udp.recv(4096)
                assert answer[6:8] == b"\x00\x01", f"not one record: {answer.hex()}"
                found[int.from_bytes(answer[:2], "big")] = answer[at + 12 : at + 16]
    return [found[number] for number in range(len(queries))]


@pytest.mark.parametrize(
    ("name", "choices"), [("hashed", 4), ("whashed", 3), ("whashed20", 20), ("shared", 2)]
)
def test_thousands_of_clients_get_the_same_address(pair: Pair, name: str, choices: int) -> None:
    """Hashes over the client, weighted and not, for IPv4 and IPv6."""
    owner = f"{name}.det.example.org"
    queries = queries_of_anyone(owner, 1_000)
    ours = addresses(pair.project.port, owner, queries)
    theirs = addresses(pair.secondary.port, owner, queries)
    assert sum(a != b for a, b in zip(ours, theirs, strict=True)) == 0
    assert len(set(ours)) == choices


class _Fine(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"fine\n")

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Target(socketserver.ThreadingTCPServer):
    # Not that of http.server: it asks the system's resolver for the name of its own address.
    allow_reuse_address = True
    daemon_threads = True


@pytest.fixture(scope="module")
def target(pair: Pair) -> Iterator[str]:
    """The one address that answers, of those that the fixtures check."""
    address = "127.0.1.1"
    with _Target((address, pair.project.health_port), _Fine) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield address
        server.shutdown()


@pytest.mark.parametrize(
    "name",
    ["port.example.org", "port-all.example.org", "url.example.org", "url-sets.example.org"],
)
def test_both_find_the_one_healthy_address(pair: Pair, target: str, name: str) -> None:
    def agreed() -> bool:
        """Five times in a row: a random pick may hit the address by chance."""
        found = [
            [rdata.to_text() for rrset in answer.answer for rdata in rrset]
            for _ in range(5)
            for answer in both(pair, name, "A")
        ]
        return found == [[target]] * 10

    wait_until(agreed, f"{name} is {target} on both")


def test_notify_brings_a_change_within_seconds(pair: Pair) -> None:
    """The secondary polls once an hour; what it learns sooner, it learns from NOTIFY."""
    before = serial_at(pair.project.port, "example.org")
    assert before is not None
    pair.project.append("example.org", "fresh.det LUA TXT \"'added later'\"")
    pair.project.build()
    pair.project.lzc("ctl", "reload")
    wait_until(
        lambda: serial_at(pair.project.port, "example.org") == before + 1, "lzc serves the new zone"
    )
    wait_until(
        lambda: serial_at(pair.secondary.port, "example.org") == before + 1,
        "the secondary has transferred it",
    )
    ours, theirs = both(pair, "fresh.det.example.org", "TXT", dnssec=True)
    assert essence(ours, but=frozenset()) == essence(theirs, but=frozenset())
    assert ours.answer


def test_the_zone_arrives_unsigned_so_that_the_secondary_signs(pair: Pair) -> None:
    shown = pair.secondary.pdnsutil("show-zone", "example.org")
    assert "PRESIGNED" not in shown.upper().replace("NOT PRESIGNED", "")
    listed = pair.secondary.pdnsutil("list-zone", "example.org")
    assert "RRSIG" not in listed
    assert "LUA" in listed

"""BIND, NSD and Knot DNS of three generations as secondaries of zones without LUA records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import dns.query
import dns.rcode
import dns.rdatatype
import dns.xfr
import dns.zone
import pytest

from tests.patience import PATIENCE
from tests.peers._peers.asking import ask, essence
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import LOOPBACK, free_port, serial_at, wait_until
from tests.peers._peers.project import PLAIN_ZONES, TSIG_NAME, Project, keyring
from tests.peers._peers.releases import BIND, KNOT, NSD, Release

QUESTIONS = [
    ("example.com", "SOA"),
    ("example.com", "MX"),
    ("example.com", "NAPTR"),
    ("example.com", "CAA"),
    ("www.example.com", "A"),
    ("web.old.example.com", "A"),
    ("host-7.example.com", "A"),
    ("_sip._udp.example.com", "SRV"),
    ("_443._tcp.www2.example.com", "TLSA"),
    ("www2.example.com", "HTTPS"),
    ("private.example.com", 65280),
    ("selector._domainkey.example.com", "TXT"),
    ("nothing.example.com", "A"),
    ("_tcp.www2.example.com", "A"),
    ("www.example.net", "A"),
    ("x.wild.example.net", "A"),
    ("x.wild.example.net", "AAAA"),
    ("x.blocked.wild.example.net", "A"),
    ("b.ent.example.net", "TXT"),
    ("ns1.sub.example.net", "A"),
    ("deeper.sub.example.net", "A"),
    ("secure.example.net", "A"),
    ("sibling.example.net", "A"),
    ("x.y.alias.example.net", "A"),
    ("x.star.example.net", "TXT"),
]

ENT_ASTERISK = ("x.star.example.net", "TXT")
"""Its source of synthesis, ``*.star``, is an empty non-terminal: NOERROR without data (RFC 4592
§4.9). BIND says NXDOMAIN from 9.20 on."""


class Pair(NamedTuple):
    """lzc and its secondary of some version, both running."""

    project: Project
    port: int
    release: Release


@pytest.fixture(scope="module", params=(*BIND, *NSD, *KNOT), ids=str)
def pair(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pair]:
    release: Release = request.param
    release.require()
    server = KINDS[release.software]
    folder = tmp_path_factory.mktemp("secondary")
    port = free_port()
    project = Project(folder / "project", [("ns2", port, server.name)])
    unsigned = project.config.read_text().replace("dnssec = true", "dnssec = false")
    project.config.write_text(unsigned)
    project.append("example.net", 'deep.*.star TXT "below an asterisk"')
    project.build()
    home = folder / server.name
    with project.serve(), server.secondary(home, port, project.port, PLAIN_ZONES, release):
        yield Pair(project, port, release)


def transferred(port: int, zone: str, signed: bool) -> set[tuple[str, int, str, str]]:
    """Every record of a zone as AXFR gives it: owner, TTL, type, RDATA."""
    copy = dns.zone.Zone(zone, relativize=False)
    ring = keyring() if signed else None
    query, _ = dns.xfr.make_query(copy, keyring=ring)
    dns.query.inbound_xfr(LOOPBACK, copy, query, port=port, timeout=PATIENCE)
    return {
        (name.to_text(), ttl, dns.rdatatype.to_text(rdata.rdtype), rdata.to_text())
        for name, ttl, rdata in copy.iterate_rdatas()
    }


@pytest.mark.parametrize("zone", PLAIN_ZONES)
def test_it_holds_every_record_and_no_other(pair: Pair, zone: str) -> None:
    ours = transferred(pair.project.port, zone, signed=True)
    theirs = transferred(pair.port, zone, signed=False)
    assert ours == theirs
    assert len(ours) > 20


@pytest.mark.parametrize(("name", "rrtype"), QUESTIONS)
def test_it_answers_as_lzc_does(pair: Pair, name: str, rrtype: str | int) -> None:
    ours = essence(ask(pair.project.port, name, rrtype))
    theirs = essence(ask(pair.port, name, rrtype))
    release = pair.release
    if (name, rrtype) == ENT_ASTERISK and release.software == "bind" and release.at_least(9, 20):
        assert ours.rcode == dns.rcode.NOERROR
        ours = ours._replace(rcode=int(dns.rcode.NXDOMAIN))
    assert ours == theirs


def test_notify_brings_a_change_within_seconds(pair: Pair) -> None:
    before = serial_at(pair.project.port, "example.com")
    assert before is not None
    pair.project.append("example.com", "fresh A 192.0.2.200")
    pair.project.build()
    pair.project.lzc("ctl", "reload")
    wait_until(
        lambda: serial_at(pair.port, "example.com") == before + 1,
        "the secondary has transferred the changed zone",
    )
    answer = ask(pair.port, "fresh.example.com", "A").answer
    assert [rdata.to_text() for rrset in answer for rdata in rrset] == ["192.0.2.200"]


def test_a_transfer_without_the_key_is_refused(pair: Pair) -> None:
    with pytest.raises(dns.xfr.TransferError, match="REFUSED"):
        transferred(pair.project.port, "example.com", signed=False)


def test_a_transfer_with_another_secret_is_refused(pair: Pair) -> None:
    copy = dns.zone.Zone("example.com", relativize=False)
    ring = dns.tsigkeyring.from_text({TSIG_NAME: ("hmac-sha256", "d3Jvbmc=")})
    query, _ = dns.xfr.make_query(copy, keyring=ring)
    with pytest.raises(dns.tsig.PeerBadSignature):
        dns.query.inbound_xfr(LOOPBACK, copy, query, port=pair.project.port, timeout=PATIENCE)

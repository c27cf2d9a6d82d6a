"""The SOA as secondaries get it: without RRSIG for those that have the zone unsigned."""

from __future__ import annotations

from ipaddress import ip_network
from typing import NamedTuple

import dns.message
import pytest

from lzc.answer.settings import ResponderSettings
from lzc.answer.transfer_access import Grant, TransferAccess
from lzc.dnssec import algorithms
from lzc.dnssec.key import SigningKey
from lzc.wire import rrtype, tsig
from lzc.wire.message import parse_message
from lzc.wire.name import from_text
from lzc.wire.tsig import TsigKey
from tests.unit.answering import HEAD, NOW, World

KEY = TsigKey(from_text("transfer.example."), "hmac-sha256", b"0123456789abcdef0123456789abcdef")
SIGNED = TsigKey(from_text("signed.example."), "hmac-sha256", b"fedcba9876543210fedcba98765432")
NS2 = bytes((192, 0, 2, 2))
NS3 = bytes((192, 0, 2, 3))
NS4 = bytes((192, 0, 2, 4))
ANYONE = bytes((198, 51, 100, 7))
ZONES = {"example.org.": HEAD, "example.net.": HEAD}
WITH, WITHOUT = ["SOA", "RRSIG"], ["SOA"]

ACCESS = TransferAccess(
    (
        Grant(KEY.name, (ip_network("192.0.2.2"),), ("*",), software="powerdns-5.1"),
        Grant(None, (ip_network("192.0.2.3"),), ("*.org",), software="powerdns-5.1"),
        Grant(
            SIGNED.name, (ip_network("192.0.2.4"),), ("*",), signed=True, software="powerdns-5.1"
        ),
    ),
    (ip_network("127.0.0.0/8"),),
    tsig_required=False,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    keys = {
        name: [SigningKey.make(from_text(name), 15, 257, algorithms.generate(15))] for name in ZONES
    }
    settings = ResponderSettings(tsig_keys={KEY.name: KEY, SIGNED.name: SIGNED}, access=ACCESS)
    return World(tmp_path_factory.mktemp("bundle"), ZONES, keys=keys, settings=settings)


class Found(NamedTuple):
    types: list[str]
    cacheable: bool


def ask(
    world: World, client: bytes, key: TsigKey | None, name: str = "example.org", kind: str = "SOA"
) -> Found:
    """What a question with DO brings, and whether others may be given the same octets."""
    wire = dns.message.make_query(name, kind, want_dnssec=True, payload=2800).to_wire()
    if key is not None:
        wire, _ = tsig.sign(wire, key, NOW)
    response = world.send(wire, client=client)
    assert response is not None
    answer = parse_message(response.wire)
    types = [rrtype.to_text(rr.rrtype) for rr in (answer.answer or answer.authority)]
    return Found(types, bool(response.cacheable))


@pytest.mark.parametrize("name", ["example.org", "example.net", "EXAMPLE.org"])
@pytest.mark.parametrize("client", [NS2, ANYONE])
def test_a_secondary_that_signs_itself_gets_it_without(
    world: World, client: bytes, name: str
) -> None:
    """By its key, wherever it asks from: an address may be translated on its way."""
    assert ask(world, client, KEY, name).types == WITHOUT


def test_so_does_one_without_a_key_by_its_address_for_zones_it_lists(world: World) -> None:
    assert ask(world, NS3, None).types == WITHOUT
    assert ask(world, NS3, None, "example.net").types == WITH


def test_one_that_gets_the_zone_signed_keeps_it(world: World) -> None:
    assert ask(world, NS4, SIGNED).types == WITH


@pytest.mark.parametrize("client", [NS2, NS4, ANYONE])
def test_resolvers_get_it_signed_also_where_a_secondary_with_a_key_has_their_address(
    world: World, client: bytes
) -> None:
    assert ask(world, client, None).types == WITH


def test_an_answer_that_depends_on_the_address_is_kept_for_nobody(world: World) -> None:
    assert not ask(world, NS3, None).cacheable
    assert not ask(world, ANYONE, None).cacheable
    assert ask(world, NS3, None, "example.net").cacheable


def test_only_the_soa_of_a_zone_is_told_so(world: World) -> None:
    assert ask(world, NS3, None, kind="NS").types == ["NS", "RRSIG"]
    assert ask(world, NS3, None, kind="DNSKEY").types == ["DNSKEY", "RRSIG"]
    assert "RRSIG" in ask(world, NS3, None, "ns1.example.org").types
    assert "RRSIG" in ask(world, NS2, KEY, "missing.example.org").types
    assert ask(world, NS3, None, "missing.example.org").cacheable


def test_ixfr_over_udp_is_told_so_too(world: World) -> None:
    assert ask(world, NS2, KEY, kind="IXFR").types == WITHOUT
    assert ask(world, ANYONE, None, kind="IXFR").types == WITH


def test_where_secondaries_share_a_key_the_address_tells_which_it_is() -> None:
    rules = TransferAccess(
        (
            Grant(KEY.name, (ip_network("192.0.2.2"),), ("*",), software="powerdns-5.1"),
            Grant(
                KEY.name, (ip_network("192.0.2.4"),), ("*",), signed=True, software="powerdns-5.1"
            ),
        ),
        (),
    )
    apex = from_text("example.org.")
    assert rules.takes_unsigned(apex, NS2, KEY.name)
    assert not rules.takes_unsigned(apex, NS4, KEY.name)
    assert not rules.takes_unsigned(apex, ANYONE, KEY.name)
    assert rules.takes_unsigned(apex, bytes(10) + b"\xff\xff" + NS2, KEY.name)

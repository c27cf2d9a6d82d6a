"""What a validator says of signatures, for ``signed`` in expectations: RFC 4035 §5.3."""

from __future__ import annotations

from pathlib import Path

import dns.dnssec
import dns.message
import dns.name
import dns.rdatatype
import pytest

from lzc.dnssec import algorithms
from lzc.dnssec.key import SigningKey
from lzc.rehearse.validation import Validator
from lzc.wire.name import from_text, to_text
from tests.unit.answering import HEAD, NOW, World

TEXT = (
    HEAD
    + """\
$TTL 600
www A 192.0.2.1
*.wild A 192.0.2.2
over CNAME host.example.net.
sub NS ns.sub
ns.sub A 192.0.2.3
old DNAME www
"""
)
RRSIG = dns.rdatatype.RRSIG


def key(apex: str) -> SigningKey:
    return SigningKey.make(from_text(apex), 13, 257, algorithms.generate(13))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    zones = {"example.org.": TEXT, "example.net.": HEAD + "host A 192.0.2.4\n", "plain.": HEAD}
    keys = {apex: [key(apex)] for apex in ("example.org.", "example.net.")}
    return World(tmp_path_factory.mktemp("bundle"), zones, keys=keys)


def validator(world: World, now: float = NOW) -> Validator:
    def ask_keys(zone: bytes) -> bytes:
        return world.ask(to_text(zone), "DNSKEY", dnssec=True, tcp=True).to_wire()

    return Validator(ask_keys, now)


def tag(world: World, apex: str = "example.org.") -> int:
    return world.keys[from_text(apex)][0].tag


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        *[("www", "A"), ("www", "ANY"), ("x.wild", "A"), ("over", "A"), ("x.sub", "A")],
        *[("a.old", "A"), ("nothing", "A"), ("www", "MX"), ("@", "DNSKEY"), ("@", "SOA")],
    ],
)
def test_what_we_sign_holds(world: World, name: str, qtype: str) -> None:
    whole = "example.org" if name == "@" else f"{name}.example.org"
    answer = world.ask(whole, qtype, dnssec=True)
    assert any(rrset.rdtype == RRSIG for rrset in (*answer.answer, *answer.authority))
    assert validator(world).faults(answer.to_wire()) == ()


def test_an_rrset_without_signature_is_named(world: World) -> None:
    answer = world.ask("ns1.plain", dnssec=True)
    assert validator(world).faults(answer.to_wire()) == ("no RRSIG over ns1.plain. A",)


def test_a_changed_record_is_found(world: World) -> None:
    answer = world.ask("www.example.org", dnssec=True)
    text = answer.to_text().replace("A 192.0.2.1", "A 192.0.2.9")
    assert text != answer.to_text()
    forged = dns.message.from_text(text)
    by = f"by key {tag(world)} of example.org."
    expected = (f"the RRSIG over www.example.org. A {by} is wrong",)
    assert validator(world).faults(forged.to_wire()) == expected


def test_one_valid_signature_of_two_is_enough(world: World) -> None:
    answer = world.ask("www.example.org", dnssec=True)
    (made,) = next(rrset for rrset in answer.answer if rrset.rdtype == RRSIG)
    wrong = made.replace(signature=bytes(64))
    for rrset in answer.answer:
        if rrset.rdtype == RRSIG:
            rrset.add(wrong)
    assert validator(world).faults(answer.to_wire()) == ()


@pytest.mark.parametrize(
    ("later", "says"),
    [(10 * 365 * 86400, "expired 20"), (-10 * 365 * 86400, "does not hold before 20")],
)
def test_a_signature_of_another_time_is_told_with_its_end(
    world: World, later: int, says: str
) -> None:
    wire = world.ask("www.example.org", dnssec=True).to_wire()
    (fault,) = validator(world, NOW + later).faults(wire)
    assert says in fault


def test_a_key_that_is_not_published_is_told(world: World, tmp_path: Path) -> None:
    new = key("example.org.")
    while new.tag == tag(world):
        new = key("example.org.")
    other = World(tmp_path, {"example.org.": TEXT}, keys={"example.org.": [new]})
    wire = other.ask("www.example.org", dnssec=True).to_wire()
    (fault,) = validator(world).faults(wire)
    assert fault.endswith(f"by key {tag(other)} of example.org. fits no DNSKEY of the zone")


def test_keys_that_do_not_sign_themselves_prove_nothing(world: World) -> None:
    def ask_keys(zone: bytes) -> bytes:
        answer = world.ask(to_text(zone), "DNSKEY", dnssec=True)
        answer.answer = [rrset for rrset in answer.answer if rrset.rdtype != RRSIG]
        return answer.to_wire()

    for ask in (ask_keys, lambda _: None):
        (fault,) = Validator(ask, NOW).faults(world.ask("www.example.org", dnssec=True).to_wire())
        assert fault.endswith("has no DNSKEY RRset that is itself signed")


def test_another_zone_cannot_sign(world: World) -> None:
    """RFC 4035 §5.3.1: the signer is the zone that the RRset is in."""
    answer = world.ask("www.example.org", dnssec=True)
    foreign = world.ask("host.example.net", dnssec=True)
    (stolen,) = next(rrset for rrset in foreign.answer if rrset.rdtype == RRSIG)
    for rrset in answer.answer:
        if rrset.rdtype == RRSIG:
            rrset.items.clear()
            rrset.add(stolen)
    (fault,) = validator(world).faults(answer.to_wire())
    assert fault.endswith(
        f"by key {tag(world, 'example.net.')} of example.net. is not that of its zone"
    )

"""Whether answers are secure, for ``signed`` in expectations."""

from __future__ import annotations

from pathlib import Path

import dns.message
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

    return Validator(world.bundle, ask_keys, now)


def faults(
    judging: Validator, name: str, answer: dns.message.Message, qtype: str = "A"
) -> tuple[str, ...]:
    number = dns.rdatatype.from_text(qtype)
    return judging.faults(from_text(f"{name}."), number, answer.to_wire())


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
    assert faults(validator(world), whole, answer, qtype) == ()


def test_an_answer_of_an_unsigned_zone_is_insecure(world: World) -> None:
    answer = world.ask("ns1.plain", dnssec=True)
    why = "insecure: zone plain. is not signed"
    assert faults(validator(world), "ns1.plain", answer) == (why,)


def test_a_denial_without_proof_is_no_secure_one(world: World) -> None:
    """Until it was looked at, signatures over what was there were enough."""
    answer = world.ask("nothing.example.org", dnssec=True)
    nsec = dns.rdatatype.NSEC
    answer.authority = [
        rrset for rrset in answer.authority if nsec not in (rrset.rdtype, rrset.covers)
    ]
    (fault,) = faults(validator(world), "nothing.example.org", answer)
    assert fault.startswith("nothing shows that nothing.example.org. does not exist")


def test_one_valid_signature_of_two_is_enough(world: World) -> None:
    answer = world.ask("www.example.org", dnssec=True)
    (made,) = next(rrset for rrset in answer.answer if rrset.rdtype == RRSIG)
    wrong = made.replace(signature=bytes(64))
    for rrset in answer.answer:
        if rrset.rdtype == RRSIG:
            rrset.add(wrong)
    assert faults(validator(world), "www.example.org", answer) == ()


@pytest.mark.parametrize(
    ("later", "says"),
    [(10 * 365 * 86400, "expired 20"), (-10 * 365 * 86400, "is not valid before 20")],
)
def test_a_signature_of_another_time_is_told_with_its_end(
    world: World, later: int, says: str
) -> None:
    answer = world.ask("www.example.org", dnssec=True)
    assert says in faults(validator(world, NOW + later), "www.example.org", answer)[0]


def test_keys_that_the_bundle_does_not_have_are_not_trusted(world: World, tmp_path: Path) -> None:
    other = World(tmp_path, {"example.org.": TEXT}, keys={"example.org.": [key("example.org.")]})

    def ask_keys(zone: bytes) -> bytes:
        return other.ask(to_text(zone), "DNSKEY", dnssec=True, tcp=True).to_wire()

    judging = Validator(world.bundle, ask_keys, NOW)
    answer = other.ask("www.example.org", dnssec=True)
    (fault,) = faults(judging, "www.example.org", answer)
    assert fault.endswith("fits no key in the DNSKEY RRset of example.org.")


def test_a_zone_that_gives_no_keys_is_not_secure(world: World) -> None:
    judging = Validator(world.bundle, lambda _: None, NOW)
    answer = world.ask("www.example.org", dnssec=True)
    why = "no answer to example.org. DNSKEY: silence"
    assert faults(judging, "www.example.org", answer) == (why,)

"""What a validator says of answers: RFC 4035 §5, RFC 6672 §5.3, RFC 6840 §4."""

from __future__ import annotations

from collections.abc import Callable

import dns.flags
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from dns.rdatatype import NSEC, RRSIG, SOA

from lzc.dnssec.signing.denial import Denial, Way, label
from lzc.dnssec.validation.signature_check import SignatureCheck, ZoneKeys
from lzc.dnssec.validation.trust import chain, ds_of_rdata
from lzc.dnssec.validation.verifier import State, Verdict, Verifier
from lzc.wire.name import from_text
from tests.unit.answer.test_dnssec import CHILD, NAMES, NET, ORG, TYPES, csk
from tests.unit.answering import HEAD, NOW, World

SIGNED = ("example.org.", "example.net.", "child.example.org.")
Change = Callable[[dns.message.Message], None]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    zones = {"example.org.": ORG, "example.net.": NET, "child.example.org.": CHILD, "plain.": HEAD}
    return World(
        tmp_path_factory.mktemp("bundle"), zones, keys={name: [csk(name)] for name in SIGNED}
    )


def keys_of(world: World, name: str, check: SignatureCheck) -> ZoneKeys:
    apex = dns.name.from_text(name)
    wire = world.ask(name, "DNSKEY", dnssec=True, tcp=True).to_wire()
    found = chain(
        apex,
        wire,
        [ds_of_rdata(apex, key.dnskey) for key in world.keys[apex.to_digestable()]],
        check,
    )
    assert found.problems == ()
    assert found.keys is not None
    return found.keys


@pytest.fixture(scope="module")
def verifier(world: World) -> Verifier:
    check = SignatureCheck(NOW)
    zones: dict[dns.name.Name, ZoneKeys | None] = {
        dns.name.from_text(name): keys_of(world, name, check) for name in SIGNED
    }
    zones[dns.name.from_text("plain.")] = None
    return Verifier(zones, check)


def judge(
    world: World, verifier: Verifier, name: str, qtype: str = "A", change: Change | None = None
) -> Verdict:
    """The verdict on the answer about a name in example.org, after a change of it."""
    qname = "example.org" if name == "@" else f"{name}.example.org"
    answer = world.ask(qname, qtype, dnssec=True, tcp=True)
    if change is not None:
        before = answer.to_text()
        change(answer)
        assert answer.to_text() != before
    wire = answer.to_wire(max_size=65535)
    return verifier.judge(dns.name.from_text(qname), dns.rdatatype.from_text(qtype), wire)


@pytest.mark.parametrize("name", NAMES)
def test_what_we_answer_is_secure(world: World, verifier: Verifier, name: str) -> None:
    for qtype in (*TYPES, "ANY"):
        if (name, qtype) != ("@", "DS"):
            assert judge(world, verifier, name, qtype).reasons == ()


def test_the_ds_of_a_zone_is_for_the_zone_above_to_deny(world: World, verifier: Verifier) -> None:
    verdict = judge(world, verifier, "@", "DS")
    why = "there is no trust anchor for the zone above example.org."
    assert verdict[:2] == (State.INSECURE, (why,))


def test_an_answer_of_an_unsigned_zone_is_insecure(world: World, verifier: Verifier) -> None:
    wire = world.ask("ns1.plain", dnssec=True).to_wire()
    verdict = verifier.judge(dns.name.from_text("ns1.plain"), 1, wire)
    assert verdict[:2] == (State.INSECURE, ("zone plain. is not signed",))


def test_a_name_that_nobody_vouches_for_is_insecure(world: World) -> None:
    wire = world.ask("ns1.plain", dnssec=True).to_wire()
    verdict = Verifier({}, SignatureCheck(NOW)).judge(dns.name.from_text("ns1.plain"), 1, wire)
    assert verdict[:2] == (State.INSECURE, ("there is no trust anchor for ns1.plain.",))


def test_an_answer_tells_when_its_first_signature_expires(world: World, verifier: Verifier) -> None:
    (made,) = [
        rrset for rrset in world.ask("www.example.org", dnssec=True).answer if rrset.rdtype == RRSIG
    ]
    assert judge(world, verifier, "www").until == made[0].expiration


# What is changed in an answer


def without(*types: int, owner: str = "") -> Change:
    """Drop the RRsets of types, with their RRSIGs, at one owner in example.org or at all."""

    def change(answer: dns.message.Message) -> None:
        for section in (answer.answer, answer.authority):
            section[:] = [
                rrset
                for rrset in section
                if not (
                    {rrset.rdtype, rrset.covers} & set(types)
                    and owner in ("", rrset.name.to_text())
                )
            ]

    return change


def without_signature(answer: dns.message.Message) -> None:
    for section in (answer.answer, answer.authority):
        section[:] = [rrset for rrset in section if rrset.rdtype != RRSIG]


def with_other_address(answer: dns.message.Message) -> None:
    answer.answer[0].items.clear()
    answer.answer[0].add(dns.rdata.from_text("IN", "A", "192.0.2.99"))


def with_ttl(ttl: int) -> Change:
    def change(answer: dns.message.Message) -> None:
        for rrset in answer.answer:
            rrset.ttl = ttl

    return change


def with_ttl_of_signature(answer: dns.message.Message) -> None:
    next(rrset for rrset in answer.answer if rrset.rdtype == RRSIG).ttl = 1


def with_signature(**fields: object) -> Change:
    """Other fields in the RRSIGs."""

    def change(answer: dns.message.Message) -> None:
        for rrset in answer.answer:
            if rrset.rdtype == RRSIG:
                made = rrset[0].replace(**fields)
                rrset.items.clear()
                rrset.add(made)

    return change


def with_rcode(rcode: int) -> Change:
    def change(answer: dns.message.Message) -> None:
        answer.flags = dns.flags.Flag(answer.flags & 0xFFF0 | rcode)

    return change


def swapped(world: World, name: str, qtype: str = "A") -> Change:
    """The authority section, and RCODE, of another answer."""

    def change(answer: dns.message.Message) -> None:
        other = world.ask(f"{name}.example.org", qtype, dnssec=True, tcp=True)
        answer.authority[:] = other.authority
        answer.answer.clear()
        answer.flags = other.flags

    return change


def with_other_alias(answer: dns.message.Message) -> None:
    alias = next(rrset for rrset in answer.answer if rrset.rdtype == dns.rdatatype.CNAME)
    alias.items.clear()
    alias.add(dns.rdata.from_text("IN", "CNAME", "www.example.org."))


@pytest.mark.parametrize(
    ("name", "qtype", "change", "says"),
    [
        ("www", "A", without_signature, "no RRSIG over www.example.org. A"),
        ("www", "A", with_other_address, "is wrong: it is not over these octets"),
        ("www", "A", with_ttl(601), "is over TTL 600, and the TTL is 601"),
        ("www", "A", with_ttl_of_signature, "www.example.org. A has TTL 600, and its RRSIG TTL 1"),
        ("www", "A", with_signature(labels=4), "is over a name of 4 labels, and this has 3"),
        ("www", "A", with_signature(expiration=int(NOW) - 1), "expired 2027-01-15T07:59:59Z"),
        (
            "www",
            "A",
            with_signature(inception=int(NOW) + 1),
            "is not valid before 2027-01-15T08:00:01Z",
        ),
        ("www", "A", with_signature(expiration=int(NOW) - 9 * 10**7), "before it begins"),
        ("www", "A", with_signature(algorithm=13), "is by a key that is not in the DNSKEY RRset"),
        (
            "www",
            "A",
            with_signature(signer=dns.name.from_text("example.net.")),
            "has signer example.net., and the zone is example.org.",
        ),
        ("www", "A", with_rcode(2), "answered SERVFAIL"),
        (
            "x.wild",
            "A",
            without(NSEC),
            "comes from *.wild.example.org., and nothing shows that x.wild.example.org. does not",
        ),
        ("nx", "A", without(NSEC), "nothing shows that nx.example.org. does not exist"),
        ("nx", "A", without(SOA), "no data for nx.example.org. A, and no SOA beside that"),
        ("www", "MX", without(NSEC), "nothing shows that www.example.org. has no MX"),
        ("www", "A", with_rcode(3), "NXDOMAIN, and the answer has data of www.example.org."),
        ("c1", "A", with_rcode(3), "NXDOMAIN, and the answer has data of www.example.org."),
        ("nx", "A", with_rcode(0), "no NSEC shows that *.example.org. exists and has no A"),
        (
            "www",
            "MX",
            with_rcode(3),
            "NXDOMAIN, and the NSEC of www.example.org. says that the name exists",
        ),
        ("ent", "A", with_rcode(3), "says that a.b.ent.example.org. exists below"),
        ("x.sub", "A", without(NSEC), "nothing shows that sub.example.org. has no DS"),
        (
            "a.old",
            "A",
            with_other_alias,
            "a.old.example.org. CNAME is not what old.example.org. DNAME makes",
        ),
    ],
)
def test_what_is_wrong_is_told(
    world: World, verifier: Verifier, name: str, qtype: str, change: Change, says: str
) -> None:
    verdict = judge(world, verifier, name, qtype, change)
    assert verdict.state is State.BOGUS
    assert says in "\n".join(verdict.reasons)


@pytest.mark.parametrize(
    ("name", "qtype", "of", "says"),
    [
        (
            "www",
            "A",
            ("www", "MX"),
            "the NSEC of www.example.org. lists A, and the answer has none",
        ),
        ("c1", "MX", ("www", "MX"), "no NSEC shows that c1.example.org. has no MX"),
        ("c1", "MX", ("c1", "NSEC"), "c1.example.org."),
        ("nx", "A", ("zzz", "A"), "no NSEC covers nx.example.org."),
        ("child", "DS", ("www", "MX"), "no NSEC shows that child.example.org. has no DS"),
        ("x.wild", "MX", ("nx", "A"), "no NSEC covers x.wild.example.org."),
    ],
)
def test_another_proof_proves_nothing(
    world: World, verifier: Verifier, name: str, qtype: str, of: tuple[str, str], says: str
) -> None:
    verdict = judge(world, verifier, name, qtype, swapped(world, *of))
    assert verdict.state is State.BOGUS
    assert says in "\n".join(verdict.reasons)


def test_a_wildcard_may_make_a_name_with_an_asterisk(world: World, verifier: Verifier) -> None:
    """As servers have it that sign beforehand (RFC 4035 §5.3.2)."""
    made = world.ask("x.y.wild.example.org", "TXT", dnssec=True, tcp=True)
    name = dns.name.from_text("*.y.wild.example.org")

    def as_made(says: str) -> Change:
        def change(answer: dns.message.Message) -> None:
            answer.answer.clear()
            for rrset in made.answer:
                rdata = rrset[0]
                if rrset.rdtype != RRSIG:
                    rdata = dns.rdata.from_text("IN", "TXT", f'"{says}"')
                answer.answer.append(dns.rrset.from_rdata(name, rrset.ttl, rdata))

        return change

    text = made.answer[0][0].strings[0].decode()
    assert judge(world, verifier, "*.y.wild", "TXT", as_made(text)).state is State.SECURE
    assert judge(world, verifier, "*.y.wild", "TXT", as_made("other")).state is State.BOGUS


def test_the_soa_of_another_zone_is_none(world: World, verifier: Verifier) -> None:
    def change(answer: dns.message.Message) -> None:
        left = [one for one in answer.authority if SOA not in (one.rdtype, one.covers)]
        answer.authority[:] = left + world.ask("example.net", "SOA", dnssec=True).answer

    verdict = judge(world, verifier, "nx", "A", change)
    assert verdict.reasons == ("no data for nx.example.org. A, and no SOA beside that",)


def test_an_nsec_that_a_wildcard_made_denies_nothing(world: World, verifier: Verifier) -> None:
    """It is an answer to a question for NSEC, which somebody kept: it holds at each name below."""
    made = world.ask("x.wild.example.org", "NSEC", dnssec=True).answer

    def change(answer: dns.message.Message) -> None:
        answer.authority[:] = [one for one in answer.authority if SOA in (one.rdtype, one.covers)]
        answer.authority += made

    verdict = judge(world, verifier, "x.wild", "MX", change)
    assert verdict.state is State.BOGUS
    told = "x.wild.example.org. NSEC comes from a wildcard, and denies nothing"
    assert verdict.reasons[0] == told


@pytest.mark.parametrize(
    ("owner", "flags", "says"),
    [
        ("{}.www.example.org.", 0, "is no hash"),
        ("{}.example.org.", 2, "has flags that are unknown: validators ignore it"),
    ],
)
def test_an_nsec3_that_validators_ignore_denies_nothing(
    world: World, verifier: Verifier, owner: str, flags: int, says: str
) -> None:
    """Though it is signed: RFC 5155 §8.2, and its owner is not one of the chain."""
    apex = from_text("example.org.")
    hashed = label(Denial(Way.NSEC3).hash(from_text("www.example.org.")))[1:].decode()
    name = dns.name.from_text(owner.format(hashed))
    rdata = dns.rdata.from_text("IN", "NSEC3", f"1 {flags} 0 - {hashed} A RRSIG")
    made = world.signers[apex].sign(name.to_digestable(), 50, 300, [rdata.to_digestable()], NOW)
    rrsig = dns.rdata.from_wire("IN", "RRSIG", made[0], 0, len(made[0]))

    def change(answer: dns.message.Message) -> None:
        answer.authority[:] = [one for one in answer.authority if SOA in (one.rdtype, one.covers)]
        answer.authority += [
            dns.rrset.from_rdata(name, 300, rdata),
            dns.rrset.from_rdata(name, 300, rrsig),
        ]

    verdict = judge(world, verifier, "www", "MX", change)
    assert verdict.state is State.BOGUS
    assert says in verdict.reasons[0]


def test_the_nsec_of_a_delegation_denies_no_name_below(world: World, verifier: Verifier) -> None:
    """RFC 6840 §4.1: the gap after the delegation holds names of the child."""
    cut = world.ask("sub.example.org", "DS", dnssec=True)

    def change(answer: dns.message.Message) -> None:
        answer.authority[:] = cut.authority
        answer.flags = dns.flags.Flag(answer.flags | 3)

    verdict = judge(world, verifier, "x.sub", "A", change)
    (problem,) = verdict.reasons
    assert problem.startswith("no NSEC covers x.sub.example.org.")
    assert "is that of a delegation, which says nothing of names below" in problem


def test_the_nsec_of_a_delegation_denies_ds_alone(world: World, verifier: Verifier) -> None:
    cut = world.ask("sub.example.org", "DS", dnssec=True)

    def change(answer: dns.message.Message) -> None:
        answer.authority[:] = cut.authority

    (problem,) = judge(world, verifier, "sub", "A", change).reasons
    assert problem.endswith("is that of a delegation, which denies nothing but DS")


def test_a_child_cannot_deny_its_ds(world: World, verifier: Verifier) -> None:
    child = world.ask("child.example.org", "MX", dnssec=True)
    child.question = world.ask("child.example.org", "DS", dnssec=True).question
    qname = dns.name.from_text("child.example.org")
    verdict = verifier.judge(qname, dns.rdatatype.DS, child.to_wire())
    assert verdict.state is State.BOGUS


def test_each_algorithm_of_the_dnskey_rrset_has_to_sign(
    world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """RFC 4035 §2.2."""
    name, apex = "example.org.", dns.name.from_text("example.org.")
    keys = {name: [csk(name, 13), csk(name, 15)]}
    both = World(tmp_path_factory.mktemp("both"), {name: ORG}, keys=keys)
    check = SignatureCheck(NOW)
    judging = Verifier({apex: keys_of(both, name, check)}, check)
    assert judge(both, judging, "www").state is State.SECURE

    def change(answer: dns.message.Message) -> None:
        for rrset in answer.answer:
            if rrset.rdtype == RRSIG:
                rrset.items = {one: None for one in rrset if one.algorithm != 15}

    (problem,) = judge(both, judging, "www", "A", change).reasons
    assert problem == (
        "no RRSIG over www.example.org. A of algorithm ED25519, which the DNSKEY RRset of"
        " example.org. has"
    )


# From the DS to the keys


def answer_of_keys(world: World) -> dns.message.Message:
    return world.ask("example.org", "DNSKEY", dnssec=True, tcp=True)


def problems_of_chain(world: World, answer: dns.message.Message | None, keys: list[bytes]) -> str:
    apex = dns.name.from_text("example.org.")
    wire = None if answer is None else answer.to_wire()
    anchors = [ds_of_rdata(apex, key) for key in keys]
    found = chain(apex, wire, anchors, SignatureCheck(NOW))
    assert found.keys is None
    return "\n".join(found.problems)


def test_a_ds_of_another_key_leads_nowhere(world: World) -> None:
    other = csk("example.org.")
    said = problems_of_chain(world, answer_of_keys(world), [other.dnskey])
    assert said == (
        f"the DS of key {other.tag} (ED25519) fits no key in the DNSKEY RRset of example.org."
    )


def test_keys_that_are_not_signed_are_told(world: World) -> None:
    answer = answer_of_keys(world)
    without_signature(answer)
    own = [key.dnskey for key in world.keys[b"\7example\3org\0"]]
    assert "no RRSIG over example.org. DNSKEY" in problems_of_chain(world, answer, own)


def test_a_zone_without_keys_under_a_ds_is_told(world: World) -> None:
    own = [key.dnskey for key in world.keys[b"\7example\3org\0"]]
    said = problems_of_chain(world, None, own)
    assert said == "there is no example.org. DNSKEY, and there is a DS"


def test_a_key_with_a_ds_that_does_not_sign_is_told(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    apex = dns.name.from_text("example.org.")
    first, second = csk("example.org."), csk("example.org.")
    both = World(
        tmp_path_factory.mktemp("two"),
        {"example.org.": ORG},
        keys={"example.org.": [first, second]},
    )
    answer = answer_of_keys(both)
    for rrset in answer.answer:
        if rrset.rdtype == RRSIG:
            rrset.items = {one: None for one in rrset if one.key_tag != second.tag}
    found = chain(apex, answer.to_wire(), [ds_of_rdata(apex, second.dnskey)], SignatureCheck(NOW))
    assert found.problems == (
        f"the DS of key {second.tag} (ED25519) names a key of example.org. that does not sign the"
        " DNSKEY RRset",
    )

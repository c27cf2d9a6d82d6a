"""Every way of denial proves what it says: RFC 5155 §8 and RFC 9824, judged by dnspython's hashes
and signatures, for one zone with all that is difficult and for zones made at random."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import dns.dnssec
import dns.flags
import dns.name
import dns.rdatatype
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.answer.denial.compact import successor
from lzc.dnssec.signing.denial import Denial, Way
from lzc.wire import edns
from lzc.wire import name as wire_name
from tests.unit.answer.test_dnssec import CHILD, NAMES, NET, ORG, TYPES, csk
from tests.unit.answer_validator import (
    Bogus,
    CompactValidator,
    HashedValidator,
    Validator,
    denies_existence,
)
from tests.unit.answering import HEAD, World, lines, rcode

DENIALS = (
    Denial(),
    Denial(Way.NSEC3),
    Denial(Way.NSEC3, 2, b"salt"),
    Denial(Way.NSEC3, opt_out=True),
    Denial(Way.NARROW),
    Denial(Way.NARROW, salt=b"\xaa", opt_out=True),
    Denial(Way.COMPACT),
)
ZONES = {"example.org.": ORG, "example.net.": NET, "child.example.org.": CHILD}
KEYS = {name: [csk(name)] for name in ZONES}


class Served(NamedTuple):
    """Zones with one way of denial, and who judges it."""

    denial: Denial
    world: World
    validator: Validator


def served(folder: Path, denial: Denial, zones: dict[str, str]) -> Served:
    world = World(folder, zones, keys={name: KEYS[name] for name in zones}, denial=denial)
    keys = {}
    for zone in zones:
        keys[dns.name.from_text(zone)] = world.ask(zone, "DNSKEY", dnssec=True).answer[0]
    kind = HashedValidator if denial.is_hashed else Validator
    kind = CompactValidator if denial.way is Way.COMPACT else kind
    return Served(denial, world, kind(keys))


@pytest.fixture(scope="module", params=DENIALS, ids=str)
def one(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Served:
    return served(tmp_path_factory.mktemp("bundle"), request.param, ZONES)


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_secure(one: Served, name: str) -> None:
    qname = "example.org" if name == "@" else f"{name}.example.org"
    world = one.world
    for qtype in (*TYPES, "NSEC3", "NSEC3PARAM", "ANY"):
        for tcp in (False, True):
            answer = world.ask(qname, qtype, dnssec=True, tcp=tcp, compact_ok=tcp)
            assert rcode(answer) in ("NOERROR", "NXDOMAIN")
            one.validator.judge(answer)
    assert world.failures == []


@pytest.mark.parametrize("name", NAMES)
def test_answers_without_proofs_are_the_same_in_every_way(one: Served, name: str) -> None:
    """And with them, but for the RCODE of compact denial, and for what is asked for by its type."""
    qname = "example.org" if name == "@" else f"{name}.example.org"
    for qtype in TYPES:
        plain = one.world.ask(qname, qtype, tcp=True)
        assert not {rr.rdtype.name for rr in plain.authority} & {"NSEC", "NSEC3", "RRSIG"}
        signed = one.world.ask(qname, qtype, dnssec=True, tcp=True, compact_ok=True)
        if qtype != "NSEC":
            assert lines(plain.answer) == lines(signed.answer)
            assert rcode(plain) == rcode(signed)


@pytest.mark.parametrize("name", ["nx.www", "x.wild", "q.ent2", "q.b.ent", "x.sub", "child0"])
def test_the_judge_needs_every_record_of_a_proof(one: Served, name: str) -> None:
    if one.denial.opt_out and name in ("x.wild", "q.ent2"):
        return  # without one of them, it is not secure, and not bogus
    proofs = (dns.rdatatype.NSEC, dns.rdatatype.NSEC3)
    for qtype in ("A", "MX"):
        answer = one.world.ask(f"{name}.example.org", qtype, dnssec=True)
        for rrset in [rrset for rrset in answer.authority if rrset.rdtype in proofs]:
            fewer = one.world.ask(f"{name}.example.org", qtype, dnssec=True)
            fewer.authority = [other for other in fewer.authority if other.name != rrset.name]
            if rrset.name == dns.name.from_text("example.org"):
                continue  # the SOA went with it
            with pytest.raises(Bogus):
                one.validator.judge(fewer)


LABELS = ("a", "b", "c", "*")
KINDS = {
    "a": "A 192.0.2.1",
    "txt": 'TXT "t"',
    "cname": "CNAME a",
    "ns": "NS ns.elsewhere.example.",
    "ds": "NS ns.elsewhere.example.\n{name} DS 1 13 2 " + "00" * 32,
    "dname": "DNAME elsewhere.example.",
    "lua": 'LUA A "empty"',
    "luas": 'LUA TXT "word"',
}
names = st.lists(st.sampled_from(LABELS), min_size=1, max_size=4).map(".".join)
zones = st.dictionaries(names, st.sampled_from(sorted(KINDS)), max_size=14)


def text_of(zone: dict[str, str]) -> str:
    """RFC 4592 §4.2 and §4.4 leave open what delegations and DNAMEs at wildcards mean."""
    found = [HEAD, "$TTL 600\n"]
    for name, kind in zone.items():
        chosen = "a" if "*" in name and kind in ("ns", "ds", "dname") else kind
        found.append(f"{name} {KINDS[chosen].format(name=name)}\n")
    return "".join(found)


@pytest.mark.parametrize("denial", DENIALS, ids=str)
def test_one_record_that_covers_the_name_and_is_of_its_wildcard_lists_what_there_is(
    tmp_path: Path, denial: Denial
) -> None:
    """Here the hash of the name comes right behind that of the wildcard, whose code gives
    nothing."""
    found = served(tmp_path, denial, {"example.org.": f'{HEAD}* 60 LUA A "empty"\n'})
    for letter in "abcdefghijklmnopqrstuvwxyz":
        found.validator.judge(found.world.ask(f"{letter}.example.org", dnssec=True))


@pytest.mark.difference("D-55")
def test_a_name_that_opt_out_leaves_out_is_no_work_of_a_wildcard(tmp_path: Path) -> None:
    """A proof that its NSEC3 is left out, and that of the wildcard in one are bogus; this is what
    PowerDNS sends."""
    text = f"{HEAD}$TTL 60\n* A 192.0.2.1\n"
    text += "".join(f"cut.{letter} NS ns.elsewhere.\n" for letter in "abcdefghijklmnop")
    found = served(tmp_path, Denial(Way.NSEC3, opt_out=True), {"example.org.": text})
    proofs = set()
    for letter in "abcdefghijklmnop":
        answer = found.world.ask(f"{letter}.example.org", dnssec=True)
        found.validator.judge(answer)
        proofs.add(len([rrset for rrset in answer.authority if rrset.rdtype == 50]))
    assert proofs == {1, 2}


@given(zone=zones, asked=st.lists(names, min_size=5, max_size=25, unique=True))
@settings(max_examples=25)
def test_zones_made_at_random_prove_what_they_say(
    tmp_path_factory: pytest.TempPathFactory, zone: dict[str, str], asked: list[str]
) -> None:
    text = text_of(zone)
    # What a wildcard makes for a name that begins with an asterisk dnspython does not validate.
    asked = [name for name in asked if name in zone or not name.startswith("*")]
    for denial in DENIALS:
        found = served(tmp_path_factory.mktemp("zone"), denial, {"example.org.": text})
        world = found.world
        with world.bundle:
            for name in asked:
                for qtype in ("A", "TXT", "DS"):
                    answer = world.ask(f"{name}.example.org", qtype, dnssec=True)
                    found.validator.judge(answer)
                    plain = world.ask(f"{name}.example.org", qtype)
                    assert lines(plain.answer) == lines(answer.answer)
                    if denial.way is not Way.COMPACT:
                        assert rcode(plain) == rcode(answer)
                        continue
                    last = last_of(answer)
                    assert denies_existence(answer, last) == (rcode(plain) == "NXDOMAIN")
                    assert rcode(answer) == "NOERROR"
        assert world.failures == []


def last_of(answer: dns.message.Message) -> dns.name.Name:
    """Where the aliases of an answer lead."""
    name = answer.question[0].name
    targets = {rrset.name: rrset[0].target for rrset in answer.answer if rrset.rdtype == 5}
    seen = set()
    while name in targets and name not in seen:
        seen.add(name)
        name = targets[name]
    return name


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> World:
    return served(tmp_path_factory.mktemp("compact"), Denial(Way.COMPACT), ZONES).world


def nsec_of(answer: dns.message.Message) -> list[str]:
    section = [*answer.answer, *answer.authority]
    return [line for line in lines(section) if " NSEC " in line]


class TestCompact:
    """RFC 9824."""

    def test_a_name_that_does_not_exist_has_nothing_but_nxname(self, compact: World) -> None:
        answer = compact.ask("NX.example.org", dnssec=True)
        assert rcode(answer) == "NOERROR"
        assert not answer.ednsflags & edns.CO
        assert nsec_of(answer) == [
            "nx.example.org. 300 NSEC \\000.nx.example.org. RRSIG NSEC NXNAME"
        ]

    def test_who_says_so_gets_nxdomain(self, compact: World) -> None:
        answer = compact.ask("nx.example.org", dnssec=True, compact_ok=True)
        assert rcode(answer) == "NXDOMAIN"
        assert answer.ednsflags & edns.CO
        assert len(nsec_of(answer)) == 1

    def test_who_asks_for_no_signatures_gets_nxdomain(self, compact: World) -> None:
        for compact_ok in (False, True):
            answer = compact.ask("nx.example.org", compact_ok=compact_ok)
            assert rcode(answer) == "NXDOMAIN"
            assert nsec_of(answer) == []

    def test_the_bit_is_repeated_with_what_exists(self, compact: World) -> None:
        for name in ("www", "x.wild", "sub"):
            answer = compact.ask(f"{name}.example.org", dnssec=True, compact_ok=True)
            assert answer.ednsflags & edns.CO and answer.ednsflags & dns.flags.DO

    @pytest.mark.parametrize("dnssec", [False, True])
    def test_nothing_can_be_asked_for_by_the_type_nxname(
        self, compact: World, dnssec: bool
    ) -> None:
        assert rcode(compact.ask("nx.example.org", "TYPE128", dnssec=dnssec)) == "FORMERR"

    def test_an_empty_non_terminal_exists(self, compact: World) -> None:
        answer = compact.ask("b.ent.example.org", dnssec=True, compact_ok=True)
        assert rcode(answer) == "NOERROR"
        assert nsec_of(answer) == [
            "b.ent.example.org. 300 NSEC \\000.b.ent.example.org. RRSIG NSEC"
        ]

    def test_a_name_lists_what_it_has(self, compact: World) -> None:
        answer = compact.ask("www.example.org", "MX", dnssec=True)
        assert nsec_of(answer) == [
            "www.example.org. 300 NSEC \\000.www.example.org. A TXT RRSIG NSEC"
        ]

    def test_what_a_wildcard_makes_is_signed_as_if_it_were_there(self, compact: World) -> None:
        answer = compact.ask("y.x.wild.example.org", dnssec=True)
        signature = next(rrset for rrset in answer.answer if rrset.rdtype == 46)
        assert signature[0].labels == 5
        assert not answer.authority

    def test_what_a_wildcard_has_not_is_denied_at_the_name(self, compact: World) -> None:
        answer = compact.ask("y.x.wild.example.org", "MX", dnssec=True)
        assert nsec_of(answer) == [
            "y.x.wild.example.org. 300 NSEC \\000.y.x.wild.example.org. A TXT RRSIG NSEC"
        ]

    def test_a_delegation_without_ds_says_so_of_itself(self, compact: World) -> None:
        answer = compact.ask("x.sub.example.org", dnssec=True)
        assert nsec_of(answer) == ["sub.example.org. 300 NSEC \\000.sub.example.org. NS RRSIG NSEC"]

    def test_no_answer_has_more_than_one(self, compact: World) -> None:
        for name in NAMES:
            qname = "example.org" if name == "@" else f"{name}.example.org"
            for qtype in TYPES:
                assert len(nsec_of(compact.ask(qname, qtype, dnssec=True, tcp=True))) <= 1

    def test_the_nsec_of_a_missing_name_can_be_asked_for(self, compact: World) -> None:
        """It says that it is there."""
        answer = compact.ask("nx.example.org", "NSEC", dnssec=True)
        assert rcode(answer) == "NOERROR"
        assert len(answer.answer) == 2 and not answer.authority

    def test_a_name_of_the_greatest_length_has_one_behind_it(self, compact: World) -> None:
        longest = ".".join(["l" * 63, "m" * 63, "n" * 63, "k" * 49])
        for name in (longest, longest[1:], longest[2:]):
            answer = compact.ask(f"{name}.example.org", dnssec=True)
            assert rcode(answer) == "NOERROR"
            (nsec,) = [rrset for rrset in answer.authority if rrset.rdtype == 47]
            assert nsec.name < nsec[0].next


APEX = wire_name.from_text("t.")
octets = st.binary(min_size=1, max_size=63)


def fits(labels: list[bytes]) -> bool:
    return len(wire_name.from_labels(labels)) + len(APEX) - 1 <= wire_name.MAX_NAME


long_labels = st.sampled_from([b"\xff" * 63, b"\xff" * 62, b"z" * 63, b"@" * 63, b"a" * 60])


@given(st.lists(octets | long_labels, max_size=5).filter(fits))
def test_the_successor_is_the_next_name_there_is(labels: list[bytes]) -> None:
    """RFC 4471 §3.1.2; canonical order is dnspython's (RFC 4034 §6.1)."""
    name = (wire_name.from_labels(labels)[:-1] + APEX).lower()
    made = successor(name, APEX)
    before, after = (dns.name.from_wire(one, 0)[0] for one in (name, made))
    assert made == made.lower() and wire_name.is_subdomain(made, APEX)
    if made == APEX:
        assert all(label == b"\xff" * len(label) for label in wire_name.labels_of(name)[:-1])
        return
    assert before < after
    assert len(name) + 2 > wire_name.MAX_NAME or made == b"\1\0" + name
    if made != b"\1\0" + name:
        # Nothing that would fit is in between: neither below the name, nor a longer first label.
        first = wire_name.labels_of(name)[0]
        longer = wire_name.from_labels([first + b"\0", *wire_name.labels_of(name)[1:]])
        if len(first) < 63 and len(longer) <= wire_name.MAX_NAME:
            assert made == longer

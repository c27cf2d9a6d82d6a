"""Signed answers: RFC 4035 §3.1, RFC 4592 §4, RFC 6840, RFC 9077."""

import itertools
from pathlib import Path

import dns.dnssec
import dns.flags
import dns.name
import pytest

from lzc.answer.settings import ResponderSettings
from lzc.dnssec import algorithms
from lzc.dnssec.key import SigningKey
from lzc.wire.name import from_text
from tests.unit.answer_validator import Validator
from tests.unit.answering import HEAD, World, lines, rcode

ORG = (
    HEAD
    + """\
$TTL 600
www A 192.0.2.1
www TXT "two"
@ MX 10 www
a.b.ent A 192.0.2.3
*.wild A 192.0.2.4
*.wild LUA TXT "qname"
exact.wild TXT "here"
*.alias CNAME www
deep.*.ent2 TXT "the wildcard is an ENT"
z.ent2 TXT "z"
c1 CNAME c2
c2 CNAME www
dead CNAME nowhere
wdead CNAME nothere.wild
over CNAME host.example.net.
overdead CNAME nohost.example.net.
intosub CNAME x.sub
intosec CNAME x.sec
sub NS ns.sub
sub NS ns1
ns.sub A 192.0.2.60
zz.ns.sub A 192.0.2.61
n.e.t.sub A 192.0.2.62
sec NS ns1
sec DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
child NS ns1
child DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
old DNAME new
a.new A 192.0.2.70
below.old TXT "occluded"
lua LUA A "192.0.2.71 192.0.2.72"
luanone LUA A "empty"
luanone LUA TXT "word"
luacname LUA CNAME "www.example.org."
luacempty LUA CNAME "empty"
x.luaent LUA A "192.0.2.73"
config LUA LUA "192.0.2.74"
\\000.low A 192.0.2.75
UPPER A 192.0.2.76
"""
)
NET = HEAD + "host A 192.0.2.80\n"
CHILD = "@ 60 SOA ns.example.org. h 1 1 1 1 900\n@ 60 NS ns1.example.org.\nw 60 A 192.0.2.90\n"

NAMES = [
    r"@",
    r"www",
    r"nx",
    r"x.www",
    r"ent",
    r"b.ent",
    r"a.b.ent",
    r"q.b.ent",
    r"q.ent",
    r"wild",
    r"x.wild",
    r"y.x.wild",
    r"*.wild",
    r"exact.wild",
    r"q.exact.wild",
    r"x.alias",
    r"alias",
    r"x.ent2",
    r"*.ent2",
    r"q.x.ent2",
    r"deep.*.ent2",
    r"z.ent2",
    r"zz.ent2",
    r"c1",
    r"c2",
    r"dead",
    r"wdead",
    r"over",
    r"overdead",
    r"intosub",
    r"intosec",
    r"sub",
    r"x.sub",
    r"ns.sub",
    r"zz.ns.sub",
    r"suc",
    r"sua",
    r"suba",
    r"sec",
    r"x.sec",
    r"child",
    r"w.child",
    r"nx.child",
    r"old",
    r"a.old",
    r"q.old",
    r"below.old",
    r"olc",
    r"new",
    r"a.new",
    r"lua",
    r"luanone",
    r"luacname",
    r"luacempty",
    r"x.luaent",
    r"luaent",
    r"config",
    r"\000.low",
    r"low",
    r"\000.\000.low",
    r"q.low",
    r"UPPER",
    r"zzz",
    r"0",
    r"zz.zz.zz.zz",
    r"*.nx",
    r"*",
    r"*.www",
    r"child0",
    r"\255",
]
TYPES = [
    "A",
    "AAAA",
    "TXT",
    "DS",
    "CNAME",
    "MX",
    "NS",
    "SOA",
    "DNSKEY",
    "NSEC",
    "DNAME",
    "TYPE65402",
]


def csk(zone: str, algorithm: int = 15) -> SigningKey:
    return SigningKey.make(from_text(zone), algorithm, 257, algorithms.generate(algorithm))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bundle")
    zones = {"example.org.": ORG, "example.net.": NET, "child.example.org.": CHILD}
    return World(folder, zones, keys={name: [csk(name)] for name in zones})


@pytest.fixture(scope="module")
def validator(world: World) -> Validator:
    keys = {}
    for zone in ("example.org.", "example.net.", "child.example.org."):
        keys[dns.name.from_text(zone)] = world.ask(zone, "DNSKEY", dnssec=True).answer[0]
    return Validator(keys)


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_is_secure(world: World, validator: Validator, name: str) -> None:
    qname = "example.org" if name == "@" else f"{name}.example.org"
    for qtype in TYPES:
        for tcp in (False, True):
            answer = world.ask(qname, qtype, dnssec=True, tcp=tcp)
            assert rcode(answer) in ("NOERROR", "NXDOMAIN")
            validator.judge(answer)
    validator.judge(world.ask(qname, "ANY", dnssec=True))
    validator.judge(world.ask(qname, "ANY", dnssec=True, tcp=True))
    assert world.failures == []


def test_an_answer_has_the_rrsig_of_its_rrset(world: World) -> None:
    answer = world.ask("www.example.org", dnssec=True)
    assert answer.ednsflags & dns.flags.DO
    assert not answer.flags & dns.flags.AD
    assert lines(answer.answer, signatures=True)[1].startswith(
        "www.example.org. 600 RRSIG A 15 3 600 "
    )
    assert not answer.authority


def test_without_the_do_bit_there_is_no_dnssec(world: World) -> None:
    for name, qtype in itertools.product(("www", "nx", "sub", "sec", "x.wild"), ("A", "AAAA")):
        answer = world.ask(f"{name}.example.org", qtype)
        kinds = {rrset.rdtype.name for rrset in (*answer.answer, *answer.authority)}
        assert not kinds & {"RRSIG", "NSEC", "DS"}


def test_the_soa_of_a_denial_has_the_negative_ttl_and_the_signature_over_its_own(
    world: World,
) -> None:
    answer = world.ask("nx.example.org", dnssec=True)
    signature = next(
        rrset for rrset in answer.authority if rrset.rdtype == 46 and rrset.covers == 6
    )
    assert signature.ttl == 300
    assert signature[0].original_ttl == 3600


def test_an_nsec_has_the_ttl_of_a_denial(world: World) -> None:
    nsecs = [r for r in world.ask("nx.example.org", dnssec=True).authority if r.rdtype == 47]
    assert {rrset.ttl for rrset in nsecs} == {300}
    child = world.ask("nx.child.example.org", dnssec=True).authority
    assert {rrset.ttl for rrset in child if rrset.rdtype == 47} == {60}


def test_one_nsec_that_proves_both_is_sent_once(world: World) -> None:
    answer = world.ask("0.example.org", dnssec=True)
    assert [r.name.to_text() for r in answer.authority if r.rdtype == 47] == ["example.org."]


def test_a_referral_to_an_unsigned_zone_says_so(world: World) -> None:
    answer = world.ask("x.sub.example.org", dnssec=True)
    assert not answer.flags & dns.flags.AA
    kinds = [rrset.rdtype.name for rrset in answer.authority]
    assert kinds == ["NS", "NSEC", "RRSIG"]


def test_a_referral_to_a_signed_zone_has_its_ds(world: World) -> None:
    kinds = [r.rdtype.name for r in world.ask("x.sec.example.org", dnssec=True).authority]
    assert kinds == ["NS", "DS", "RRSIG"]


def test_glue_is_not_signed_but_authoritative_addresses_are(world: World) -> None:
    additional = world.ask("x.sub.example.org", dnssec=True).additional
    assert {r.name.to_text() for r in additional if r.rdtype == 46} == {"ns1.example.org."}


def test_the_ds_of_a_zone_in_the_same_bundle_is_signed_by_the_parent(world: World) -> None:
    answer = world.ask("child.example.org", "DS", dnssec=True)
    signature = next(rrset for rrset in answer.answer if rrset.rdtype == 46)
    assert signature[0].signer.to_text() == "example.org."


def test_a_wildcard_answer_is_signed_as_the_wildcard(world: World) -> None:
    answer = world.ask("x.y.wild.example.org", "TXT", dnssec=True)
    signature = next(rrset for rrset in answer.answer if rrset.rdtype == 46)
    assert signature.name.to_text() == "x.y.wild.example.org."
    assert signature[0].labels == 3


def test_an_empty_lua_list_is_not_denied_by_its_own_type(world: World) -> None:
    answer = world.ask("luanone.example.org", "A", dnssec=True)
    nsec = next(rrset for rrset in answer.authority if rrset.rdtype == 47)
    assert nsec[0].to_text().split()[1:] == ["TXT", "RRSIG", "NSEC"]
    other = world.ask("luanone.example.org", "MX", dnssec=True)
    nsec = next(rrset for rrset in other.authority if rrset.rdtype == 47)
    assert nsec[0].to_text().split()[1:] == ["A", "TXT", "RRSIG", "NSEC"]


def test_the_dnskey_rrset_is_at_the_apex(world: World) -> None:
    answer = world.ask("example.org", "DNSKEY", dnssec=True)
    assert [rrset.rdtype.name for rrset in answer.answer] == ["DNSKEY", "RRSIG"]


def test_signatures_can_be_asked_for(world: World) -> None:
    udp = world.ask("www.example.org", "RRSIG")
    assert len(lines(udp.answer, signatures=True)) == 1
    tcp = world.ask("www.example.org", "RRSIG", tcp=True)
    assert len(lines(tcp.answer, signatures=True)) == 2


def test_several_algorithms_all_sign(tmp_path: Path) -> None:
    keys = [csk("example.org.", 13), csk("example.org.", 15)]
    world = World(
        tmp_path, {"example.org.": HEAD + "w 60 A 192.0.2.1\n"}, keys={"example.org.": keys}
    )
    for name in ("w", "nx"):
        answer = world.ask(f"{name}.example.org", dnssec=True)
        for rrset in (*answer.answer, *answer.authority):
            if rrset.rdtype == 46:
                assert sorted(rdata.algorithm for rdata in rrset) == [13, 15]


def test_a_signed_zone_without_its_key_fails_rather_than_answers_unsigned(tmp_path: Path) -> None:
    world = World(
        tmp_path,
        {"example.org.": HEAD + 'w 60 A 192.0.2.1\nl 60 LUA A "192.0.2.2"\n'},
        keys={"example.org.": [csk("example.org.")]},
        missing_keys=True,
    )
    for name in ("w", "nx", "l", "ns1"):
        assert rcode(world.ask(f"{name}.example.org", dnssec=True)) == "SERVFAIL"
        assert rcode(world.ask(f"{name}.example.org")) != "SERVFAIL"
    assert world.failures


def test_an_answer_with_signatures_that_does_not_fit_is_truncated(tmp_path: Path) -> None:
    many = "".join(f"w 60 A 192.0.2.{i}\n" for i in range(1, 70))
    world = World(
        tmp_path,
        {"example.org.": HEAD + many},
        keys={"example.org.": [csk("example.org.")]},
        settings=ResponderSettings(udp_payload_size=1232),
    )
    assert world.ask("w.example.org", dnssec=True).flags & dns.flags.TC
    whole = world.ask("w.example.org", dnssec=True, tcp=True)
    assert not whole.flags & dns.flags.TC
    assert len(lines(whole.answer)) == 69


def test_many_glue_records_before_a_name_do_not_hide_the_nsec_owner(tmp_path: Path) -> None:
    glue = "".join(f"g{i}.x.y.sub A 192.0.2.1\n" for i in range(300))
    text = HEAD + f"$TTL 60\nsub NS g1.x.y.sub\n{glue}zzz A 192.0.2.1\n"
    world = World(tmp_path, {"example.org.": text}, keys={"example.org.": [csk("example.org.")]})
    keys = world.ask("example.org", "DNSKEY", dnssec=True).answer[0]
    answer = world.ask("t.example.org", dnssec=True)
    owners = {rrset.name.to_text() for rrset in answer.authority if rrset.rdtype == 47}
    assert owners == {"sub.example.org.", "example.org."}
    Validator({dns.name.from_text("example.org"): keys}).judge(answer)

"""Answers from static data: RFC 1034 §4.3.2, RFC 4592, RFC 6672, RFC 6604, RFC 8482."""

from pathlib import Path

import dns.flags
import pytest

from tests.unit.answering import HEAD, World, lines, rcode

ORG = (
    HEAD
    + """\
$TTL 600
www A 192.0.2.1
www A 192.0.2.2
www TXT "two"
mail AAAA 2001:db8::25
@ MX 10 mail
@ MX 20 mail.elsewhere.example.
_sip._tcp SRV 1 2 5060 www
svc HTTPS 1 . alpn=h2
svc HTTPS 2 MAIL port=8443
svc A 192.0.2.5
_dns SVCB 0 svc
gone SVCB 0 .
gone A 192.0.2.6
a.b.ent A 192.0.2.3
*.wild A 192.0.2.4
*.wild MX 10 www
exact.wild TXT "here"
under.exact.wild TXT "below"
*.alias CNAME www
deep.*.ent2 TXT "the wildcard is an ENT"
c1 CNAME c2
c2 CNAME www
dead CNAME nowhere
empty CNAME b.ent
out CNAME www.elsewhere.example.
over CNAME host.example.net.
overdead CNAME nohost.example.net.
intosub CNAME x.sub
loop1 CNAME loop2
loop2 CNAME loop1
self CNAME self
sub NS ns.sub
sub NS ns.other
sub NS ns1
sub NS ns.elsewhere.example.
ns.sub A 192.0.2.60
ns.sub AAAA 2001:db8::60
other NS ns.other
ns.other A 192.0.2.61
below.sub TXT "occluded"
child NS ns1
child DS 1 13 2 0000000000000000000000000000000000000000000000000000000000000000
old DNAME new
a.new A 192.0.2.70
far DNAME example.net.
toolong DNAME {long}
""".format(long=".".join(["x" * 60] * 3))
)
NET = HEAD + "host A 192.0.2.80\n*.far A 192.0.2.81\n"
CHILD = "@ 60 SOA ns.example.org. h 1 1 1 1 60\n@ 60 NS ns1.example.org.\nw 60 A 192.0.2.90\n"

SOA_ORG = (
    "example.org. 300 SOA ns1.example.org. hostmaster.example.org. 2026010101 7200 900 1209600 300"
)
SOA_NET = SOA_ORG.replace("example.org", "example.net")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder: Path = tmp_path_factory.mktemp("bundle")
    return World(
        folder,
        {
            "example.org.": ORG,
            "example.net.": NET,
            "child.example.org.": CHILD,
        },
    )


def test_an_rrset_is_answered_whole_and_with_authority(world: World) -> None:
    answer = world.ask("www.example.org")
    assert rcode(answer) == "NOERROR"
    assert answer.flags == dns.flags.QR | dns.flags.AA
    assert lines(answer.answer) == [
        "www.example.org. 600 A 192.0.2.1",
        "www.example.org. 600 A 192.0.2.2",
    ]
    assert not answer.authority
    assert not answer.additional


def test_a_type_that_is_not_there_is_nodata_with_the_soa(world: World) -> None:
    answer = world.ask("www.example.org", "AAAA")
    assert rcode(answer) == "NOERROR"
    assert answer.flags & dns.flags.AA
    assert not answer.answer
    assert lines(answer.authority) == [SOA_ORG]


@pytest.mark.parametrize("name", ["nx.example.org", "a.b.c.d.example.org", "x.www.example.org"])
def test_a_name_that_is_not_there_is_nxdomain_with_the_soa(world: World, name: str) -> None:
    answer = world.ask(name)
    assert rcode(answer) == "NXDOMAIN"
    assert answer.flags & dns.flags.AA
    assert lines(answer.authority) == [SOA_ORG]


def test_a_name_outside_of_all_zones_is_refused(world: World) -> None:
    answer = world.ask("example.com")
    assert rcode(answer) == "REFUSED"
    assert not answer.flags & dns.flags.AA


@pytest.mark.parametrize("name", ["b.ent.example.org", "ent.example.org", "_tcp.example.org"])
def test_an_empty_non_terminal_exists(world: World, name: str) -> None:
    answer = world.ask(name)
    assert rcode(answer) == "NOERROR"
    assert lines(answer.authority) == [SOA_ORG]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x.wild.example.org", ["x.wild.example.org. 600 A 192.0.2.4"]),
        ("y.x.wild.example.org", ["y.x.wild.example.org. 600 A 192.0.2.4"]),
        ("*.wild.example.org", ["*.wild.example.org. 600 A 192.0.2.4"]),
        ("exact.wild.example.org", []),
    ],
)
def test_a_wildcard_answers_for_names_below_its_encloser(
    world: World, name: str, found: list[str]
) -> None:
    answer = world.ask(name)
    assert rcode(answer) == "NOERROR"
    assert lines(answer.answer) == found


def test_a_wildcard_without_the_type_is_nodata(world: World) -> None:
    answer = world.ask("x.wild.example.org", "TXT")
    assert rcode(answer) == "NOERROR"
    assert not answer.answer
    assert lines(answer.authority) == [SOA_ORG]


def test_a_wildcard_does_not_reach_below_a_name_that_exists(world: World) -> None:
    assert rcode(world.ask("x.exact.wild.example.org")) == "NXDOMAIN"


def test_a_wildcard_that_is_an_empty_non_terminal_gives_nodata(world: World) -> None:
    answer = world.ask("x.ent2.example.org", "TXT")
    assert rcode(answer) == "NOERROR"
    assert not answer.answer


def test_a_wildcard_cname_is_followed(world: World) -> None:
    answer = world.ask("any.alias.example.org", "TXT")
    assert lines(answer.answer) == [
        "any.alias.example.org. 600 CNAME www.example.org.",
        'www.example.org. 600 TXT "two"',
    ]


def test_a_cname_chain_is_followed_to_its_end(world: World) -> None:
    answer = world.ask("c1.example.org", "TXT")
    assert lines(answer.answer) == [
        "c1.example.org. 600 CNAME c2.example.org.",
        "c2.example.org. 600 CNAME www.example.org.",
        'www.example.org. 600 TXT "two"',
    ]


def test_a_cname_itself_can_be_asked_for(world: World) -> None:
    answer = world.ask("c1.example.org", "CNAME")
    assert lines(answer.answer) == ["c1.example.org. 600 CNAME c2.example.org."]


def test_the_rcode_is_that_of_the_last_name_of_a_chain(world: World) -> None:
    dead = world.ask("dead.example.org")
    assert rcode(dead) == "NXDOMAIN"
    assert dead.flags & dns.flags.AA
    assert lines(dead.answer) == ["dead.example.org. 600 CNAME nowhere.example.org."]
    assert lines(dead.authority) == [SOA_ORG]
    empty = world.ask("empty.example.org")
    assert rcode(empty) == "NOERROR"
    assert lines(empty.authority) == [SOA_ORG]


def test_a_chain_that_leaves_the_bundle_ends_there(world: World) -> None:
    answer = world.ask("out.example.org")
    assert rcode(answer) == "NOERROR"
    assert lines(answer.answer) == ["out.example.org. 600 CNAME www.elsewhere.example."]
    assert not answer.authority


def test_a_chain_goes_on_in_another_zone_of_the_bundle(world: World) -> None:
    assert lines(world.ask("over.example.org").answer) == [
        "host.example.net. 600 A 192.0.2.80",
        "over.example.org. 600 CNAME host.example.net.",
    ]
    dead = world.ask("overdead.example.org")
    assert rcode(dead) == "NXDOMAIN"
    assert lines(dead.authority) == [SOA_NET]


def test_a_chain_into_a_delegation_ends_with_the_referral(world: World) -> None:
    answer = world.ask("intosub.example.org")
    assert answer.flags & dns.flags.AA
    assert lines(answer.answer) == ["intosub.example.org. 600 CNAME x.sub.example.org."]
    assert {rrset.name.to_text() for rrset in answer.authority} == {"sub.example.org."}


def test_loops_end_with_what_was_found(world: World) -> None:
    answer = world.ask("loop1.example.org")
    assert rcode(answer) == "NOERROR"
    assert lines(answer.answer) == [
        "loop1.example.org. 600 CNAME loop2.example.org.",
        "loop2.example.org. 600 CNAME loop1.example.org.",
    ]
    assert len(lines(world.ask("self.example.org").answer)) == 1


def test_a_long_chain_is_followed_sixteen_times(tmp_path: Path) -> None:
    chain = "".join(f"c{i} 60 CNAME c{i + 1}\n" for i in range(40))
    world = World(tmp_path, {"example.org.": HEAD + chain})
    assert len(lines(world.ask("c0.example.org", tcp=True).answer)) == 16


@pytest.mark.parametrize("name", ["sub", "x.sub", "a.b.c.sub", "below.sub", "ns.sub"])
def test_names_at_and_below_a_cut_get_a_referral_with_glue(world: World, name: str) -> None:
    answer = world.ask(f"{name}.example.org")
    assert rcode(answer) == "NOERROR"
    assert not answer.flags & dns.flags.AA
    assert not answer.answer
    assert lines(answer.authority) == [
        "sub.example.org. 600 NS ns.elsewhere.example.",
        "sub.example.org. 600 NS ns.other.example.org.",
        "sub.example.org. 600 NS ns.sub.example.org.",
        "sub.example.org. 600 NS ns1.example.org.",
    ]
    assert lines(answer.additional) == [
        "ns.other.example.org. 600 A 192.0.2.61",
        "ns.sub.example.org. 600 A 192.0.2.60",
        "ns.sub.example.org. 600 AAAA 2001:db8::60",
        "ns1.example.org. 600 A 192.0.2.53",
    ]


def test_all_glue_comes_however_many_servers_there_are(tmp_path: Path) -> None:
    """RFC 9471 §3.1."""
    servers = "".join(f"sub NS n{n}.sub\nn{n}.sub A 192.0.2.{n}\n" for n in range(60))
    world = World(tmp_path, {"example.org.": HEAD + "$TTL 600\n" + servers})
    whole = world.ask("x.sub.example.org", tcp=True)
    assert len(lines(whole.additional)) == len(lines(whole.authority)) == 60
    assert world.ask("x.sub.example.org").flags & dns.flags.TC


def test_the_ds_of_a_cut_is_answered_by_the_parent(world: World) -> None:
    answer = world.ask("child.example.org", "DS")
    assert answer.flags & dns.flags.AA
    assert len(lines(answer.answer)) == 1
    without = world.ask("sub.example.org", "DS")
    assert without.flags & dns.flags.AA
    assert not without.answer
    assert lines(without.authority) == [SOA_ORG]


def test_the_ds_of_an_apex_without_its_parent_here_is_nodata(world: World) -> None:
    answer = world.ask("example.org", "DS")
    assert rcode(answer) == "NOERROR"
    assert lines(answer.authority) == [SOA_ORG]


def test_the_child_zone_answers_for_itself_where_it_is_in_the_bundle(world: World) -> None:
    answer = world.ask("w.child.example.org")
    assert answer.flags & dns.flags.AA
    assert lines(answer.answer) == ["w.child.example.org. 60 A 192.0.2.90"]
    assert lines(world.ask("child.example.org", "SOA").answer)[0].startswith("child.example.org.")


def test_a_dname_redirects_what_is_below_it(world: World) -> None:
    answer = world.ask("a.old.example.org")
    assert lines(answer.answer) == [
        "a.new.example.org. 600 A 192.0.2.70",
        "a.old.example.org. 600 CNAME a.new.example.org.",
        "old.example.org. 600 DNAME new.example.org.",
    ]


def test_a_dname_does_not_redirect_its_owner(world: World) -> None:
    assert not world.ask("old.example.org").answer
    assert len(lines(world.ask("old.example.org", "DNAME").answer)) == 1


def test_a_dname_leads_into_another_zone(world: World) -> None:
    answer = world.ask("q.far.far.example.org")
    assert "q.far.example.net. 600 A 192.0.2.81" in lines(answer.answer)
    dead = world.ask("zz.far.example.org")
    assert rcode(dead) == "NXDOMAIN"
    assert lines(dead.authority) == [SOA_NET]


def test_the_cname_made_from_a_dname_can_be_asked_for(world: World) -> None:
    assert lines(world.ask("a.old.example.org", "CNAME").answer) == [
        "a.old.example.org. 600 CNAME a.new.example.org.",
        "old.example.org. 600 DNAME new.example.org.",
    ]


def test_a_dname_that_is_met_twice_is_sent_once(tmp_path: Path) -> None:
    world = World(tmp_path, {"example.org.": HEAD + "$TTL 600\ndn DNAME @\nwww A 192.0.2.1\n"})
    assert lines(world.ask("www.dn.dn.example.org").answer) == [
        "dn.example.org. 600 DNAME example.org.",
        "www.dn.dn.example.org. 600 CNAME www.dn.example.org.",
        "www.dn.example.org. 600 CNAME www.example.org.",
        "www.example.org. 600 A 192.0.2.1",
    ]


def test_a_dname_that_makes_a_name_too_long_is_yxdomain(world: World) -> None:
    answer = world.ask(f"{'y' * 63}.{'y' * 40}.toolong.example.org")
    assert rcode(answer) == "YXDOMAIN"
    assert [rrset.rdtype.name for rrset in answer.answer] == ["DNAME"]


def test_addresses_of_mx_and_srv_targets_come_along(world: World) -> None:
    mail = world.ask("example.org", "MX")
    assert len(lines(mail.answer)) == 2
    assert lines(mail.additional) == ["mail.example.org. 600 AAAA 2001:db8::25"]
    assert len(lines(world.ask("_sip._tcp.example.org", "SRV").additional)) == 2
    assert len(lines(world.ask("example.org", "NS").additional)) == 1


def test_addresses_of_services_come_along(world: World) -> None:
    assert lines(world.ask("svc.example.org", "HTTPS").additional) == [
        "mail.example.org. 600 AAAA 2001:db8::25",
        "svc.example.org. 600 A 192.0.2.5",
    ]
    assert lines(world.ask("_dns.example.org", "SVCB").additional) == [
        "svc.example.org. 600 A 192.0.2.5"
    ]
    # An alias to the root says that there is no such service (RFC 9460 §2.5.1).
    assert not world.ask("gone.example.org", "SVCB").additional


def test_any_over_udp_gets_one_rrset_and_over_tcp_all(world: World) -> None:
    udp = world.ask("www.example.org", "ANY")
    assert len(udp.answer) == 1
    tcp = world.ask("www.example.org", "ANY", tcp=True)
    assert {rrset.rdtype.name for rrset in tcp.answer} == {"A", "TXT"}


def test_any_is_nodata_where_nothing_is(world: World) -> None:
    answer = world.ask("ent.example.org", "ANY")
    assert lines(answer.authority) == [SOA_ORG]


def test_any_at_a_cname_gets_the_cname(world: World) -> None:
    answer = world.ask("c1.example.org", "ANY", tcp=True)
    assert lines(answer.answer) == ["c1.example.org. 600 CNAME c2.example.org."]


@pytest.mark.parametrize("qtype", ["RRSIG", "NSEC", "DNSKEY"])
def test_dnssec_types_of_an_unsigned_zone_are_nodata(world: World, qtype: str) -> None:
    answer = world.ask("www.example.org", qtype)
    assert rcode(answer) == "NOERROR"
    assert lines(answer.authority) == [SOA_ORG]


def test_labels_with_a_zero_octet_are_labels(tmp_path: Path) -> None:
    world = World(tmp_path, {"example.org.": HEAD + "a\\000b 60 TXT x\n\\001.z 60 TXT y\n"})
    assert lines(world.ask("a\\000b.example.org", "TXT").answer)
    assert lines(world.ask("\\001.z.example.org", "TXT").answer)
    assert rcode(world.ask("b.a.example.org", "TXT")) == "NXDOMAIN"


def test_a_zone_may_be_the_root(tmp_path: Path) -> None:
    text = "@ 60 SOA ns.example. h.example. 1 1 1 1 60\n@ 60 NS ns.example.\n"
    text += "ns.example. 60 A 192.0.2.1\n"
    world = World(tmp_path, {".": text})
    assert lines(world.ask("ns.example").answer) == ["ns.example. 60 A 192.0.2.1"]
    assert rcode(world.ask("nx")) == "NXDOMAIN"
    assert lines(world.ask("nx").authority) == lines(world.ask(".", "A").authority)


def test_nothing_failed_meanwhile(world: World) -> None:
    assert world.failures == []

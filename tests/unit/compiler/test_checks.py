"""The checks of a whole zone: each rule with a zone that breaks it and one that does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.compiler.checks import zone as checks
from lzc.compiler.checks.index import ZoneIndex, ancestors
from lzc.compiler.checks.zone import check_zone, strip
from lzc.faults import Fault, Severity
from lzc.wire import name as wire_name
from lzc.wire import rrtype as rr
from lzc.zone.model import Zone
from tests.unit.zone_text import read_zone_text

APEX = wire_name.from_text("example.org.")
TOP = "$TTL 300\n@ SOA ns1.example.net. hostmaster 1 10800 3600 604800 300\n@ NS ns1.example.net.\n"


def zone_of(text: str) -> Zone:
    """A sorted zone; lines count from 1 after the usual top."""
    zone, faults = read_zone_text(text.encode(), APEX, "z")
    assert [fault for fault in faults if fault.severity is Severity.ERROR] == []
    zone.records.sort()
    return zone


def faults_of(text: str, *, signed: bool = False) -> list[Fault]:
    return check_zone(zone_of(text), signed=signed)


def found(body: str, *, signed: bool = False) -> list[tuple[str, int]]:
    """Rules and line numbers (the body's first line is 1) of what is wrong with a zone; their
    severities are those of the table."""
    faults = faults_of(TOP + body, signed=signed)
    assert all(fault.severity == SEVERITIES[fault.rule] for fault in faults)
    return [(fault.rule, fault.place.line - 3) for fault in faults]


def at(rule: str, *lines: int) -> list[tuple[str, int]]:
    """One rule broken on several lines."""
    return [(rule, line) for line in lines]


SEVERITIES = dict(re.findall(r"^``([a-z-]+)`` +(error|warning) ", checks.__doc__ or "", re.M))
"""The table of rules in the documentation."""

GLUED = "child NS ns.child\nns.child A 192.0.2.1\n"
RRSIG = "RRSIG A 13 3 300 20261201000000 20261101000000 1 example.org. AAAA\n"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", []),
        ("www A 192.0.2.1\nwww A 192.0.2.2\nwww AAAA 2001:db8::1\n", []),
        # SOA and NS
        ("www SOA a b 1 10800 3600 604800 300\n", [("soa-not-at-apex", 1)]),
        ("@ SOA a b 2 10800 3600 604800 300\n", [("soa-multiple", 1)]),
        # RRsets
        ("www A 192.0.2.1\n\nwww A 192.0.2.1\n", [("duplicate-record", 3)]),
        ("a MX 1 MAIL.example.net.\na MX 1 mail.Example.net.\n", [("duplicate-record", 2)]),
        ("a TXT abc\na TXT ABC\n", []),
        ("a 5 A 192.0.2.1\na 6 A 192.0.2.2\na 7 A 192.0.2.3\n", at("rrset-ttl-differs", 2, 3)),
        ("a 6 A 192.0.2.1\na 6 A 192.0.2.2\na 5 A 192.0.2.3\n", at("rrset-ttl-differs", 1, 2)),
        ("a 6 A 192.0.2.1\na 6 A 192.0.2.2\na 6 A 192.0.2.2\n", at("duplicate-record", 3)),
        ("a 5 A 192.0.2.1\na 6 AAAA 2001:db8::1\n", []),
        # CNAME
        ("b A 192.0.2.1\nb CNAME c.example.net.\n", [("cname-and-other-data", 2)]),
        ("@ CNAME c.example.net.\n", [("cname-and-other-data", 1)]),
        ("b CNAME c.example.net.\nb CNAME d.example.net.\n", [("cname-multiple", 2)]),
        ("b CNAME c.example.net.\nb LUA A \"'192.0.2.1'\"\n", [("cname-and-other-data", 1)]),
        ("b A 192.0.2.1\nb LUA CNAME \"'c'\"\n", [("cname-and-other-data", 2)]),
        ("b LUA A \"'192.0.2.1'\"\nb LUA CNAME \"'c'\"\n", [("cname-and-other-data", 2)]),
        ("b LUA LUA \"x=1\"\nb LUA CNAME \"'c'\"\n", []),
        ("a CNAME b\nb CNAME c\nc CNAME a\n", [("cname-loop", 1)]),
        ("x CNAME a\na CNAME b\nb CNAME a\n", [("cname-loop", 2)]),
        ("a CNAME a\n", [("cname-loop", 1)]),
        ("*.w CNAME x.w\n", [("cname-loop", 1)]),
        ("a CNAME b\nb CNAME c\nc A 192.0.2.1\n", []),
        # DNAME
        ("a DNAME b.\na DNAME c.\n", [("dname-multiple", 2)]),
        ("a DNAME b.\nx.a A 192.0.2.1\nx.a TXT x\ny.x.a TXT x\n", at("dname-occluded", 2, 4)),
        ("@ DNAME b.\nx A 192.0.2.1\n", [("dname-occluded", 2)]),
        ("a DNAME b.\na NS c.\n", [("dname-at-delegation", 1)]),
        ("a DNAME x.a\n", [("dname-loop", 1)]),
        ("a DNAME xa\nab A 192.0.2.1\n", []),
        ("a DNAME b.\na A 192.0.2.1\n", []),
        ("a DNAME b.\nc CNAME x.a\n", []),
        # delegations
        (GLUED, []),
        ("child NS ns.child\n", [("glue-missing", 1)]),
        ("child NS child\nchild AAAA 2001:db8::1\n", []),
        (
            "child NS ns.child\nns.child LUA A \"'192.0.2.1'\"\n",
            [("glue-missing", 1), ("occluded-data", 2)],
        ),
        ("other NS ns.child\n" + GLUED, []),
        ("other NS ns2.child\n" + GLUED, [("sibling-glue-missing", 1)]),
        ("@ NS ns2.child\n" + GLUED, [("sibling-glue-missing", 1)]),
        (GLUED + "www.child A 192.0.2.1\n", [("occluded-data", 3)]),
        (GLUED + "child TXT x\nchild DS 1 13 2 " + "0" * 64 + "\n", [("occluded-data", 3)]),
        (GLUED + "deep.child NS ns.deep.child\n", [("occluded-data", 3)]),
        (GLUED + "childish A 192.0.2.1\n", []),
        ("@ DS 1 13 2 " + "0" * 64 + "\n", [("ds-at-apex", 1)]),
        ("a DS 1 13 2 " + "0" * 64 + "\n", [("ds-without-ns", 1)]),
        # targets
        ("child NS a\na CNAME b.example.net.\n", [("ns-to-cname", 1)]),
        ("m MX 1 a\na CNAME b.example.net.\n", [("mx-to-cname", 1)]),
        ("_s._tcp SRV 1 1 1 a\na CNAME b.example.net.\n", [("srv-to-cname", 1)]),
        ("_s._tcp SRV 1 1 1 a\na LUA CNAME \"'b.example.net.'\"\n", [("srv-to-cname", 1)]),
        ("m MX 0 .\n_s._tcp SRV 0 0 0 .\n", []),
        ("c CNAME a\n", [("target-missing", 1)]),
        ("m MX 1 a\n", [("target-missing", 1)]),
        ("c CNAME a\nx.a A 192.0.2.1\n", []),
        ("m MX 1 a\n* A 192.0.2.1\n", []),
        ("m MX 1 a\n* TXT x\n", [("target-without-address", 1)]),
        ("m MX 1 a.b\n* A 192.0.2.1\nb TXT x\n", [("target-missing", 1)]),
        ("m MX 1 a\na TXT x\n", [("target-without-address", 1)]),
        ("m MX 1 a\na LUA AAAA \"'2001:db8::1'\"\n", []),
        ("m MX 1 x.child\n" + GLUED, []),
        ("c CNAME www.example.org\n", [("target-repeats-apex", 1)]),
        ("c CNAME 192.0.2.1\n", [("target-is-address", 1)]),
        # owners
        ("www.example.org A 192.0.2.1\nexample.org A 192.0.2.1\n", at("owner-repeats-apex", 1, 2)),
        ("org A 192.0.2.1\nexample.orga A 192.0.2.1\n", []),
        ("*.a NS ns1.example.net.\n", [("wildcard-ns", 1)]),
        ("* DNAME a.example.net.\n", [("wildcard-dname", 1)]),
        ("a.*.b A 192.0.2.1\n", [("wildcard-inside-name", 1)]),
        ("* A 192.0.2.1\n*.a.b A 192.0.2.1\na*b A 192.0.2.1\n", []),
        # LUA
        ("a LUA A \"'192.0.2.1'\"\na A 192.0.2.1\n", [("lua-and-static", 1)]),
        ("a LUA A \"'192.0.2.1'\"\na AAAA 2001:db8::1\n", []),
        ("a 5 LUA A \"'192.0.2.1'\"\na 6 LUA TXT \"'x'\"\n", []),
        ("a 5 LUA A \"'192.0.2.1'\"\na 6 LUA A \"'192.0.2.2'\"\n", [("rrset-ttl-differs", 2)]),
        ("a LUA SOA \"'x'\"\nb LUA NS \"'x'\"\nc LUA ANY \"'x'\"\n", at("lua-type", 1, 2, 3)),
        # signatures
        ("a " + RRSIG, [("presigned", 1)]),
        ("a " + RRSIG + "b LUA A \"'192.0.2.1'\"\n", [("presigned-and-lua", 1)]),
    ],
)  # fmt: skip
def test_rules(body: str, expected: list[tuple[str, int]]) -> None:
    assert found(body) == expected


@pytest.mark.difference("D-31")
def test_a_zone_to_be_signed_holds_no_signatures() -> None:
    assert found("a " + RRSIG, signed=True) == [("presigned-and-signed", 1)]


PRESIGNED = f"""\
@ DNSKEY 257 3 13 AAAA
@ CDS 0 0 0 00
@ CDNSKEY 257 3 13 AAAA
@ NSEC3PARAM 1 0 0 -
@ NSEC a A
a A 192.0.2.1
child NS ns1.example.net.
child DS 1 13 2 {"00" * 32}
a RRSIG A 13 3 300 20261201000000 20261101000000 1 example.org. AAAA
"""


@pytest.mark.difference("D-31")
def test_what_another_signer_added_is_dropped_and_nothing_else() -> None:
    zone = zone_of(TOP + PRESIGNED)
    strip(zone)
    left = sorted((record[0], rr.to_text(record[1])) for record in zone.records)
    assert left == [(b"", "NS"), (b"", "SOA"), (b"a", "A"), (b"child", "DS"), (b"child", "NS")]
    assert check_zone(zone, signed=True) == []


def test_keys_of_other_signers_alone_are_no_fault() -> None:
    """RFC 8901: each signer of a zone lists the others' DNSKEYs."""
    assert found("@ DNSKEY 257 3 13 AAAA\n", signed=True) == []


def test_a_zone_without_soa_and_ns() -> None:
    faults = faults_of("$TTL 5\nwww A 192.0.2.1\n")
    assert [(str(fault.place), fault.rule) for fault in faults] == [
        ("z:1:1", "ns-missing"),
        ("z:1:1", "soa-missing"),
    ]


def test_a_missing_ns_is_told_at_the_soa() -> None:
    faults = faults_of("$TTL 5\n\n@ SOA a.com. b 1 10800 3600 604800 300\n")
    assert [(fault.rule, fault.place.line) for fault in faults] == [("ns-missing", 3)]


def test_an_expire_shorter_than_the_refresh() -> None:
    faults = faults_of("@ 5 SOA a.com. b 1 3600 600 4200 300\n@ 5 NS a.com.\n")
    assert [fault.rule for fault in faults] == ["soa-expire-short"]


def test_duplicates_go_and_ttls_are_made_equal() -> None:
    zone = zone_of(
        TOP + "a 9 A 192.0.2.2\na 7 A 192.0.2.1\na 8 A 192.0.2.2\nb 5 A 192.0.2.1\n"
        "n 5 MX 1 B.example.net.\nn 5 MX 1 b.example.net.\n"
    )
    faults = check_zone(zone)
    assert sorted((fault.rule, fault.place.line - 3) for fault in faults) == [
        ("duplicate-record", 3),
        ("duplicate-record", 6),
        ("rrset-ttl-differs", 1),
    ]
    assert [(record[0], record[2], record[3]) for record in zone.records if record[0]] == [
        (b"a", b"\xc0\x00\x02\x01", 7),
        (b"a", b"\xc0\x00\x02\x02", 7),
        (b"b", b"\xc0\x00\x02\x01", 5),
        (b"n", b"\x00\x01\x01B\x07example\x03net\x00", 5),
    ]
    assert zone.records == sorted(zone.records)


def test_messages_name_the_other_record() -> None:
    (fault,) = faults_of(TOP + "b A 192.0.2.1\nb CNAME c.example.net.\n")
    assert "A at z:4:1" in fault.message
    assert fault.why
    assert fault.fix


keys = st.lists(st.sampled_from("ab*"), max_size=3).map(
    lambda labels: "".join(f"{x}." for x in labels)
)


@given(st.sets(keys, max_size=8), keys)
def test_lookups_agree_with_a_search_of_every_record(owners: set[str], wanted: str) -> None:
    text = TOP + "".join(f"{owner}example.org. A 192.0.2.1\n" for owner in owners if owner)
    zone = zone_of(text)
    index = ZoneIndex(zone)
    key = wire_name.key_of(wire_name.from_text(wanted + "example.org."), APEX)
    below = [record for record in zone.records if record[0].startswith(key + b"\x00")]
    assert index.at(key) == [record for record in zone.records if record[0] == key]
    if key:
        assert index.below(key) == below
        assert index.exists(key) == bool(index.at(key) or below)
    assert list(ancestors(key))[-1] == b""


def test_of_a_rule_broken_everywhere_only_so_many_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MAX_PER_RULE", 3)
    faults = faults_of(TOP + "".join(f"m{number} MX 1 a\n" for number in range(9)))
    assert [fault.place.line - 3 for fault in faults] == [1, 2, 3, 9]
    assert faults[-1].message.endswith("(the last of 6 more)")


def test_signatures_keep_the_ttl_of_what_they_cover() -> None:
    signature = "8 2 300 20300101000000 20200101000000 1 example.org. AAAA"
    zone = zone_of(f"{TOP}a 5 RRSIG A {signature}\na 6 RRSIG MX {signature}\n")
    assert "rrset-ttl-differs" not in [fault.rule for fault in check_zone(zone)]
    assert [record[3] for record in zone.records if record[0] == b"a"] == [5, 6]

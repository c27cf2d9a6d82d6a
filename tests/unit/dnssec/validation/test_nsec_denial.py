"""What NSEC RRs prove where that is unusual: RFC 4470 and RFC 9824."""

from __future__ import annotations

import dns.name

from lzc.dnssec.validation.denial import NXNAME, Bits
from lzc.dnssec.validation.nsec_denial import Link, NsecDenial

APEX = dns.name.from_text("example.org.")
A, MX, NSEC, RRSIG = 1, 15, 47, 46


def name(text: str) -> dns.name.Name:
    return dns.name.from_text(text, APEX)


def link(owner: str, following: str, *types: int) -> Link:
    return Link(name(owner), name(following), Bits(frozenset(types), f"the NSEC of {owner}"))


def test_a_compact_denial_names_what_is_not_there() -> None:
    """RFC 9824 §3.1: NXNAME at the very name, with either RCODE."""
    denial = NsecDenial(APEX, [link("nx", r"\000.nx", RRSIG, NSEC, NXNAME)])
    assert denial.no_name(name("nx")).problems == ()
    assert denial.no_data(name("nx"), A).problems == ()
    assert denial.no_name(name("ny")).problems == ("no NSEC covers ny.example.org.",)


def test_a_compact_denial_of_a_type_denies_no_name() -> None:
    """RFC 9824 §3.2, §3.3: no data, and an empty non-terminal."""
    for types in ((A, RRSIG, NSEC), (RRSIG, NSEC)):
        denial = NsecDenial(APEX, [link("www", r"\000.www", *types)])
        assert denial.no_data(name("www"), MX).problems == ()
        (problem,) = denial.no_name(name("www")).problems
        assert problem == "NXDOMAIN, and the NSEC of www says that the name exists"


def test_the_smallest_gaps_deny_a_name_and_its_wildcard() -> None:
    """RFC 4470 §4."""
    cover = link("nw~", r"nx\000", RRSIG, NSEC)
    wildcard = link(")~", r"*\000", RRSIG, NSEC)
    assert NsecDenial(APEX, [cover, wildcard]).no_name(name("nx")).problems == ()
    (problem,) = NsecDenial(APEX, [cover]).no_name(name("nx")).problems
    assert problem == "no NSEC covers *.example.org., which would answer for nx.example.org."


def test_the_last_gap_ends_at_the_apex() -> None:
    last = Link(name("www"), APEX, Bits(frozenset({A}), "the NSEC of www"))
    first = Link(APEX, name("www"), Bits(frozenset({A}), "the NSEC of the apex"))
    assert NsecDenial(APEX, [last, first]).no_name(name("zzz")).problems == ()
    foreign = dns.name.from_text("zzz.example.net.")
    assert NsecDenial(APEX, [last, first]).no_name(foreign).problems != ()


def test_a_wildcard_below_the_closest_encloser_is_not_the_right_one() -> None:
    """RFC 4035 §5.3.4: x.b.wild would come from *.b.wild or from nothing."""
    over = link("b.wild", "c.wild", A)
    proof = NsecDenial(APEX, [over]).no_closer(name("x.b.wild"), name("wild"))
    assert proof.problems == (
        "x.b.wild.example.org. comes from *.wild.example.org., and the NSEC of b.wild says that"
        " b.wild.example.org. exists, which is closer",
    )

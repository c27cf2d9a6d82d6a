"""What NSEC3 RRs prove: RFC 5155 §8."""

from __future__ import annotations

from collections.abc import Iterable

import dns.name
import dns.rdatatype
import pytest

from lzc.dnssec.validation.denial import Bits
from lzc.dnssec.validation.nsec3_denial import (
    OPTED_OUT,
    HashedLink,
    Nsec3Denial,
    Parameters,
    hashed,
)

APEX = dns.name.from_text("example.org.")
PLAIN = Parameters(1, 0, b"")
ZONE = {
    "@": "SOA NS DNSKEY",
    "www": "A TXT",
    "alias": "CNAME",
    "b.ent": "A",
    "ent": "",
    "*.wild": "A",
    "wild": "",
    "sub": "NS",
    "sec": "NS DS",
    "old": "DNAME",
}
"""Owners, and their types."""


def name(text: str) -> dns.name.Name:
    return APEX if text == "@" else dns.name.from_text(text, APEX)


def links(
    parameters: Parameters = PLAIN, *, opt_out: bool = False, without: Iterable[str] = ()
) -> list[HashedLink]:
    """The whole chain of the zone, but for the links of some owners, which another spans."""
    owners = {
        hashed(name(owner), parameters): (owner, types)
        for owner, types in ZONE.items()
        if owner not in without
    }
    hashes = sorted(owners)
    return [
        HashedLink(
            own,
            following,
            Bits(
                frozenset(int(dns.rdatatype.from_text(kind)) for kind in owners[own][1].split()),
                f"the NSEC3 of {owners[own][0]}",
            ),
            opt_out,
            parameters,
        )
        for own, following in zip(hashes, [*hashes[1:], hashes[0]], strict=True)
    ]


def whole(**kind: object) -> Nsec3Denial:
    return Nsec3Denial(APEX, links(**kind))  # type: ignore[arg-type]


@pytest.mark.parametrize("missing", ["nx", "x.www", "a.b.nx", "x.b.ent", "y.alias"])
def test_a_chain_shows_that_a_name_is_not_there(missing: str) -> None:
    assert whole().no_name(name(missing)) == ((), "")


@pytest.mark.parametrize("there", ["www", "ent", "*.wild"])
def test_a_name_that_exists_is_not_denied(there: str) -> None:
    (problem,) = whole().no_name(name(there)).problems
    assert problem.startswith("NXDOMAIN, and the NSEC3 of")
    assert problem.endswith(f"says that {there}.example.org. exists")


def test_a_name_that_a_wildcard_answers_for_is_not_denied() -> None:
    (problem,) = whole().no_name(name("x.wild")).problems
    assert problem == ("NXDOMAIN, and the NSEC3 of *.wild says that *.wild.example.org. exists")


def test_what_lies_below_a_delegation_or_dname_is_not_denied() -> None:
    for below, what in (("x.sub", "delegation"), ("x.old", "DNAME")):
        (problem,) = whole().no_name(name(below)).problems
        assert f"is that of a {what}, and {below}.example.org. lies below" in problem


def test_a_link_that_is_missing_is_told() -> None:
    chain = links()
    denial = Nsec3Denial(APEX, [link for link in chain if link.owner == hashed(APEX, PLAIN)])
    (problem,) = denial.no_name(name("nx")).problems
    assert problem.startswith("no NSEC3 covers ")
    others = [link for link in chain if link.owner != hashed(APEX, PLAIN)]
    (problem,) = Nsec3Denial(APEX, others).no_name(name("nx")).problems
    assert problem == "no NSEC3 of the answer is that of a name above nx.example.org."


def test_no_data_is_shown_by_the_own_link() -> None:
    assert whole().no_data(name("www"), dns.rdatatype.MX) == ((), "")
    assert whole().no_data(name("ent"), dns.rdatatype.A) == ((), "")
    (problem,) = whole().no_data(name("www"), dns.rdatatype.TXT).problems
    assert problem == "the NSEC3 of www lists TXT, and the answer has none"
    (problem,) = whole().no_data(name("alias"), dns.rdatatype.MX).problems
    assert problem == "the NSEC3 of alias lists CNAME, which is the answer to MX"
    (problem,) = whole().no_data(name("sub"), dns.rdatatype.A).problems
    assert problem == "the NSEC3 of sub is that of a delegation, which denies nothing but DS"


def test_no_data_of_a_wildcard_needs_its_link() -> None:
    assert whole().no_data(name("x.wild"), dns.rdatatype.MX) == ((), "")
    (problem,) = whole().no_data(name("x.wild"), dns.rdatatype.A).problems
    assert problem == "the NSEC3 of *.wild lists A, and the answer has none"
    (problem,) = whole().no_data(name("nx"), dns.rdatatype.A).problems
    assert "none shows that *.example.org. exists and has no A" in problem


def test_what_comes_from_a_wildcard_needs_a_gap_below_its_parent() -> None:
    assert whole().no_closer(name("x.y.wild"), name("wild")) == ((), "")
    (problem,) = whole().no_closer(name("www"), APEX).problems
    assert problem.startswith("www.example.org. comes from *.example.org., and no NSEC3 covers")


def test_a_referral_needs_the_link_of_its_delegation() -> None:
    assert whole().no_signer(name("sub")) == ((), "")
    (problem,) = whole().no_signer(name("sec")).problems
    assert problem == "the NSEC3 of sec lists DS, and the referral has none"
    (problem,) = whole().no_signer(name("www")).problems
    assert problem == "the NSEC3 of www lists no NS: it is not that of a delegation"
    (problem,) = whole(without=["sub"]).no_signer(name("sub")).problems
    assert problem.endswith("shows that it has no DS, and the span is not opt-out")


def test_an_opt_out_span_makes_what_it_covers_insecure() -> None:
    chain = whole(opt_out=True, without=["sub"])
    proof = chain.no_signer(name("sub"))
    assert proof.problems == ()
    assert proof.insecure == OPTED_OUT
    assert chain.no_data(name("sub"), dns.rdatatype.DS).insecure.startswith("opt-out")
    assert chain.no_name(name("nx")).insecure.startswith("opt-out")
    assert chain.no_data(name("www"), dns.rdatatype.MX) == ((), "")


def test_links_of_two_chains_prove_nothing() -> None:
    both = Nsec3Denial(APEX, [*links(), *links(Parameters(1, 0, b"salt"))])
    unusable = both.unusable()
    assert unusable is not None
    assert unusable.problems == ("the NSEC3 RRs of the answer have different salts or iterations",)


def test_many_iterations_and_other_hashes_are_told() -> None:
    assert whole(parameters=Parameters(1, 50, b"")).unusable() is None
    many = whole(parameters=Parameters(1, 51, b"")).unusable()
    assert many is not None
    assert many.problems[0].startswith("NSEC3 has 51 iterations")
    other = Nsec3Denial(APEX, [link._replace(parameters=Parameters(2, 0, b"")) for link in links()])
    unknown = other.unusable()
    assert unknown is not None
    assert unknown.problems == ("NSEC3 hash algorithm 2 is not known",)


def test_the_hash_is_that_of_rfc_5155() -> None:
    """Appendix A: example. with salt aabbccdd and 12 iterations."""
    found = hashed(dns.name.from_text("example."), Parameters(1, 12, bytes.fromhex("aabbccdd")))
    assert found.hex() == "065368abeed7ec6e9feba96b8c8bc3e8b791f716"

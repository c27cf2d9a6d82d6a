"""Denial by NSEC3: RFC 5155 §8."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from functools import lru_cache
from typing import Final, NamedTuple, cast

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset
from dns.rdatatype import DS
from dns.rdtypes.ANY.NSEC3 import NSEC3

from lzc.dnssec.validation.denial import (
    PROVEN,
    Bits,
    Proof,
    above,
    lacking,
    types_of,
    wildcard_below,
)

MAX_ITERATIONS: Final = 50
"""More than so many, and validators take the zone for insecure, or for bogus (RFC 9276 §3.2)."""

OPTED_OUT: Final = "opt-out: what is not in the chain of NSEC3 may be a delegation"
"""Why what lies in such a span is not secure (RFC 5155 §9.2)."""

_SHA1: Final = 1
_OPT_OUT: Final = 1


class Parameters(NamedTuple):
    """How the names of a chain are hashed."""

    algorithm: int
    iterations: int
    salt: bytes


class HashedLink(NamedTuple):
    """An NSEC3 RR: from the hash in its owner to the next one."""

    owner: bytes
    next: bytes
    bits: Bits
    opt_out: bool
    parameters: Parameters
    has_unknown_flags: bool = False

    @classmethod
    def of(cls, rrset: dns.rrset.RRset) -> HashedLink:
        """The first RR of an NSEC3 RRset, which has but one. Raises `ValueError` for an owner that
        is no hash."""
        rdata = cast(NSEC3, rrset[0])
        return cls(
            base64.b32hexdecode(rrset.name.labels[0].upper()),
            rdata.next,
            Bits(types_of(rdata.windows), f"the NSEC3 {rrset.name}"),
            bool(rdata.flags & _OPT_OUT),
            Parameters(rdata.algorithm, rdata.iterations, rdata.salt),
            bool(rdata.flags & ~_OPT_OUT),
        )


@lru_cache(maxsize=65536)
def hashed(name: dns.name.Name, parameters: Parameters) -> bytes:
    """The hash of a name (RFC 5155 §5)."""
    salt, iterations = parameters.salt, parameters.iterations
    return base64.b32hexdecode(dns.dnssec.nsec3_hash(name, salt, iterations, parameters.algorithm))


class Nsec3Denial:
    """The NSEC3 RRs of a zone in an answer."""

    def __init__(self, apex: dns.name.Name, links: Iterable[HashedLink]) -> None:
        self._apex = apex
        self._links = tuple(links)
        self._parameters = self._links[0].parameters

    def unusable(self) -> Proof | None:
        """Why nothing can be proven with these, if so (RFC 5155 §8.1, §8.2, RFC 9276 §3.2)."""
        if len({link.parameters for link in self._links}) > 1:
            return lacking("the NSEC3 RRs of the answer have different salts or iterations")
        if self._parameters.algorithm != _SHA1:
            return lacking(f"NSEC3 hash algorithm {self._parameters.algorithm} is not known")
        iterations = self._parameters.iterations
        if iterations > MAX_ITERATIONS:
            return lacking(
                f"NSEC3 has {iterations} iterations: validators take zones with more than"
                f" {MAX_ITERATIONS} for insecure or bogus"
            )
        return None

    def no_name(self, name: dns.name.Name) -> Proof:
        """A closest encloser proof, and a link over the wildcard there (RFC 5155 §8.4)."""
        link = self._at(name)
        if link is not None:
            return lacking(f"NXDOMAIN, and {link.bits.of} says that {name} exists")
        encloser, proof = self._closest(name)
        if encloser is None:
            return proof
        wildcard = wildcard_below(encloser)
        at = self._at(wildcard)
        if at is not None:
            return lacking(f"NXDOMAIN, and {at.bits.of} says that {wildcard} exists")
        if self._over(wildcard) is None:
            return lacking(f"no NSEC3 covers {wildcard}, which would answer for {name}")
        return proof

    def no_data(self, name: dns.name.Name, rdtype: int) -> Proof:
        """The name's own link without the type (RFC 5155 §8.5); for what an opt-out span hides, a
        closest encloser proof (§8.6); or that, and the wildcard's link without it (§8.7)."""
        link = self._at(name)
        if link is not None:
            return link.bits.without(rdtype, name)
        encloser, proof = self._closest(name)
        if encloser is None:
            return proof
        at = self._at(wildcard_below(encloser))
        if at is not None:
            found = at.bits.without(rdtype, wildcard_below(encloser))
            return found if found.problems else proof
        kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(rdtype))
        if proof.insecure:
            # A delegation that is left out, or an empty non-terminal above such alone.
            return proof
        if rdtype == DS:
            return lacking(
                f"no NSEC3 of {name} shows that it has no DS, and the span is not opt-out"
            )
        return lacking(
            f"no data, and NSEC3 say that {name} does not exist: none shows that"
            f" {wildcard_below(encloser)} exists and has no {kind}"
        )

    def no_closer(self, name: dns.name.Name, encloser: dns.name.Name) -> Proof:
        """A link over the name one label below the wildcard's parent (RFC 5155 §8.8)."""
        closer = above(name, len(encloser) + 1)
        return self._gap(closer, f"{name} comes from {wildcard_below(encloser)}, and ")

    def no_signer(self, cut: dns.name.Name) -> Proof:
        """The delegation's link without DS, or an opt-out span over it (RFC 5155 §8.9)."""
        link = self._at(cut)
        if link is not None:
            return link.bits.no_signer()
        encloser, proof = self._closest(cut)
        if encloser is not None and not proof.insecure:
            return lacking(
                f"no NSEC3 of {cut} shows that it has no DS, and the span is not opt-out"
            )
        return proof

    def _closest(self, name: dns.name.Name) -> tuple[dns.name.Name | None, Proof]:
        """The closest encloser, if it is proven that it is (RFC 5155 §8.3)."""
        for labels in range(len(name) - 1, len(self._apex) - 1, -1):
            encloser = above(name, labels)
            link = self._at(encloser)
            if link is None:
                continue
            if link.bits.leads_away():
                what = "delegation" if link.bits.is_cut() else "DNAME"
                return None, lacking(f"{link.bits.of} is that of a {what}, and {name} lies below")
            proof = self._gap(above(name, labels + 1))
            return (None if proof.problems else encloser), proof
        return None, lacking(f"no NSEC3 of the answer is that of a name above {name}")

    def _gap(self, name: dns.name.Name, front: str = "") -> Proof:
        """Whether a link covers a name."""
        link = self._over(name)
        if link is None:
            shown = base64.b32hexencode(hashed(name, self._parameters)).decode().lower()
            return lacking(f"{front}no NSEC3 covers {name} ({shown})")
        if link.opt_out:
            return Proof(insecure=OPTED_OUT)
        return PROVEN

    def _at(self, name: dns.name.Name) -> HashedLink | None:
        wanted = hashed(name, self._parameters)
        return next((link for link in self._links if link.owner == wanted), None)

    def _over(self, name: dns.name.Name) -> HashedLink | None:
        wanted = hashed(name, self._parameters)
        return next((link for link in self._links if _covers(link, wanted)), None)


def _covers(link: HashedLink, wanted: bytes) -> bool:
    """Whether a hash lies in the gap of a link."""
    if link.owner < link.next:
        return link.owner < wanted < link.next
    # The last one, whose next is the first, or the only one.
    return wanted > link.owner or wanted < link.next

"""Denial by NSEC: RFC 4035 §5.4, RFC 6840 §4, compact denial of RFC 9824."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, cast

import dns.name
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.NSEC import NSEC

from lzc.dnssec.validation.denial import (
    NXNAME,
    PROVEN,
    Bits,
    Proof,
    above,
    lacking,
    types_of,
    wildcard_below,
)
from lzc.dnssec.validation.names import ordered, shared


class Link(NamedTuple):
    """An NSEC RR: from its owner to the next name."""

    owner: dns.name.Name
    next: dns.name.Name
    bits: Bits

    @classmethod
    def of(cls, rrset: dns.rrset.RRset) -> Link:
        """The first RR of an NSEC RRset, which has but one."""
        rdata = cast(NSEC, rrset[0])
        bits = Bits(types_of(rdata.windows), f"the NSEC of {rrset.name}")
        return cls(ordered(rrset.name), ordered(rdata.next), bits)


class NsecDenial:
    """The NSEC RRs of a zone in an answer."""

    def __init__(self, apex: dns.name.Name, links: Iterable[Link]) -> None:
        self._apex = apex
        self._links = tuple(links)

    def no_name(self, name: dns.name.Name) -> Proof:
        """Two names that no NSEC's name is, and that each lie in a gap: the name and the wildcard
        at its closest encloser (RFC 4035 §5.4)."""
        link = self._at(name)
        if link is not None and NXNAME in link.bits.types:
            return PROVEN
        if link is not None:
            return lacking(f"NXDOMAIN, and {link.bits.of} says that the name exists")
        link = self._over(name)
        if link is None:
            return lacking(f"no NSEC covers {name}{self._why_not(name)}")
        if link.next.is_subdomain(name):
            return lacking(f"NXDOMAIN, and {link.bits.of} says that {link.next} exists below")
        wildcard = wildcard_below(self._encloser(link, name))
        at = self._at(wildcard)
        if at is not None:
            return lacking(f"NXDOMAIN, and {at.bits.of} says that the wildcard exists")
        over = self._over(wildcard)
        if over is None:
            return lacking(f"no NSEC covers {wildcard}, which would answer for {name}")
        if over.next.is_subdomain(wildcard):
            return lacking(f"NXDOMAIN, and {over.bits.of} says that {over.next} exists below")
        return PROVEN

    def no_data(self, name: dns.name.Name, rdtype: int) -> Proof:
        """The name's own NSEC without the type; one over an empty non-terminal; or one over the
        name, and one that shows its wildcard without the type (RFC 4035 §3.1.3.4)."""
        link = self._at(name)
        if link is not None:
            return link.bits.without(rdtype, name)
        over = self._over(name)
        if over is None:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(rdtype))
            why = self._why_not(name)
            return lacking(
                f"no NSEC shows that {name} has no {kind}: none is its own or covers it{why}"
            )
        if over.next.is_subdomain(name):
            return PROVEN
        wildcard = wildcard_below(self._encloser(over, name))
        link = self._at(wildcard)
        if link is not None:
            return link.bits.without(rdtype, wildcard)
        at = self._over(wildcard)
        if at is not None and at.next.is_subdomain(wildcard):
            return PROVEN
        kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(rdtype))
        return lacking(
            f"no data, and {over.bits.of} says that {name} does not exist: no NSEC shows that"
            f" {wildcard} exists and has no {kind}"
        )

    def no_closer(self, name: dns.name.Name, encloser: dns.name.Name) -> Proof:
        """An NSEC over the name, which leaves the wildcard's parent as the closest encloser
        (RFC 4035 §5.3.4)."""
        if self._at(name) is not None:
            return lacking(f"{name} comes from a wildcard, and its own NSEC says that it exists")
        link = self._over(name)
        wildcard = wildcard_below(encloser)
        if link is None:
            why = self._why_not(name)
            return lacking(
                f"{name} comes from {wildcard}, and no NSEC shows that it does not exist{why}"
            )
        if link.next.is_subdomain(name):
            return lacking(
                f"{name} comes from {wildcard}, and {link.bits.of} says that {link.next} exists"
            )
        closest = self._encloser(link, name)
        if closest != encloser:
            return lacking(
                f"{name} comes from {wildcard}, and {link.bits.of} says that {closest} exists,"
                " which is closer"
            )
        return PROVEN

    def no_signer(self, cut: dns.name.Name) -> Proof:
        """The delegation's own NSEC, without DS (RFC 4035 §5.2)."""
        link = self._at(cut)
        if link is None:
            return lacking(f"no NSEC of {cut} shows that it has no DS")
        return link.bits.no_signer()

    def _at(self, name: dns.name.Name) -> Link | None:
        return next((link for link in self._links if link.owner == name), None)

    def _over(self, name: dns.name.Name) -> Link | None:
        """The NSEC whose gap a name lies in."""
        return next((link for link in self._links if self._covers(link, name)), None)

    def _covers(self, link: Link, name: dns.name.Name) -> bool:
        if name.is_subdomain(link.owner) and link.bits.leads_away():
            return False
        return self._spans(link, name)

    def _spans(self, link: Link, name: dns.name.Name) -> bool:
        if not name.is_subdomain(self._apex) or not link.owner < name:
            return False
        return bool(name < link.next) or link.next == self._apex

    def _why_not(self, name: dns.name.Name) -> str:
        """Why an NSEC that seems to cover a name does not."""
        for link in self._links:
            if self._spans(link, name):
                what = "delegation" if link.bits.is_cut() else "DNAME"
                return f" ({link.bits.of} is that of a {what}, which says nothing of names below)"
        return ""

    def _encloser(self, link: Link, name: dns.name.Name) -> dns.name.Name:
        """The closest encloser, by the names at the two ends of the gap (RFC 4592 §3.3.1)."""
        return above(name, max(shared(name, link.owner), shared(name, link.next)))

"""What proves that something is not there, whichever RRs do so."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, Protocol

import dns.name
import dns.rdatatype
from dns.rdatatype import CNAME, DNAME, DS, NS, SOA

from lzc.dnssec.validation.names import of_labels

NXNAME: Final = 128
"""The type that an NSEC of a name that does not exist lists (RFC 9824 §2)."""


class Proof(NamedTuple):
    """Whether something is proven: the problems, in words; and why it is proven only as far as
    delegations may be left out of the chain (opt-out), or is not looked at, if that is so."""

    problems: tuple[str, ...] = ()
    insecure: str = ""


PROVEN: Final = Proof()


def lacking(problem: str) -> Proof:
    """Not proven, for one reason."""
    return Proof((problem,))


class Denial(Protocol):
    """The NSEC, or NSEC3, RRs of an answer, whose signatures hold."""

    def no_name(self, name: dns.name.Name) -> Proof:
        """Neither the name nor a wildcard for it exists."""

    def no_data(self, name: dns.name.Name, rdtype: int) -> Proof:
        """The name exists, or its wildcard does, or names below it, but has no such type."""

    def no_closer(self, name: dns.name.Name, encloser: dns.name.Name) -> Proof:
        """Nothing closer to the name than the wildcard below ``encloser`` exists."""

    def no_signer(self, cut: dns.name.Name) -> Proof:
        """A delegation has no DS."""


class Bits(NamedTuple):
    """A type bitmap, and how what holds it is called."""

    types: frozenset[int]
    of: str

    def is_cut(self) -> bool:
        """True for the parent's side of a delegation."""
        return NS in self.types and SOA not in self.types

    def leads_away(self) -> bool:
        """True where nothing is said about names below (RFC 6840 §4.1)."""
        return self.is_cut() or DNAME in self.types

    def without(self, rdtype: int, name: dns.name.Name) -> Proof:
        """Whether they deny a type at the name (RFC 6840 §4.1, §4.3, §4.4)."""
        if rdtype in self.types:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(rdtype))
            return lacking(f"{self.of} lists {kind}, and the answer has none")
        if CNAME in self.types:
            kind = dns.rdatatype.to_text(dns.rdatatype.RdataType(rdtype))
            return lacking(f"{self.of} lists CNAME, which is the answer to {kind}")
        if rdtype != DS and self.is_cut():
            return lacking(f"{self.of} is that of a delegation, which denies nothing but DS")
        if rdtype == DS and SOA in self.types and name != dns.name.root:
            return lacking(f"{self.of} is the child's, and DS is the parent's to deny")
        return PROVEN

    def no_signer(self) -> Proof:
        """Whether they are those of a delegation without DS (RFC 6840 §4.4)."""
        if DS in self.types:
            return lacking(f"{self.of} lists DS, and the referral has none")
        if SOA in self.types:
            return lacking(f"{self.of} is the child's, and DS is the parent's to deny")
        if NS not in self.types:
            return lacking(f"{self.of} lists no NS: it is not that of a delegation")
        return PROVEN


def types_of(windows: Iterable[tuple[int, bytes]]) -> frozenset[int]:
    """The RR types of a bitmap as dnspython reads it."""
    return frozenset(
        window << 8 | octet << 3 | bit
        for window, octets in windows
        for octet, value in enumerate(octets)
        for bit in range(8)
        if value & 0x80 >> bit
    )


def wildcard_below(encloser: dns.name.Name) -> dns.name.Name:
    """The wildcard whose parent is that name."""
    return of_labels((b"*", *encloser.labels))


def above(name: dns.name.Name, labels: int) -> dns.name.Name:
    """The ancestor of a name with so many labels, the root's counted."""
    return of_labels(name.labels[len(name.labels) - labels :])

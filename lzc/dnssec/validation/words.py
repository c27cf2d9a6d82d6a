"""How names, types, times and keys are called in what a validator says."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import cast

import dns.dnssec
import dns.name
import dns.rdatatype
import dns.rrset
from dns.rdtypes.ANY.DNSKEY import DNSKEY
from dns.rdtypes.ANY.RRSIG import RRSIG

from lzc.dnssec import algorithms


def moment(seconds: float) -> str:
    """Seconds since the epoch as UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def rrset_name(name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> str:
    """An RRset by its owner and type."""
    return f"{name} {dns.rdatatype.to_text(rdtype)}"


def key_name(tag: int, algorithm: int) -> str:
    """A key by its tag and algorithm."""
    return f"key {tag} ({algorithms.to_text(algorithm)})"


def dnskeys(rrset: dns.rrset.RRset) -> list[DNSKEY]:
    """The RDATA of a DNSKEY RRset."""
    return [cast(DNSKEY, rdata) for rdata in rrset]


def rrsigs_over(
    section: Sequence[dns.rrset.RRset], name: dns.name.Name, rdtype: dns.rdatatype.RdataType
) -> dns.rrset.RRset | None:
    """The RRSIGs over an RRset, in its section."""
    for other in section:
        if (other.rdtype, other.covers) == (dns.rdatatype.RRSIG, rdtype) and other.name == name:
            return other
    return None


def signatures(rrset: dns.rrset.RRset | None) -> list[RRSIG]:
    """The RDATA of an RRSIG RRset; none without one."""
    return [] if rrset is None else [cast(RRSIG, rdata) for rdata in rrset]


def tag_of(key: DNSKEY) -> int:
    """The key tag (RFC 4034 appendix B)."""
    return dns.dnssec.key_id(key)

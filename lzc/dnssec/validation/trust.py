"""From the DS to the DNSKEY RRset: RFC 4035 §5.2."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple, cast

import dns.dnssec
import dns.exception
import dns.message
import dns.name
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import dns.zonefile
from dns.rdatatype import DNSKEY, DS
from dns.rdtypes.ANY.DNSKEY import DNSKEY as Key
from dns.rdtypes.ANY.DS import DS as Signer

from lzc.dnssec.validation.signature_check import REVOKED, SignatureCheck, ZoneKeys
from lzc.dnssec.validation.words import dnskeys, key_name, rrsigs_over, tag_of

_DIGESTS: Final = (2, 4)
"""Digest types of DS records that count; SHA-1 and GOST do not any more (RFC 9905, RFC 9906)."""


class Chain(NamedTuple):
    """The DNSKEY RRset that a DS RRset leads to, and what is wrong on the way, in words. ``until``:
    when the first of its signatures expires, in seconds since the epoch."""

    keys: ZoneKeys | None
    problems: tuple[str, ...]
    until: float = float("inf")


def read_anchors(text: str) -> dict[dns.name.Name, tuple[Signer, ...]]:
    """DS records by owner, of text in the form of a zone file with DS and DNSKEY records of any
    zones; a DNSKEY counts as its DS. Raises `ValueError`."""
    try:
        rrsets = dns.zonefile.read_rrsets(text, rdclass=None, default_ttl=0)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"no DS and DNSKEY records: {error}") from error
    found: dict[dns.name.Name, list[Signer]] = {}
    for rrset in rrsets:
        if rrset.rdtype not in (DS, DNSKEY):
            kind = dns.rdatatype.to_text(rrset.rdtype)
            raise ValueError(f"{rrset.name} {kind} is neither DS nor DNSKEY")
        for rdata in rrset:
            record = rdata if rrset.rdtype == DS else ds_of(rrset.name, cast(Key, rdata))
            found.setdefault(rrset.name, []).append(cast(Signer, record))
    if not found:
        raise ValueError("no DS or DNSKEY record")
    return {name: tuple(records) for name, records in found.items()}


def ds_of(zone: dns.name.Name, key: Key, digest: str = "SHA256") -> Signer:
    """The DS record of a key."""
    return dns.dnssec.make_ds(zone, key, digest)


def ds_of_rdata(zone: dns.name.Name, dnskey: bytes) -> Signer:
    """The DS record of a key, which is given as DNSKEY RDATA."""
    rdata = dns.rdata.from_wire(dns.rdataclass.IN, DNSKEY, dnskey, 0, len(dnskey))
    return ds_of(zone, cast(Key, rdata))


def chain(
    apex: dns.name.Name, wire: bytes | None, anchors: Sequence[Signer], check: SignatureCheck
) -> Chain:
    """What the answer to a query for the DNSKEY RRset of a zone is worth, given its DS records.

    One DS of each algorithm has to lead to a key that signs the DNSKEY RRset, and every algorithm
    of the DS and of the DNSKEY RRset has to sign it (RFC 4035 §2.2).
    """
    name = f"{apex} DNSKEY"
    try:
        answer = [] if wire is None else dns.message.from_wire(wire, ignore_trailing=True).answer
    except (dns.exception.DNSException, ValueError) as error:
        return Chain(None, (f"the answer to {name} is no message: {error}",))
    rrset = next((one for one in answer if (one.name, one.rdtype) == (apex, DNSKEY)), None)
    if rrset is None:
        return Chain(None, (f"there is no {name}, and there is a DS",))
    usable = [record for record in anchors if record.digest_type in _DIGESTS]
    if not usable:
        return Chain(None, (f"no DS of {apex} has a digest that validators take (SHA-256)",))
    keys = ZoneKeys(apex, rrset)
    held = check.look(rrset, rrsigs_over(answer, apex, DNSKEY), keys)
    problems = list(held.problems)
    for algorithm in sorted({int(record.algorithm) for record in usable}):
        of_algorithm = [record for record in usable if record.algorithm == algorithm]
        problems += _faults_of(apex, dnskeys(rrset), of_algorithm, held.by)
    return Chain(None if problems else keys, tuple(dict.fromkeys(problems)), held.until)


def _faults_of(
    apex: dns.name.Name,
    keys: Iterable[Key],
    records: Sequence[Signer],
    by: frozenset[tuple[int, int]],
) -> list[str]:
    """Why none of the DS records, all of one algorithm, leads to a key that signs the RRset."""
    faults = []
    for record in records:
        key = next((key for key in keys if _names(apex, record, key)), None)
        named = f"the DS of {key_name(record.key_tag, record.algorithm)}"
        if key is None:
            faults.append(f"{named} fits no key in the DNSKEY RRset of {apex}")
        elif key.flags & REVOKED:
            faults.append(f"{named} names a key of {apex} that is revoked")
        elif (tag_of(key), key.algorithm) not in by:
            faults.append(f"{named} names a key of {apex} that does not sign the DNSKEY RRset")
        else:
            return []
    return faults


def _names(apex: dns.name.Name, record: Signer, key: Key) -> bool:
    """Whether a DS is that of a key (RFC 4034 §5.1.4)."""
    if (record.key_tag, record.algorithm) != (tag_of(key), key.algorithm):
        return False
    digest = {2: "SHA256", 4: "SHA384"}[record.digest_type]
    return ds_of(apex, key, digest).digest == record.digest

"""CDS and CDNSKEY, by which a zone asks its parent for DS records (RFC 7344, RFC 8078)."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from lzc.dnssec import ds

CDS: Final = 59
CDNSKEY: Final = 60
DELETE_CDS: Final = b"\x00\x00\x00\x00\x00"
"""``0 0 0 00``: take all DS records away (RFC 8078 §4)."""
DELETE_CDNSKEY: Final = b"\x00\x00\x03\x00\x00"
"""``0 3 0 AA==``: the same."""
DELETE: Final = frozenset({DELETE_CDS, DELETE_CDNSKEY})


def cds_rdatas(zone: bytes, dnskeys: Iterable[bytes], digests: Iterable[int]) -> list[bytes]:
    """The RDATA of the CDS records of DNSKEYs of a zone (wire name), one for each digest type."""
    types = sorted(set(digests))
    return sorted({ds.ds_rdata(zone, key, digest) for key in dnskeys for digest in types})


def asked(
    zone: bytes,
    named: Iterable[bytes],
    digests: Iterable[int],
    *,
    cdnskey: bool,
    delete: bool = False,
) -> dict[int, tuple[bytes, ...]]:
    """The RDATA of CDS and CDNSKEY, by type, that a zone (wire name) is to have for the DNSKEYs
    that ``named`` are: a CDS for each of the digest types, and with ``cdnskey`` the keys. With
    ``delete`` these ask for no DS at all, for which ``digests`` has to say something, too. Types
    without records are left out."""
    named, digests = sorted(set(named)), tuple(digests)
    found = {}
    if digests:
        found[CDS] = (DELETE_CDS,) if delete else tuple(cds_rdatas(zone, named, digests))
    if cdnskey:
        found[CDNSKEY] = (DELETE_CDNSKEY,) if delete else tuple(named)
    return {rrtype: rdatas for rrtype, rdatas in found.items() if rdatas}


def without(
    zone: bytes, sync: Mapping[int, Sequence[bytes]], dnskeys: Iterable[bytes]
) -> dict[int, tuple[bytes, ...]]:
    """CDS and CDNSKEY records by type, but for those that name one of the DNSKEYs of a zone (wire
    name); types of which nothing is left are left out."""
    named = set(dnskeys)
    named |= {ds.ds_rdata(zone, key, digest) for key in named for digest in ds.DIGESTS.values()}
    left = {
        rrtype: tuple(rdata for rdata in rdatas if rdata not in named)
        for rrtype, rdatas in sync.items()
    }
    return {rrtype: rdatas for rrtype, rdatas in left.items() if rdatas}


def dnskey_text(zone: str, dnskey: bytes, rrtype: str = "DNSKEY") -> str:
    """A DNSKEY or CDNSKEY record as a line of a zone file, without a TTL."""
    public = base64.b64encode(dnskey[4:]).decode("ascii")
    flags = int.from_bytes(dnskey[:2], "big")
    return f"{zone} IN {rrtype} {flags} {dnskey[2]} {dnskey[3]} {public}"


def cds_text(zone: str, rdata: bytes) -> str:
    """A CDS record as a line of a zone file, without a TTL."""
    tag = int.from_bytes(rdata[:2], "big")
    return f"{zone} IN CDS {tag} {rdata[2]} {rdata[3]} {rdata[4:].hex().upper()}"

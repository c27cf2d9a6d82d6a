"""The DS record that the parent publishes for a key (RFC 4034 §5, RFC 4509, RFC 6605)."""

from __future__ import annotations

import hashlib
from typing import Final

from lzc.dnssec.key import key_tag
from lzc.wire import name as wire_name

SHA256: Final = 2
SHA384: Final = 4

DIGESTS: Final = {"sha256": SHA256, "sha384": SHA384}
"""Digest types that RFC 8624 §3.3 lets new DS records have, by the names the command line uses."""


def ds_rdata(zone: bytes, dnskey: bytes, digest_type: int = SHA256) -> bytes:
    """DS RDATA of a DNSKEY (RDATA) of a zone (wire name). ``digest_type`` is 2 or 4."""
    hashed = hashlib.sha256 if digest_type == SHA256 else hashlib.sha384
    head = key_tag(dnskey).to_bytes(2, "big") + bytes((dnskey[3], digest_type))
    return head + hashed(zone.lower() + dnskey).digest()


def to_text(zone: bytes, rdata: bytes) -> str:
    """A DS record as a line of the parent's zone file, without a TTL."""
    tag = int.from_bytes(rdata[:2], "big")
    return f"{wire_name.to_text(zone)} IN DS {tag} {rdata[2]} {rdata[3]} {rdata[4:].hex().upper()}"

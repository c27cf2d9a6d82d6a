"""A DNSSEC key: what stands in the DNSKEY, when it is used, and how it signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from lzc.dnssec import algorithms
from lzc.dnssec.algorithms import PrivateKey, Sign
from lzc.dnssec.timing import Timing

ZONE_KEY: Final = 0x0100
"""DNSKEY flag that every key here has (RFC 4034 §2.1.1)."""
SEP: Final = 0x0001
"""Secure Entry Point flag: a KSK, or a CSK (RFC 4034 §2.1.1)."""

ZSK_FLAGS: Final = ZONE_KEY
KSK_FLAGS: Final = ZONE_KEY | SEP
PROTOCOL: Final = 3


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of a zone with its DNSKEY.

    ``zone`` is the lower-case wire name of the apex, ``algorithm`` one of 8, 13, 14, 15, ``flags``
    256 (ZSK) or 257 (KSK or CSK), ``tag`` the key tag of RFC 4034 appendix B, ``dnskey`` the DNSKEY
    RDATA. ``sign`` signs octets and returns the Signature field of an RRSIG; the same octets give
    the same signature. The private key never shows in ``repr``.
    """

    zone: bytes
    algorithm: int
    flags: int
    tag: int
    dnskey: bytes
    timing: Timing
    private: PrivateKey = field(repr=False, compare=False)
    sign: Sign = field(repr=False, compare=False)

    @classmethod
    def make(
        cls,
        zone: bytes,
        algorithm: int,
        flags: int,
        private: PrivateKey,
        timing: Timing | None = None,
    ) -> SigningKey:
        """The key of a zone (wire name, any case) from its parts."""
        head = flags.to_bytes(2, "big") + bytes((PROTOCOL, algorithm))
        dnskey = head + algorithms.public_octets(private)
        return cls(
            zone=zone.lower(),
            algorithm=algorithm,
            flags=flags,
            tag=key_tag(dnskey),
            dnskey=dnskey,
            timing=timing or Timing(),
            private=private,
            sign=algorithms.signer(private),
        )

    @property
    def is_sep(self) -> bool:
        """True for a KSK or CSK: the flag that asks the parent for a DS."""
        return bool(self.flags & SEP)


def key_tag(dnskey: bytes) -> int:
    """The key tag of DNSKEY RDATA (RFC 4034 appendix B; not for algorithm 1)."""
    padded = dnskey + b"\x00" if len(dnskey) & 1 else dnskey
    total = sum(int.from_bytes(padded[at : at + 2], "big") for at in range(0, len(padded), 2))
    return (total + (total >> 16)) & 0xFFFF


class PublicKey(Protocol):
    """What is known of a key without its private half."""

    @property
    def algorithm(self) -> int:
        """The DNSSEC algorithm number."""

    @property
    def is_sep(self) -> bool:
        """True for a KSK or CSK."""


def role(key: PublicKey, siblings: Iterable[PublicKey]) -> str:
    """``KSK``, ``ZSK`` or ``CSK``, given the keys of its zone: a key with the SEP flag signs all of
    the zone, and is a CSK, unless its algorithm has a ZSK as well."""
    if not key.is_sep:
        return "ZSK"
    has_zsk = any(not other.is_sep and other.algorithm == key.algorithm for other in siblings)
    return "KSK" if has_zsk else "CSK"

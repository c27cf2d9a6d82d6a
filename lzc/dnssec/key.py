"""A DNSSEC key: what stands in the DNSKEY, when it is used, and how it signs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol

from lzc.dnssec import algorithms
from lzc.dnssec.algorithms import PrivateKey, Sign
from lzc.dnssec.life.timing import Timing
from lzc.dnssec.token.key import TokenKey
from lzc.dnssec.token.uri import TokenUri

ZONE_KEY: Final = 0x0100
"""DNSKEY flag that every key here has (RFC 4034 §2.1.1)."""
SEP: Final = 0x0001
"""Secure Entry Point flag: a KSK, or a CSK (RFC 4034 §2.1.1)."""
REVOKE: Final = 0x0080
"""Flag of a key that is not to be trusted any more, which signs the DNSKEY RRset to say so
(RFC 5011 §2.1)."""

ZSK_FLAGS: Final = ZONE_KEY
KSK_FLAGS: Final = ZONE_KEY | SEP
FLAGS: Final = frozenset({ZSK_FLAGS, KSK_FLAGS, ZSK_FLAGS | REVOKE, KSK_FLAGS | REVOKE})
"""What a DNSKEY that signs a zone may have."""
PROTOCOL: Final = 3


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key of a zone with its DNSKEY.

    ``zone`` is the lower-case wire name of the apex, ``algorithm`` one of `algorithms.MNEMONICS`,
    ``flags`` 256 (ZSK) or 257 (KSK or CSK), either with `REVOKE`, ``tag`` the key tag of RFC 4034
    appendix B, ``dnskey`` the DNSKEY RDATA. ``sign`` signs octets and returns the Signature field
    of an RRSIG; the same octets give the same signature. ``predecessor`` and ``successor`` are the
    tags of keys in a rollover, where the file says so. The private key never shows in ``repr``.

    A private key may lie in a token: ``private`` says where, ``sign`` raises `Unreachable` where
    that does not do it, and signatures of ECDSA differ from one time to the next.
    """

    zone: bytes
    algorithm: int
    flags: int
    tag: int
    dnskey: bytes
    timing: Timing
    private: PrivateKey | TokenKey = field(repr=False, compare=False)
    sign: Sign = field(repr=False, compare=False)
    predecessor: int | None = None
    successor: int | None = None
    managed: bool = False
    """True when BIND's ``dnssec-policy`` looks after the key: ``timing`` is made of what its
    ``.state`` file says then."""

    @classmethod
    def make(
        cls,
        zone: bytes,
        algorithm: int,
        flags: int,
        private: PrivateKey | TokenKey,
        timing: Timing | None = None,
    ) -> SigningKey:
        """The key of a zone (wire name, any case) from its parts."""
        head = flags.to_bytes(2, "big") + bytes((PROTOCOL, algorithm))
        sign: Sign
        if isinstance(private, TokenKey):
            public, sign = private.public, private.sign
        else:
            public = algorithms.public_octets(private)
            sign = algorithms.signer(algorithm, private)
        dnskey = head + public
        return cls(
            zone=zone.lower(),
            algorithm=algorithm,
            flags=flags,
            tag=key_tag(dnskey),
            dnskey=dnskey,
            timing=timing or Timing(),
            private=private,
            sign=sign,
        )

    @property
    def token(self) -> TokenUri | None:
        """Where the private key lies, if that is in a token."""
        return self.private.uri if isinstance(self.private, TokenKey) else None

    @property
    def is_sep(self) -> bool:
        """True for a KSK or CSK that is not revoked: one to have a DS at the parent."""
        return is_sep(self.flags)

    @property
    def is_revoked(self) -> bool:
        """True when the DNSKEY says so."""
        return bool(self.flags & REVOKE)

    def revoked(self) -> SigningKey:
        """The same key with the flag `REVOKE`, and so another DNSKEY and tag."""
        return self.with_flags(self.flags | REVOKE)

    def with_flags(self, flags: int) -> SigningKey:
        """The same key with other flags, and so another DNSKEY and tag."""
        dnskey = flags.to_bytes(2, "big") + self.dnskey[2:]
        return replace(self, flags=flags, dnskey=dnskey, tag=key_tag(dnskey))

    def at(self, now: float) -> SigningKey:
        """The key as its DNSKEY is published at ``now``: revoked from its date on."""
        return self.revoked() if self.timing.is_revoked(now) else self


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A DNSKEY of another operator, which the zone publishes, and whose private key is elsewhere
    (RFC 8901)."""

    zone: bytes
    algorithm: int
    flags: int
    tag: int
    dnskey: bytes
    timing: Timing

    @classmethod
    def make(cls, zone: bytes, dnskey: bytes, timing: Timing) -> ForeignKey:
        """The key with this DNSKEY RDATA."""
        flags = int.from_bytes(dnskey[:2], "big")
        return cls(zone.lower(), dnskey[3], flags, key_tag(dnskey), dnskey, timing)

    @property
    def is_sep(self) -> bool:
        """True for a KSK or CSK that is not revoked: one to have a DS at the parent."""
        return is_sep(self.flags)


def is_sep(flags: int) -> bool:
    """Whether a DNSKEY with these flags is to have a DS at the parent: a KSK or CSK that is not
    revoked (RFC 4034 §2.1.1, RFC 5011 §2.1)."""
    return flags & (SEP | REVOKE) == SEP


def revoked(dnskey: bytes) -> tuple[int, int, bytes]:
    """The tag, the flags and the RDATA of a DNSKEY once it is revoked."""
    flags = int.from_bytes(dnskey[:2], "big") | REVOKE
    rdata = flags.to_bytes(2, "big") + dnskey[2:]
    return key_tag(rdata), flags, rdata


def tags_of(dnskey: bytes) -> frozenset[int]:
    """The key tags of DNSKEY RDATA, as it is and once it is revoked: no other key of the zone is to
    have one of them."""
    flags = int.from_bytes(dnskey[:2], "big")
    both = (flags & ~REVOKE, flags | REVOKE)
    return frozenset(key_tag(one.to_bytes(2, "big") + dnskey[2:]) for one in both)


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
    def flags(self) -> int:
        """The flags of the DNSKEY."""


def role(key: PublicKey, siblings: Iterable[PublicKey]) -> str:
    """``KSK``, ``ZSK`` or ``CSK``, given the keys of its zone: a key with the SEP flag signs all of
    the zone, and is a CSK, unless its algorithm has a ZSK as well."""
    if not key.flags & SEP:
        return "ZSK"
    zsks = (other for other in siblings if not other.flags & SEP)
    return "KSK" if any(other.algorithm == key.algorithm for other in zsks) else "CSK"

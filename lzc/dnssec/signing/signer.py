"""RRSIGs made when they are asked for (RFC 4034 §3): which keys sign what, and which octets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple

from lzc.dnssec.algorithms import signature_octets
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.cache import MARK, WEEK, Head, SignatureCache, window
from lzc.dnssec.signing.store import Store
from lzc.dnssec.token.key import TokenKey
from lzc.dnssec.token.sessions import Unreachable
from lzc.faults import Fault
from lzc.wire.name import is_wildcard
from lzc.wire.rdata import canonical

_DNSKEY: Final = 48
"""Signed by the keys that the parent's DS names."""
_ASKS_PARENT: Final = frozenset({59, 60})
"""CDS and CDNSKEY are signed by these keys, too (RFC 7344 §4.1), and by those that sign the data,
as PowerDNS does."""

_RRSIG: Final = 46
_DENIALS: Final = frozenset({47, 50})
"""NSEC and NSEC3."""

# RFC 4034 §6.2: the types most answers hold that have no name in their RDATA and need no
# lower-casing: A, HINFO, TXT, AAAA, DS, NSEC (RFC 6840 §5.1), DNSKEY, NSEC3, NSEC3PARAM, TLSA,
# SVCB, HTTPS, CAA.
_NAMELESS: Final = frozenset({1, 13, 16, 28, 43, 47, 48, 50, 51, 52, 59, 60, 64, 65, 257})

_HEADS: Final = 256
"""What RRSIGs begin with is kept for so many types, TTLs and numbers of labels of a zone."""
_RRSIG_HEAD: Final = Struct(">HBBIIIH").pack
_RR_HEAD: Final = Struct(">HHI").pack
_READ_RR_HEAD: Final = Struct(">HHI").unpack_from
_CLASS_IN: Final = 1


class Roles(NamedTuple):
    """Which keys sign what, at one moment."""

    data: tuple[SigningKey, ...]
    keys: tuple[SigningKey, ...]


def roles(keys: Iterable[SigningKey], now: float) -> Roles:
    """Divide the active keys by what they sign, for each algorithm by itself (RFC 4035 §2.2 wants
    every RRset signed by every algorithm of the DNSKEY RRset).

    KSKs sign DNSKEY, ZSKs the rest, and both CDS and CDNSKEY. An algorithm without ZSKs has its
    KSKs sign everything (CSK), one without KSKs has its ZSKs do so. A revoked key signs DNSKEY, and
    nobody relies on it (RFC 5011 §2.1).
    """
    known = {key.dnskey: key for key in keys}.values()
    active = sorted((key for key in known if _signs(key, now)), key=_order)
    data: list[SigningKey] = []
    apex: list[SigningKey] = []
    for algorithm in sorted({key.algorithm for key in active}):
        seps = [key for key in active if key.algorithm == algorithm and key.is_sep]
        zsks = [key for key in active if key.algorithm == algorithm and not key.is_sep]
        data += zsks or seps
        apex += seps or zsks
    revoked = [key for key in known if key.is_revoked and key.timing.is_published(now)]
    return Roles(tuple(data), tuple(sorted([*apex, *revoked], key=_order)))


def _signs(key: SigningKey, now: float) -> bool:
    return key.timing.is_active(now) and not key.is_revoked


def _order(key: SigningKey) -> tuple[int, int, bytes]:
    return key.algorithm, key.tag, key.dnskey


class ZoneSigner:
    """Signs the RRsets of one zone with the keys that are active at the time.

    ``keys`` are the zone's private keys that stand in its DNSKEY RRset (all with the same zone; at
    least one). Signers of the same zone share entries of the cache, also across a reload.
    """

    __slots__ = (
        "__weakref__",
        "_assigned",
        "_changes",
        "_data",
        "_heads",
        "_key_signers",
        "_keys",
        "_marks",
        "apex",
        "cache",
        "failure",
    )

    def __init__(self, keys: Sequence[SigningKey], cache: SignatureCache) -> None:
        if not keys:
            raise ValueError("a signer needs at least one key")
        self.apex = keys[0].zone
        if any(key.zone != self.apex for key in keys):
            raise ValueError("keys of different zones in one signer")
        self.cache = cache
        self._keys = tuple(keys)
        self._assigned = self._changes = float("-inf")
        self._data: tuple[SigningKey, ...] = ()
        self._key_signers: tuple[SigningKey, ...] = ()
        self._marks: dict[bytes, bytes] = {}
        self._heads: dict[tuple[int, int, int, int], list[Head]] = {}
        self.failure: tuple[Fault, ...] = ()
        """Why a key in a token did not sign: then this signer makes no signatures any more."""

    def sign(
        self,
        owner: bytes,
        rrtype: int,
        ttl: int,
        rdatas: Sequence[bytes],
        now: float,
        passing: bool = False,
    ) -> tuple[bytes, ...]:
        """The RDATA of the RRSIGs over an RRset, one for each key that signs its type.

        ``owner`` is a lower-case wire name, ``ttl`` the original TTL as the zone has it, ``rdatas``
        uncompressed RDATA in any order and case. The owner of an RRset made from a wildcard is the
        wildcard (RFC 4034 §3.1.3). ``passing``: it was made for one QNAME, as every NSEC and NSEC3
        RRset may be. Empty when no key is active at ``now``. Raises `Unreachable` where a key in a
        token does not sign.
        """
        heads = self._heads_at(rrtype, ttl, labels_of(owner), now)
        rrset = _canonical_rrset(owner, rrtype, ttl, rdatas)
        store = self._store(rrtype, passing)
        try:
            return tuple([head.rdata + self._signature(store, head, rrset) for head in heads])
        except Unreachable as error:
            self._fail(error)
            raise

    def head(self, rrtype: int, ttl: int, labels: int, now: float) -> Head | None:
        """What goes before the signature over an RRset of a type whose canonical form is the one
        that it is stored in, with a TTL and so many labels (RFC 4034 §3.1.3). `None` where `sign`
        has more to do: several keys sign, or none, or one in a token."""
        heads = self._heads_at(rrtype, ttl, labels, now) if rrtype in _NAMELESS else ()
        return heads[0] if len(heads) == 1 and heads[0].octets else None

    def signs(self, now: float) -> bool:
        """True when a key is active at ``now``."""
        return any(_signs(key, now) for key in self._keys)

    def changes_after(self, now: float) -> float:
        """The next moment at which other keys may be active; infinity when there is none."""
        return min(key.timing.changes_after(now) for key in self._keys)

    def make_again(self, key: bytes, valid_until: int) -> bytes | None:
        """The signature over what an entry of the cache is of, in the window that ends then; `None`
        where that was made with another key, or a token does not sign."""
        rrset = key[MARK:]
        end = 0
        while length := rrset[end]:
            end += 1 + length
        rrtype, _, ttl = _READ_RR_HEAD(rrset, end + 1)
        for head in self._heads_until(rrtype, ttl, labels_of(rrset), valid_until):
            if head.mark == key[:MARK] and not self.failure:
                try:
                    return head.sign(head.rdata + rrset)
                except Unreachable as error:
                    self._fail(error)
        return None

    def _assign_roles(self, now: float) -> None:
        self._assigned = now
        self._data, self._key_signers = roles(self._keys, now)
        self._changes = self.changes_after(now)
        self._heads.clear()
        self._marks = {
            key.dnskey: sha256(self.apex + key.dnskey).digest()[:MARK]
            for key in (*self._data, *self._key_signers)
        }
        for mark in self._marks.values():
            self.cache.of_signer(mark, self)

    def _signing(self, rrtype: int) -> Sequence[SigningKey]:
        """The keys that sign the RRsets of a type."""
        if rrtype == _DNSKEY:
            return self._key_signers
        if rrtype in _ASKS_PARENT:
            others = [key for key in self._key_signers if not key.is_revoked]
            return [*self._data, *(key for key in others if key not in self._data)]
        return self._data

    def _store(self, rrtype: int, passing: bool) -> Store:
        return self.cache.passing if passing or rrtype in _DENIALS else self.cache.lasting

    def _signature(self, store: Store, head: Head, rrset: bytes) -> bytes:
        cache, key = self.cache, head.mark + rrset
        found = store.find(key)
        if found is not None:
            cache.kept += 1
            return found
        if self.failure:
            # A token that is not there may take a while to say so.
            raise Unreachable(self.failure)
        return cache.make(store, head, key)

    def _fail(self, error: Unreachable) -> None:
        self.failure = error.faults
        self.cache.failed.add(self.apex)

    def _heads_at(self, rrtype: int, ttl: int, labels: int, now: float) -> list[Head]:
        """One for each key that signs the type, in the window of ``now``, which is that of the
        cache then."""
        cache = self.cache
        if not self._assigned <= now < self._changes:
            self._assign_roles(now)
        if not cache.valid_until - WEEK <= now < cache.valid_until:
            cache.move(window(now).valid_until)
        return self._heads_until(rrtype, ttl, labels, cache.valid_until)

    def _heads_until(self, rrtype: int, ttl: int, labels: int, valid_until: int) -> list[Head]:
        ident = rrtype, ttl, labels, valid_until
        found = self._heads.get(ident)
        if found is None:
            if len(self._heads) >= _HEADS:
                self._heads.clear()
            found = self._heads[ident] = [self._head(key, *ident) for key in self._signing(rrtype)]
        return found

    def _head(self, key: SigningKey, rrtype: int, ttl: int, labels: int, valid_until: int) -> Head:
        times = valid_until + WEEK, valid_until - 2 * WEEK
        rdata = _RRSIG_HEAD(rrtype, key.algorithm, labels, ttl, *times, key.tag) + self.apex
        octets, rr = 0, b""
        if not isinstance(key.private, TokenKey):
            octets = signature_octets(key.algorithm, key.private)
            rr = _RR_HEAD(_RRSIG, _CLASS_IN, ttl) + (len(rdata) + octets).to_bytes(2, "big") + rdata
        mark = self._marks[key.dnskey]
        return Head(self.cache, rdata, rr, mark, octets, key.sign, self._changes)


def _canonical_rrset(owner: bytes, rrtype: int, ttl: int, rdatas: Sequence[bytes]) -> bytes:
    """An RRset in canonical form and order, as it is signed (RFC 4034 §6)."""
    if rrtype not in _NAMELESS:
        rdatas = [canonical(rrtype, rdata) for rdata in rdatas]
    if len(rdatas) > 1:
        rdatas = sorted(set(rdatas))
    rr_head = owner + _RR_HEAD(rrtype, _CLASS_IN, ttl)
    return b"".join([rr_head + len(rdata).to_bytes(2, "big") + rdata for rdata in rdatas])


def labels_of(owner: bytes) -> int:
    """The Labels field of an owner: without root and without a leading ``*`` (RFC 4034 §3.1.3)."""
    labels = position = 0
    while length := owner[position]:
        position += 1 + length
        labels += 1
    return labels - 1 if is_wildcard(owner) else labels

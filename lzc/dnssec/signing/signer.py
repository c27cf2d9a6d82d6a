"""RRSIGs made when they are asked for (RFC 4034 §3), and kept.

Inception and expiration stand still for a week at a time, so a signature over the same RRset can
be used again until the window moves, and every server with the same key makes the same one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from struct import Struct
from typing import Final, NamedTuple
from weakref import WeakValueDictionary

from lzc.dnssec.algorithms import Sign
from lzc.dnssec.key import SigningKey
from lzc.dnssec.signing.store import OCTETS, CacheKey, Signatures, Store
from lzc.dnssec.token.sessions import Unreachable
from lzc.faults import Fault
from lzc.wire.name import is_wildcard
from lzc.wire.rdata import canonical

WEEK: Final = 7 * 86400
"""Seconds between two moves of the window."""

_DNSKEY: Final = 48
"""Signed by the keys that the parent's DS names."""
_ASKS_PARENT: Final = frozenset({59, 60})
"""CDS and CDNSKEY are signed by these keys, too (RFC 7344 §4.1), and by those that sign the data,
as PowerDNS does."""

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
_CLASS_IN: Final = 1


class Window(NamedTuple):
    """Validity of the signatures made at one moment, seconds since the epoch. They are to be made
    anew from ``valid_until`` on, two weeks before they expire."""

    inception: int
    expiration: int
    valid_until: int


def window(now: float) -> Window:
    """The validity window at ``now``: with W the last Thursday 00:00 UTC, from W − 7 days to
    W + 14 days, as PowerDNS has it."""
    start = int(now) // WEEK * WEEK
    return Window(start - WEEK, start + 2 * WEEK, start + WEEK)


class SignatureCache:
    """RRSIGs made in the current window, for all zones of a worker.

    Holds at most ``entries`` RRsets, and ``octets``. What a flood of random names has signed, and
    never asks for again, is ``passing``: it has a quarter of both for itself, and takes no place
    from the ``lasting``. RRSIGs are counted: those ``made``, in ``seconds`` of ``clock``, and those
    ``kept`` that were asked for again.

    ``failed`` are the apexes of zones with a key in a token that did not sign; who looks at them
    takes them away.

    Those of the next window may be made beforehand (`lzc.dnssec.signing.renewal`), for what is in
    the cache then: as many again, for that time.
    """

    __slots__ = (
        *("_signers", "_upcoming", "clock", "failed", "kept", "lasting", "made", "passing"),
        *("seconds", "upcoming_until", "valid_until"),
    )

    def __init__(
        self,
        entries: int = 65536,
        octets: int = OCTETS,
        clock: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.clock = clock
        self.made = self.kept = 0
        self.failed: set[bytes] = set()
        self.seconds = 0.0
        self.lasting = Store(entries - entries // 4, octets - octets // 4)
        self.passing = Store(entries // 4, octets // 4)
        self.valid_until = 0
        """End of the window the entries belong to, seconds since the epoch."""
        self.upcoming_until = 0
        """End of the next window, where its signatures are being made; else 0."""
        self._upcoming: tuple[Signatures, Signatures] = ({}, {})
        self._signers: WeakValueDictionary[bytes, ZoneSigner] = WeakValueDictionary()

    def __len__(self) -> int:
        return sum(len(one.young) + len(one.old) for one in (self.lasting, self.passing))

    def move(self, valid_until: int) -> None:
        """Drop everything but what was made for it: from now on entries belong to the window that
        ends then."""
        known = self._upcoming if self.upcoming_until == valid_until else ({}, {})
        for store, entries in zip((self.lasting, self.passing), known, strict=True):
            store.clear()
            store.old = entries
        self._upcoming, self.upcoming_until = ({}, {}), 0
        self.valid_until = valid_until

    def of_signer(self, ident: bytes, signer: ZoneSigner) -> None:
        """The entries whose keys begin with ``ident`` are made by this signer."""
        self._signers[ident] = signer

    def begin_upcoming(self, valid_until: int) -> None:
        """Signatures are made for the next window, which ends then."""
        self._upcoming, self.upcoming_until = ({}, {}), valid_until

    def without_upcoming(self) -> list[CacheKey]:
        """What has no signatures of the next window yet; what is asked for most comes first."""
        return [
            key
            for store, made in zip((self.lasting, self.passing), self._upcoming, strict=True)
            for generation in (store.young, store.old)
            for key in generation
            if key not in made and key[0] in self._signers
        ]

    def make_upcoming(self, key: CacheKey) -> None:
        """Make the signatures of the next window over what an entry is of, if that is still in the
        cache, and has a signer with the same keys."""
        signer = self._signers.get(key[0])
        for store, made in zip((self.lasting, self.passing), self._upcoming, strict=True):
            if signer is not None and (key in store.young or key in store.old) and key not in made:
                began = self.clock()
                try:
                    found = signer.make_again(key, self.upcoming_until)
                except Unreachable:
                    found = ()
                self.seconds += self.clock() - began
                self.made += len(found)
                if found:
                    made[key] = found


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
    least one). Signers of the same zone with the same active keys share entries of the cache, also
    across a reload.
    """

    __slots__ = (
        "__weakref__",
        "_assigned",
        "_changes",
        "_data",
        "_heads",
        "_ident",
        "_key_signers",
        "_keys",
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
        self._ident = b""
        self._heads: dict[tuple[int, int, int, int], list[tuple[bytes, Sign]]] = {}
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
        cache = self.cache
        if not self._assigned <= now < self._changes:
            self._assign_roles(now)
        if not cache.valid_until - WEEK <= now < cache.valid_until:
            cache.move(window(now).valid_until)
        key = (self._ident, owner, rrtype, ttl, tuple(rdatas))
        store = cache.passing if passing or rrtype in _DENIALS else cache.lasting
        found = store.young.get(key)
        if found is not None:
            cache.kept += len(found)
            return found
        found = store.old.get(key)
        if found is None:
            began = cache.clock()
            found = self._make(owner, rrtype, ttl, rdatas, cache.valid_until)
            cache.seconds += cache.clock() - began
            cache.made += len(found)
        else:
            cache.kept += len(found)
        store.put(key, found)
        return found

    def signs(self, now: float) -> bool:
        """True when a key is active at ``now``."""
        return any(_signs(key, now) for key in self._keys)

    def changes_after(self, now: float) -> float:
        """The next moment at which other keys may be active; infinity when there is none."""
        return min(key.timing.changes_after(now) for key in self._keys)

    def _assign_roles(self, now: float) -> None:
        self._assigned = now
        self._data, self._key_signers = roles(self._keys, now)
        self._changes = self.changes_after(now)
        self._heads.clear()
        digest = sha256(self.apex)
        for key in (*self._data, *self._key_signers):
            digest.update(key.dnskey)
        self._ident = self.apex + digest.digest()[:8]
        self.cache.of_signer(self._ident, self)

    def make_again(self, key: CacheKey, valid_until: int) -> tuple[bytes, ...]:
        """The signatures over what an entry of the cache is of, in the window that ends then; none
        where that was made with other keys."""
        ident, owner, rrtype, ttl, rdatas = key
        return self._make(owner, rrtype, ttl, rdatas, valid_until) if ident == self._ident else ()

    def _signing(self, rrtype: int) -> Sequence[SigningKey]:
        """The keys that sign the RRsets of a type."""
        if rrtype == _DNSKEY:
            return self._key_signers
        if rrtype in _ASKS_PARENT:
            others = [key for key in self._key_signers if not key.is_revoked]
            return [*self._data, *(key for key in others if key not in self._data)]
        return self._data

    def _make(
        self, owner: bytes, rrtype: int, ttl: int, rdatas: Sequence[bytes], valid_until: int
    ) -> tuple[bytes, ...]:
        if self.failure:
            # A token that is not there may take a while to say so.
            raise Unreachable(self.failure)
        if rrtype not in _NAMELESS:
            rdatas = [canonical(rrtype, rdata) for rdata in rdatas]
        if len(rdatas) > 1:
            rdatas = sorted(set(rdatas))
        rr_head = owner + _RR_HEAD(rrtype, _CLASS_IN, ttl)
        rrset = b"".join([rr_head + len(rdata).to_bytes(2, "big") + rdata for rdata in rdatas])
        ident = (rrtype, ttl, _count(owner), valid_until)
        signers = self._heads.get(ident) or self._add_heads(ident)
        try:
            return tuple([head + sign(head + rrset) for head, sign in signers])
        except Unreachable as error:
            self.failure = error.faults
            self.cache.failed.add(self.apex)
            raise

    def _add_heads(self, ident: tuple[int, int, int, int]) -> list[tuple[bytes, Sign]]:
        """What RRSIG RDATA begins with, up to the signature, by each key that signs the type, and
        what signs; of a type, an original TTL, a number of labels, and a window."""
        rrtype, ttl, labels, valid_until = ident
        times = valid_until + WEEK, valid_until - 2 * WEEK
        if len(self._heads) >= _HEADS:
            self._heads.clear()
        found = self._heads[ident] = [
            (_RRSIG_HEAD(rrtype, key.algorithm, labels, ttl, *times, key.tag) + self.apex, key.sign)
            for key in self._signing(rrtype)
        ]
        return found


def _count(owner: bytes) -> int:
    """The Labels field of an owner: without root and without a leading ``*`` (RFC 4034 §3.1.3)."""
    labels = position = 0
    while length := owner[position]:
        position += 1 + length
        labels += 1
    return labels - 1 if is_wildcard(owner) else labels

"""Signatures of the window that is now, kept for all zones of a worker.

Inception and expiration stand still for a week at a time, so a signature over the same RRset can
be used again until the window moves, and every server with the same key makes the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol
from weakref import WeakValueDictionary

from lzc.dnssec.algorithms import Sign
from lzc.dnssec.signing.store import OCTETS, Signatures, Store

WEEK: Final = 7 * 86400
"""Seconds between two moves of the window."""
MARK: Final = 8
"""Octets of `Head.mark`."""


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


class Signer(Protocol):
    """The part of `lzc.dnssec.signing.signer.ZoneSigner` that a cache needs."""

    def make_again(self, key: bytes, valid_until: int) -> bytes | None:
        """The signature over what an entry is of, in the window that ends then, if it has one."""


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
        self._signers: WeakValueDictionary[bytes, Signer] = WeakValueDictionary()

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

    def of_signer(self, mark: bytes, signer: Signer) -> None:
        """The entries whose keys begin with ``mark`` are made by this signer."""
        self._signers[mark] = signer

    def begin_upcoming(self, valid_until: int) -> None:
        """Signatures are made for the next window, which ends then."""
        self._upcoming, self.upcoming_until = ({}, {}), valid_until

    def without_upcoming(self) -> list[bytes]:
        """What has no signatures of the next window yet; what is asked for most comes first."""
        return [
            key
            for store, made in zip((self.lasting, self.passing), self._upcoming, strict=True)
            for generation in (store.young, store.old)
            for key in generation
            if key not in made and key[:MARK] in self._signers
        ]

    def make_upcoming(self, key: bytes) -> None:
        """Make the signature of the next window over what an entry is of, if that is still in the
        cache, and has a signer with the same key."""
        signer = self._signers.get(key[:MARK])
        for store, made in zip((self.lasting, self.passing), self._upcoming, strict=True):
            if signer is not None and (key in store.young or key in store.old) and key not in made:
                began = self.clock()
                found = signer.make_again(key, self.upcoming_until)
                self.seconds += self.clock() - began
                if found is not None:
                    self.made += 1
                    made[key] = found

    def make(self, store: Store, head: Head, key: bytes) -> bytes:
        """The signature with this key, which is ``head.mark`` and an RRset in canonical form, made
        and kept. Raises `Unreachable` where a key in a token does not sign."""
        began = self.clock()
        found = head.sign(head.rdata + key[MARK:])
        self.seconds += self.clock() - began
        self.made += 1
        store.put(key, found)
        return found


class Head(NamedTuple):
    """What goes before the signature of a key over an RRset of a type, an original TTL and a number
    of labels, in one window: ``rdata`` is the RDATA of the RRSIG so far, and what is signed begins
    with it too (RFC 4034 §3.1.8.1), ``rr`` the whole RR from its type on. ``mark`` is what the
    ``cache`` knows the key by, ``octets`` are those of the signature, and ``sign`` makes it. Of a
    key in a token, which may fail, ``octets`` is 0, and there is no ``rr``. Another key may sign
    from ``until`` on, in seconds since the epoch."""

    cache: SignatureCache
    rdata: bytes
    rr: bytes
    mark: bytes
    octets: int
    sign: Sign
    until: float


class Unsigned(NamedTuple):
    """An RRset with one RRSIG, which was yet to be made when it was looked for in the ``store``:
    see `SignatureCache.make`."""

    store: Store
    head: Head
    key: bytes

    def signature(self) -> bytes:
        """The signature, which is made now unless it came in the meantime."""
        store, head, key = self
        found = store.find(key)
        if found is None:
            return head.cache.make(store, head, key)
        head.cache.kept += 1
        return found

"""Where signatures are kept, by what they are over, in bounded memory."""

from __future__ import annotations

from typing import Final

MAX_RRSET: Final = 4096
"""Octets of RDATA in an RRset whose signatures are kept."""
OCTETS: Final = 2**26
"""Octets that all entries of a cache take at most, as CPython has them."""
_ENTRY: Final = 350
"""Octets of an entry besides: its tuples, its place, an object for each part."""
_RDATA: Final = 45
"""Octets of an RDATA besides: its object, and where it stands."""

CacheKey = tuple[bytes, bytes, int, int, tuple[bytes, ...]]
"""Zone and keys, owner, type, TTL, and RDATA."""
Signatures = dict[CacheKey, tuple[bytes, ...]]


class Store:
    """Signatures by what they are over, in two generations: when the young one has half of the
    entries, or of the octets, it becomes the old one, whose entries are dropped at the next turn
    unless asked for again. That is close to least-recently-used and costs a hit nothing but one or
    two dict look-ups."""

    __slots__ = ("_half", "_half_octets", "_octets", "old", "young")

    def __init__(self, entries: int, octets: int) -> None:
        self._half = max(1, entries // 2)
        self._half_octets = octets // 2
        self.clear()

    def clear(self) -> None:
        """Drop everything."""
        self.young: dict[CacheKey, tuple[bytes, ...]] = {}
        self.old: dict[CacheKey, tuple[bytes, ...]] = {}
        self._octets = 0

    def put(self, key: CacheKey, signatures: tuple[bytes, ...]) -> None:
        """Keep the signatures of an RRset, unless that is so large that few like it would fill the
        memory: LUA records may make up one for each query."""
        rdatas = key[4]
        # Most have one of each, and half of the time would be the sums.
        size = len(rdatas[0]) if len(rdatas) == 1 else sum(map(len, rdatas))
        if size > MAX_RRSET:
            return
        size += _ENTRY + _RDATA * len(rdatas) + len(key[1])
        size += len(signatures[0]) if len(signatures) == 1 else sum(map(len, signatures))
        self._octets += size
        if len(self.young) >= self._half or self._octets > self._half_octets:
            self.old = self.young
            self.young = {}
            self._octets = size
        self.young[key] = signatures

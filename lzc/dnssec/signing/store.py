"""Where signatures are kept, by what they are over, in bounded memory."""

from __future__ import annotations

from typing import Final

MAX_RRSET: Final = 4096
"""Octets of a key, that is of an RRset and some more, whose signature is kept."""
OCTETS: Final = 2**26
"""Octets that all entries of a cache take at most, as CPython has them."""
_ENTRY: Final = 200
"""Octets of an entry besides: its place, and the headers of two bytes objects."""

Signatures = dict[bytes, bytes]
"""The Signature fields of RRSIGs by `lzc.dnssec.signing.cache.Head.mark` of their key and the RRset
in canonical form. Two strings, as a flood of names has tens of thousands of entries made a second:
with tuples of what an RRset consists of, and the answer beside it, an entry took 3.5 µs rather than
1.5, garbage collection included."""


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
        self.young: Signatures = {}
        self.old: Signatures = {}
        self._octets = 0

    def find(self, key: bytes) -> bytes | None:
        """The signature with this key; what is found in the old generation is young again."""
        found = self.young.get(key)
        if found is None:
            found = self.old.get(key)
            if found is not None:
                self.put(key, found)
        return found

    def put(self, key: bytes, signature: bytes) -> None:
        """Keep the signature of an RRset, unless that is so large that few like it would fill the
        memory: LUA records may make up one for each query."""
        size = len(key)
        if size > MAX_RRSET:
            return
        size += _ENTRY + len(signature)
        self._octets += size
        if len(self.young) >= self._half or self._octets > self._half_octets:
            self.old = self.young
            self.young = {}
            self._octets = size
        self.young[key] = signature

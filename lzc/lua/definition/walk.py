"""The order in which PowerDNS walks the weighted items of a list: that of a hash table of C++
(libstdc++'s ``unordered_map<int, …>``) that they were put into by their positions. ``api/walk.lua``
has it for records that run, and for tables that are no plain list."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

ROOM: Final = (13, 29, 59, 127, 257, 541, 1109, 2357, 5087, 10273)
"""Buckets of such a table as it grows; it grows when it holds as many keys."""


@lru_cache(maxsize=256)
def list_walk(count: int) -> tuple[int, ...]:
    """The positions of ``count`` items, from 0, in the order of the walk. Raises `ValueError` for
    more items than `ROOM` knows of."""
    if count > ROOM[-1]:
        raise ValueError(f"{count} weighted items")
    chain: list[int] = []
    rooms = iter(ROOM)
    room = 0
    for place in range(1, count + 1):
        if len(chain) == room:
            room = next(rooms)
            grown: list[int] = []
            for key in chain:
                _place(grown, key, room)
            chain = grown
        _place(chain, place, room)
    return tuple(key - 1 for key in chain)


def _place(chain: list[int], key: int, room: int) -> None:
    """All keys hang on one chain. A key goes in front of those of its bucket, or of all."""
    bucket = key % room
    for at, other in enumerate(chain):
        if other % room == bucket:
            chain.insert(at, key)
            return
    chain.insert(0, key)

"""Consistent hashing, as ``pickchashed`` has it.

An item of weight w owns the points lookup2("item-0") … lookup2("item-(w-1)") of a ring of 2**32;
a client belongs to the owner of the first point from its own hash on. So a change of one weight
moves only a part of the clients, and the order of the items makes no difference.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, Final, NamedTuple

MAX_POINTS: Final = 65_536
"""Points of one ring at most: the sum of its weights."""

MAX_HASHED: Final = 2**23
"""Octets that are hashed for one ring at most: each point hashes its item's text."""

MAX_KEPT: Final = 2**24
"""Octets of all rings that are kept at most: a point takes 16, and there are the items."""

_NUMBER: Final = 6
"""Octets that the number of a point takes behind its item's text, the hyphen included."""

_BUILD: Final = b"""
local core = {}
assert(loadstring((...), '=hash'))(core)
local lookup2 = core.lookup2
return function(item, count)
  local points = {}
  for i = 1, count do points[i] = string.format('%08x', lookup2(item .. '-' .. (i - 1))) end
  return table.concat(points)
end
"""


class _Ring(NamedTuple):
    points: array[int]
    owners: array[int]


class Rings:
    """Builds rings, and keeps those in use, in so many ``octets``."""

    def __init__(self) -> None:
        self._rings: OrderedDict[bytes, _Ring] = OrderedDict()
        self.octets = 0
        self._hashes: Callable[[bytes, int], bytes] | None = None

    def __len__(self) -> int:
        return len(self._rings)

    def owner(self, key: bytes, position: int) -> int:
        """Which item (from 1) a hash belongs to. ``key`` holds the items, each as its weight, a
        blank and its text, with a zero octet behind. Raises `ValueError` for more points than
        `MAX_POINTS`, or none, and for more to be hashed than `MAX_HASHED`."""
        ring = self._rings.get(key)
        if ring is None:
            ring = self._add(key)
        else:
            self._rings.move_to_end(key)
        points, owners = ring
        place = bisect_left(points, position)
        return owners[place if place < len(points) else 0]

    def _add(self, key: bytes) -> _Ring:
        items = [item.partition(b" ") for item in key.split(b"\0")[:-1]]
        weights = [int(weight) for weight, _, _ in items]
        size = sum(weights)
        if min(weights, default=0) < 0 or not 0 < size <= MAX_POINTS:
            raise ValueError(f"the sum of weights is {size}; it may be from 1 to {MAX_POINTS}")
        sizes = [len(text) for _, _, text in items]
        if hashed_octets(zip(sizes, weights, strict=True)) > MAX_HASHED:
            raise ValueError("the items are too long for their weights")
        # Of equal points, the item that sorts first owns both, wherever it stands.
        ranked = sorted(range(len(items)), key=lambda number: items[number][2])
        found = sorted(
            point << 32 | rank
            for rank, number in enumerate(ranked)
            for point in self._points(items[number][2], weights[number])
        )
        ring = _Ring(
            array("L", [both >> 32 for both in found]),
            array("L", [1 + ranked[both & 0xFFFFFFFF] for both in found]),
        )
        self._rings[key] = ring
        self.octets += _octets(key, ring)
        # All of them go where one alone is too large.
        while self.octets > MAX_KEPT:
            self.octets -= _octets(*self._rings.popitem(last=False))
        return ring

    def _points(self, text: bytes, weight: int) -> tuple[int, ...]:
        if self._hashes is None:
            self._hashes = _hashing()
        return struct.unpack(f">{weight}I", bytes.fromhex(self._hashes(text, weight).decode()))


def hashed_octets(items: Iterable[tuple[int, int]]) -> int:
    """Octets that a ring hashes, of items given as the size of their text and their weight."""
    return sum((size + _NUMBER) * weight for size, weight in items)


def _octets(key: bytes, ring: _Ring) -> int:
    return len(key) + 16 * len(ring.points)


def _hashing() -> Callable[[bytes, int], bytes]:
    """The hash in a Lua state of its own: compiled there, it takes 0.1 µs a point, and what it
    does is not counted against a record's limits."""
    # Here, as builds look at the bounds only.
    import lupa.luajit21 as lupa

    runtime: Any = lupa.LuaRuntime(encoding=None, register_eval=False, register_builtins=False)
    build: Callable[[bytes, int], bytes] = runtime.execute(_BUILD, source())
    return build


@cache
def source() -> bytes:
    """The code of the hash, read once."""
    from importlib import resources

    return resources.files("lzc.lua.engine").joinpath("api", "hash.lua").read_bytes()

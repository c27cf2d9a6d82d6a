"""Pieces of octets from one process to another, through memory that both share: whoever writes does
not wait, makes no system call and wakes nobody up; whoever reads looks now and then.

One process writes and one reads. Positions only grow, and each has one writer: aligned 8-octet
stores do not tear. A process that dies leaves nothing half done, as a piece is there once its end
is said; the next one goes on from there.
"""

from __future__ import annotations

import ctypes
import mmap
import struct
import threading
from collections.abc import Iterator
from typing import Final

SIZE: Final = 4 * 2**20
"""Octets of a ring; memory is taken as far as it is used."""
COUNTS: Final = 8
"""Numbers that the writer keeps in it, too."""
_NEAR: Final = 2**17
"""Octets after which a ring that is empty is written from its beginning again, which the caches of
a processor have yet."""
_WRITTEN: Final = 0
_BASE: Final = 1
"""The position that is at the beginning of memory."""
_READ: Final = 8
_COUNTS: Final = 16
_WANTED: Final = 24
_HEAD: Final = 256
_ALIGNED: Final = 8
_length: Final = struct.Struct("=Q")


class OctetRing:
    """``size`` is a power of two. Make it before the fork of those who use it. ``octets`` are those
    of pieces; ``address`` is where they begin in memory."""

    __slots__ = (
        *("_begin", "_mask", "_order", "_room", "_size", "_words"),
        *("address", "counts", "octets"),
    )

    def __init__(self, size: int = SIZE) -> None:
        mapped = mmap.mmap(-1, _HEAD + size)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(mapped)) + _HEAD
        memory = memoryview(mapped)
        self._size = size
        self._mask = size - 1
        # As far as it is known that there is room: what is read since makes more.
        self._room = size
        self._begin = 0
        self._words = memory[:_HEAD].cast("Q")
        # Positions lie in cache lines of their own, and so do counts.
        self.counts = self._words[_COUNTS : _COUNTS + COUNTS]
        self.octets = memory[_HEAD:]
        self._order = threading.Lock()
        self._order.acquire()
        self.wanted = True

    @property
    def wanted(self) -> bool:
        """Whether who reads has a use for all of it, as far as he said."""
        return bool(self._words[_WANTED])

    @wanted.setter
    def wanted(self, wanted: bool) -> None:
        self._words[_WANTED] = wanted

    def put(self, pieces: list[bytes]) -> bool:
        """Hand these over as one; false where there is no room."""
        body = b"".join(pieces)
        place = self._place(len(body))
        if place is None:
            return False
        self.octets[place : place + len(body)] = body
        self.hand_over(place, len(body))
        return True

    def space(self, octets: int) -> tuple[int, int] | None:
        """Where a piece of so many ``octets`` has room: from the first of these places in
        ``octets`` of the ring up to the second, which may be more. `None` where there is none."""
        place = self._place(octets)
        if place is None:
            return None
        return place, place + min(self._size - place, self._room - self._begin - _ALIGNED)

    def hand_over(self, place: int, octets: int) -> None:
        """What lies from this place on, which `space` said last, is a piece of so many octets."""
        _length.pack_into(self.octets, place - _ALIGNED, octets)
        self._in_order()
        self._words[_WRITTEN] = self._begin + _ALIGNED + (octets + _ALIGNED - 1 & -_ALIGNED)

    def _place(self, octets: int) -> int | None:
        size = _ALIGNED + (octets + _ALIGNED - 1 & -_ALIGNED)
        written = self._words[_WRITTEN]
        at = written - self._words[_BASE] & self._mask
        if at > _NEAR or at + size > self._size or written + size > self._room:
            read = self._words[_READ]
            self._room = read + self._size
            if read == written:
                # Who reads looks at this once there is a piece again.
                self._words[_BASE] = written
                at = 0
            rest = self._size - at if at + size > self._size else 0
            if written + rest + size > self._room:
                return None
            if rest:
                # No piece: the next one is at the beginning.
                _length.pack_into(self.octets, at, 0)
                written, at = written + rest, 0
        self._begin = written
        return at + _ALIGNED

    def take(self) -> Iterator[bytes]:
        """All that is there, piece by piece, which makes room for others."""
        read, written = self._words[_READ], self._words[_WRITTEN]
        self._in_order()
        # It stays so until all is taken.
        base = self._words[_BASE]
        while read < written:
            at = read - base & self._mask
            (octets,) = _length.unpack_from(self.octets, at)
            if not octets:
                read = self._words[_READ] = read + self._size - at
                continue
            found = bytes(self.octets[at + _ALIGNED : at + _ALIGNED + octets])
            self._in_order()
            read += _ALIGNED + (octets + _ALIGNED - 1 & -_ALIGNED)
            self._words[_READ] = read
            yield found

    def _in_order(self) -> None:
        """Have processors of any kind do what comes before this before what comes after."""
        self._order.release()
        self._order.acquire()

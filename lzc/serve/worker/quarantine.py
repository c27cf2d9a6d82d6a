"""Code of LUA records that is not run after it stopped a worker, and code that ran to its end.

Where code of a zone hangs or crashes a worker, the rest of it is not trusted unless it has shown
that it ends. Each worker marks what did, in a table of its own in shared memory that outlives it;
all read all tables. A new bundle begins anew.
"""

from __future__ import annotations

import hashlib
import mmap
from dataclasses import dataclass, field
from typing import Any, Final

from lzc.wire import name as wire_name


@dataclass(slots=True)
class Quarantine:
    """``codes`` (`lzc.serve.worker.guard.code_id`) by the name that was asked for, ``zones`` by
    apex."""

    codes: dict[int, str] = field(default_factory=dict)
    zones: set[bytes] = field(default_factory=set)

    def add(self, code: int, name: str, apex: bytes) -> None:
        """Code of a zone stopped a worker that was asked for a name."""
        self.codes[code] = name
        self.zones.add(apex)

    def clear(self) -> None:
        """Another bundle is live."""
        self.codes.clear()
        self.zones.clear()

    def status(self) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        return {
            "quarantine": [
                {"code": f"{code:016x}", "name": name} for code, name in self.codes.items()
            ],
            "held_zones": sorted(wire_name.to_text(apex) for apex in self.zones),
        }


CODES: Final = 65536
"""Codes that a worker marks at most; what comes later is taken for code that never ran."""

_ROOM: Final = 2 * CODES
_BUNDLE: Final = 0
_COUNT: Final = 1
_HEAD: Final = 2
_MAP_NORESERVE: Final = 0x4000  # of Linux; the mmap module of Python 3.11 does not have it


class Proven:
    """The tables of at most ``workers`` workers; made before the first fork. Codes are numbers
    from 1 to 2**64 - 1 (`lzc.serve.worker.guard.code_id`). A word has one writer and is read
    without a lock."""

    def __init__(self, workers: int) -> None:
        size = (_HEAD + _ROOM) * 8
        # A table takes memory once it is written, and room is not asked for ahead.
        flags = mmap.MAP_SHARED | mmap.MAP_ANONYMOUS | _MAP_NORESERVE
        memory = memoryview(mmap.mmap(-1, workers * size, flags)).cast("Q")
        self._used = memoryview(mmap.mmap(-1, 8)).cast("Q")
        self._tables = [
            memory[worker * size // 8 : (worker + 1) * size // 8] for worker in range(workers)
        ]

    def of_worker(self, worker: int) -> Marks:
        """What the worker with this number, from 0, writes and reads."""
        self._used[0] = max(self._used[0], worker + 1)
        return Marks(self._tables, self._tables[worker], self._used)


class Marks:
    """The tables as one worker sees them, of which the first that ``used`` says ever had one."""

    def __init__(
        self, tables: list[memoryview[int]], own: memoryview[int], used: memoryview[int]
    ) -> None:
        self._tables = tables
        self._used = used
        self._own = own
        self._bundle = 0

    def begin(self, bundle: str) -> None:
        """Answers come from this bundle from now on: what ran in another is forgotten."""
        digest = hashlib.blake2b(bundle.encode(), digest_size=8).digest()
        self._bundle = int.from_bytes(digest, "big")
        own = self._own
        if own[_BUNDLE] != self._bundle:
            # Nobody reads a table of bundle 0.
            own[_BUNDLE] = own[_COUNT] = 0
            own[_HEAD:] = memoryview(bytes(_ROOM * 8)).cast("Q")
            own[_BUNDLE] = self._bundle

    def add(self, code: int) -> None:
        """Code ran to its end."""
        own = self._own
        place = _place_of(own, code)
        if not own[place] and own[_COUNT] < CODES:
            own[place] = code
            own[_COUNT] += 1

    def __contains__(self, code: int) -> bool:
        """Whether code ran to its end in this bundle, in any worker."""
        return any(
            table[_BUNDLE] == self._bundle and table[_place_of(table, code)] == code
            for table in self._tables[: self._used[0]]
        )


def _place_of(table: memoryview[int], code: int) -> int:
    """Where a code is, or would be: at least half of the places are empty."""
    place = code % _ROOM
    while (there := table[_HEAD + place]) and there != code:
        place = (place + 1) % _ROOM
    return _HEAD + place

"""Status of every health check, in memory that the checker writes and workers read.

An open-addressing hash table in an anonymous shared mapping, made before the first fork. There is
one writer, the checker, and no lock: a slot is filled before its key is written, and each field a
reader looks at is one octet or one aligned 8-octet word.
"""

from __future__ import annotations

import mmap
import re
import struct
from typing import Final, NamedTuple

from lzc.health_check import MOST_CHECKS

SLOTS: Final = 2 * MOST_CHECKS
"""Slots of the table, a power of two; with more than half of them in use, chains would be long.
Pages nobody touches take no memory."""

UNKNOWN: Final = 0
UP: Final = 1
DOWN: Final = 2
STATUS: Final = ("unknown", "up", "down")

AUTO: Final = 0
DRAIN: Final = 3
FORCES: Final = ("auto", "up", "down", "drain")
"""What an operator may say of a check; those drained are down to answers."""

MOST_NAMED: Final = 128
"""Checks of which the checker tells more in one go, where only some are asked about."""
UNLISTED: Final = b"!"
"""Asks the checker about those that no bundle lists."""

_SIZE: Final = 64
_HEADER: Final = 128
# Header words: how often workers were told that something changed, slots in use, slots
# without a status, whether the checker knows what to check, whether answers may begin; of checks
# that only answers ask for: how many there are, how many were given up for others, how often one
# was refused; when the checker's event loop turned last; how many slots are down; how often a check
# was refused for what it would reach, and for what a query decided of it; how often any check
# became up or down that was the other, and how many runs there were.
GENERATION_WORD: Final = 0
_IN_USE: Final = 1
_AWAITED: Final = 2
_LOADED: Final = 3
OPEN_WORD: Final = 4
_UNLISTED: Final = 5
_EVICTED: Final = 6
_REFUSED: Final = 7
_BEAT: Final = 8
_DOWN: Final = 9
_BARRED: Final = 10
_COMPUTED: Final = 11
_CHANGES: Final = 12
_RUNS: Final = 13
# A slot: key (16), status (1), asked (1), in use (1), what an operator says (1), what the check
# found (1), padding (3), then since, latency, checked, weight, changes. The status is what answers
# follow.
STATUS_OCTET: Final = 16
ASKED_OCTET: Final = 17
_STATE: Final = 18
_FORCED: Final = 19
_FOUND: Final = 20
_TIMES: Final = 24
WEIGHT_OCTET: Final = 48
_CHANGES_OCTET: Final = 56
_EMPTY: Final = 0
_USED: Final = 1
_GRAVE: Final = 2


class Health(NamedTuple):
    """What is known of a check. ``status`` is `UNKNOWN`, `UP` or `DOWN`, ``since`` when it became
    so and ``checked`` when it was last looked at, seconds since the epoch (0: never); ``latency``
    seconds the last run took; ``weight`` the number its body held; ``found`` the status that runs
    gave and ``forced`` what an operator says instead (`AUTO`: nothing). ``changes``: how often it
    became up or down that was the other, while it had this slot."""

    status: int
    since: float = 0.0
    latency: float = 0.0
    checked: float = 0.0
    weight: int = 1
    found: int = UNKNOWN
    forced: int = AUTO
    changes: int = 0


class HealthTable:
    """The table itself. Make it before forking; `open` is for the supervisor, all else that changes
    something for the checker. ``untold`` is true when workers have not heard of all changes."""

    def __init__(self, slots: int = SLOTS) -> None:
        if slots & (slots - 1):
            raise ValueError("the number of slots must be a power of two")
        self._mask = slots - 1
        self._limit = slots // 2
        self._memory = mmap.mmap(-1, _HEADER + slots * _SIZE)
        self.untold = False
        self.octets = memoryview(self._memory)
        self.words = self.octets.cast("Q")

    def generation(self) -> int:
        """Changes whenever any status or weight may have changed."""
        return self.words[GENERATION_WORD]

    def holds(self, offset: int, key: bytes) -> bool:
        """Whether a slot found before is still that of this key."""
        octets = self.octets
        return octets[offset + _STATE] == _USED and octets[offset : offset + 16] == key

    def find(self, key: bytes) -> int:
        """Offset of the slot of a check's key, -1 when it has none."""
        octets = self.octets
        index = self._home(key)
        for _ in range(self._mask + 1):
            offset = _HEADER + index * _SIZE
            state = octets[offset + _STATE]
            if state == _EMPTY:
                return -1
            if state == _USED and octets[offset : offset + 16] == key:
                return offset
            index = index + 1 & self._mask
        return -1

    def add(self, key: bytes) -> int:
        """The slot of a key, a new one with unknown status if there is none; -1: table full."""
        found = self.find(key)
        if found >= 0:
            return found
        if self.words[_IN_USE] >= self._limit:
            return -1
        octets = self.octets
        index = self._home(key)
        while octets[_HEADER + index * _SIZE + _STATE] == _USED:
            index = index + 1 & self._mask
        offset = _HEADER + index * _SIZE
        # Readers walk past it meanwhile: a grave must not look empty, where chains end.
        state = octets[offset + _STATE]
        octets[offset : offset + _SIZE] = key + bytes((0, 0, state)) + bytes(_SIZE - 19)
        self.words[offset + WEIGHT_OCTET >> 3] = 1
        octets[offset + _STATE] = _USED
        self.words[_IN_USE] += 1
        self.words[_AWAITED] += 1
        return offset

    def remove(self, key: bytes, *, tell: bool = True) -> None:
        """Give up a check's slot; untold, that changes nothing in workers until `ask_around`."""
        offset = self.find(key)
        if offset < 0:
            return
        status = self.octets[offset + STATUS_OCTET]
        if status != UP:
            self.words[_AWAITED if status == UNKNOWN else _DOWN] -= 1
        self.octets[offset + STATUS_OCTET] = UNKNOWN
        self.octets[offset + _STATE] = _GRAVE
        self._clear_graves(self._home(key), (offset - _HEADER) // _SIZE)
        self.words[_IN_USE] -= 1
        self._changed(tell)

    def _home(self, key: bytes | memoryview) -> int:
        """The slot where the search for a key begins."""
        return int.from_bytes(key[:8], "little") & self._mask

    def _clear_graves(self, home: int, index: int) -> None:
        """Make graves empty slots on the way that a key had, where no other's way leads past them:
        else searches for what is not there would go through all slots some day."""
        octets = self.octets
        while True:
            state = _HEADER + index * _SIZE + _STATE
            if octets[state] == _GRAVE and not self._is_passed(index):
                octets[state] = _EMPTY
            if index == home:
                return
            index = index - 1 & self._mask

    def _is_passed(self, index: int) -> bool:
        """Whether the way from its home to the slot of any key leads past this slot."""
        octets, mask = self.octets, self._mask
        for distance in range(1, mask + 1):
            offset = _HEADER + (index + distance & mask) * _SIZE
            state = octets[offset + _STATE]
            if state == _EMPTY:
                return False
            here = index + distance
            if state == _USED and here - self._home(octets[offset : offset + 8]) & mask >= distance:
                return True
        return False

    def set(
        self,
        offset: int,
        found: int,
        latency: float,
        now: float,
        weight: int | None = None,
        *,
        tell: bool = True,
    ) -> bool:
        """Record the result of a run, with the weight it gave; True when the status changed. What
        is not told changes nothing in workers until `ask_around`."""
        octets = self.octets
        struct.pack_into("=dd", octets, offset + _TIMES + 8, latency, now)
        octets[offset + _FOUND] = found
        self.words[_RUNS] += 1
        if weight is not None:
            word = offset + WEIGHT_OCTET >> 3
            if self.words[word] != weight:
                self.words[word] = weight
                self._changed(tell)
        return self._settle(offset, now, tell)

    def force(self, offset: int, forced: int, now: float) -> bool:
        """Let an operator's word (one of `FORCES`) count instead of what runs find, or runs again
        with `AUTO`; True when the status changed."""
        self.octets[offset + _FORCED] = forced
        return self._settle(offset, now)

    def restore(self, offset: int, health: Health) -> None:
        """Put back what was known of a check; operators' words are not part of it."""
        self.set(offset, health.found, health.latency, health.checked, health.weight)
        self.words[_RUNS] -= 1
        struct.pack_into("=d", self.octets, offset + _TIMES, health.since)

    def _settle(self, offset: int, now: float, tell: bool = True) -> bool:
        octets = self.octets
        forced = octets[offset + _FORCED]
        status = octets[offset + _FOUND]
        if forced:
            status = UP if forced == UP else DOWN
        before = octets[offset + STATUS_OCTET]
        if before == status:
            return False
        if UNKNOWN in (before, status):
            self.words[_AWAITED] += -1 if before == UNKNOWN else 1
        else:
            self.words[_CHANGES] += 1
            self.words[offset + _CHANGES_OCTET >> 3] += 1
        if DOWN in (before, status):
            self.words[_DOWN] += -1 if before == DOWN else 1
        struct.pack_into("=d", octets, offset + _TIMES, now)
        octets[offset + STATUS_OCTET] = status
        self._changed(tell)
        return True

    def read(self, offset: int) -> Health:
        """Everything known of the check in a slot."""
        octets = self.octets
        since, latency, checked = struct.unpack_from("=ddd", octets, offset + _TIMES)
        weight = self.words[offset + WEIGHT_OCTET >> 3]
        found, forced = octets[offset + _FOUND], octets[offset + _FORCED]
        status = octets[offset + STATUS_OCTET]
        changes = self.words[offset + _CHANGES_OCTET >> 3]
        return Health(status, since, latency, checked, weight, found, forced, changes)

    def beat(self, monotonic: float) -> None:
        """Say that the checker's event loop turns; seconds, kept in µs; 0: not yet."""
        self.words[_BEAT] = int(monotonic * 1e6)

    def last_beat(self) -> float:
        """The time of the last `beat`."""
        return self.words[_BEAT] / 1e6

    def loaded(self) -> None:
        """All that a bundle lists is in the table now."""
        self.words[_LOADED] = 1

    def is_loaded(self) -> bool:
        """True when all that the bundle lists was added, with what was known before."""
        return self.words[_LOADED] != 0

    def complete(self) -> bool:
        """True when all that the bundle lists was added, and of nothing the status is unknown."""
        return self.words[_LOADED] != 0 and self.words[_AWAITED] == 0

    def open(self) -> None:
        """Workers need not wait any longer for first results."""
        self.words[OPEN_WORD] = 1

    def in_use(self) -> list[bytes]:
        """The keys of all checks that have a slot. What is counted is counted anew, as a checker
        may have been killed between any two octets it wrote. All pages are touched."""
        if not self.words[_IN_USE]:
            return []
        octets = self.octets
        # A slice with a step, as a loop over all slots in Python takes 10 ms and more.
        states = bytes(octets[_HEADER + _STATE :: _SIZE])
        places = [found.start() for found in re.finditer(b"%c" % _USED, states)]
        offsets = [_HEADER + place * _SIZE for place in places]
        self.words[_IN_USE] = len(offsets)
        self.words[_AWAITED] = sum(octets[at + STATUS_OCTET] == UNKNOWN for at in offsets)
        self.words[_DOWN] = sum(octets[at + STATUS_OCTET] == DOWN for at in offsets)
        return [bytes(octets[at : at + 16]) for at in offsets]

    def count_unlisted(self, present: int, evicted: int = 0, refused: int = 0) -> None:
        """Say how many checks there are that only answers ask for, and how many more of them were
        given up for others, or refused."""
        self.words[_UNLISTED] = present
        self.words[_EVICTED] += evicted
        self.words[_REFUSED] += refused

    def count_barred(self, barred: int, computed: int) -> None:
        """Say how many times more a check was refused for where it would lead, and for what a query
        decided of it."""
        self.words[_BARRED] += barred
        self.words[_COMPUTED] += computed

    def counts(self) -> dict[str, int]:
        """``checks`` in the table, and how many of them are ``up``, ``down`` and ``unknown``; of
        those that only answers ask for: ``unlisted`` are there, ``unlisted_evicted`` were given up
        for others and ``unlisted_refused`` were too many. How often one was refused: ``barred`` for
        what it would reach, ``computed`` for what a query decided of it. ``changes``: how often one
        became up or down that was the other; ``runs``: how many results there were."""
        words = self.words
        checks, down, unknown = words[_IN_USE], words[_DOWN], words[_AWAITED]
        return {
            "checks": checks,
            # The checker writes meanwhile.
            "up": max(0, checks - down - unknown),
            "down": down,
            "unknown": unknown,
            "unlisted": words[_UNLISTED],
            "unlisted_evicted": words[_EVICTED],
            "unlisted_refused": words[_REFUSED],
            "barred": words[_BARRED],
            "computed": words[_COMPUTED],
            "changes": words[_CHANGES],
            "runs": words[_RUNS],
        }

    def take_asked(self, offset: int) -> bool:
        """True when a worker asked for this check since the last call."""
        asked = self.octets[offset + ASKED_OCTET] != 0
        self.octets[offset + ASKED_OCTET] = 0
        return asked

    def ask_around(self) -> None:
        """Make workers ask again for all they use: they hear what they were not told, and it shows
        what nobody uses any more."""
        self._changed(True)

    def _changed(self, tell: bool) -> None:
        self.untold = not tell
        self.words[GENERATION_WORD] += tell

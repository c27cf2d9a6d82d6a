"""What the LUA records of each zone took, as a worker counts it and as others read it.

A zone has a row for good, from its first execution on, so that no number ever falls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

ROWS: Final = 4096
"""Zones that have a row of their own in a worker; further ones share one."""
_HEAD: Final = 8
_NUMBERS: Final = 5
_NAME: Final = 8 * _NUMBERS
_ROW: Final = _NUMBERS + 32
_MOST: Final = _NUMBERS - 1
WORDS: Final = _HEAD + ROWS * _ROW
"""Words of 8 octets that a table takes; those of rows that are not in use are never touched."""


class ZoneNumbers(NamedTuple):
    """Of one zone: executions of its records, how many failed, the CPU time they took, in
    microseconds, and about how many VM instructions; and the most that one was seen to take since
    the bundle is served, which is no sum."""

    executions: int
    failures: int
    cpu: int
    instructions: int
    most: int

    def plus(self, other: ZoneNumbers) -> ZoneNumbers:
        """Both together."""
        return ZoneNumbers(
            self.executions + other.executions,
            self.failures + other.failures,
            self.cpu + other.cpu,
            self.instructions + other.instructions,
            max(self.most, other.most),
        )

    def less(self, other: ZoneNumbers) -> ZoneNumbers:
        """What came after the others; of ``most``, what is now."""
        return ZoneNumbers(
            self.executions - other.executions,
            self.failures - other.failures,
            self.cpu - other.cpu,
            self.instructions - other.instructions,
            self.most,
        )


NOTHING: Final = ZoneNumbers(0, 0, 0, 0, 0)


class ZoneCount:
    """The same while it is counted; ``seconds`` of CPU time."""

    __slots__ = ("executions", "failures", "instructions", "most", "published", "seconds")

    def __init__(self) -> None:
        self.executions = 0
        self.failures = 0
        self.seconds = 0.0
        self.instructions = self.most = 0
        self.published = 0

    def took(self, instructions: int, executions: int) -> None:
        """An execution took so many VM instructions, and stands for so many of them."""
        self.instructions += instructions * executions
        self.most = max(self.most, instructions)

    def begin(self) -> None:
        """Another bundle is served from now on."""
        if self.most:
            self.most, self.published = 0, -1

    def numbers(self) -> ZoneNumbers:
        """As whole numbers."""
        cpu = int(self.seconds * 1e6)
        return ZoneNumbers(self.executions, self.failures, cpu, self.instructions, self.most)


class ZoneCounts(dict[bytes, ZoneCount]):
    """By apex, made when it is asked for; beyond `ROWS` zones, ``others`` is what all further ones
    share."""

    def __init__(self) -> None:
        super().__init__()
        self.others = ZoneCount()

    def __missing__(self, apex: bytes) -> ZoneCount:
        if len(self) >= ROWS:
            return self.others
        made = self[apex] = ZoneCount()
        return made

    def begin(self) -> None:
        """Another bundle is served from now on."""
        for one in (self.others, *self.values()):
            one.begin()

    def seconds(self) -> float:
        """CPU time of all."""
        return self.others.seconds + sum(one.seconds for one in self.values())


class ZoneTable:
    """The rows of one worker in shared memory: ``words`` and the same as ``octets``. It has one
    writer, whose numbers are added to those that stood there at `begin`."""

    __slots__ = ("_apexes", "_octets", "_others", "_rows", "_words")

    def __init__(self, words: memoryview[int], octets: memoryview[int]) -> None:
        self._words = words
        self._octets = octets
        self._apexes: list[bytes] = []
        self._rows: dict[bytes, tuple[int, ZoneNumbers]] = {}
        self._others = NOTHING
        self.begin()

    def vacate(self) -> None:
        """There is no process now, whose part in what is rather than how often is nothing."""
        for at in (1, *(at for _, at in self._places())):
            self._words[at + _MOST] = 0

    def begin(self) -> None:
        """Go on from what is there."""
        self._others = self._numbers(1)._replace(most=0)
        self._rows = {apex: (at, self._numbers(at)._replace(most=0)) for apex, at in self._places()}

    def write(self, counts: ZoneCounts) -> None:
        """Publish what was counted since `begin`."""
        others = [counts.others]
        for apex, count in counts.items():
            found = self._rows.get(apex) or self._add(apex)
            if found is None:
                others.append(count)
            elif count.published != count.executions + count.failures:
                count.published = count.executions + count.failures
                at, before = found
                self._write(at, before.plus(count.numbers()))
        total = self._others
        for count in others:
            total = total.plus(count.numbers())
        self._write(1, total)

    def read(self) -> tuple[dict[bytes, ZoneNumbers], ZoneNumbers]:
        """By apex; and of those that have no row."""
        rows = {apex: self._numbers(at) for apex, at in self._places()}
        return rows, self._numbers(1)

    def _add(self, apex: bytes) -> tuple[int, ZoneNumbers] | None:
        number = len(self._rows)
        if number >= ROWS:
            return None
        at = _HEAD + number * _ROW
        start = at * 8 + _NAME
        self._octets[start : start + len(apex)] = apex
        self._rows[apex] = at, NOTHING
        # Last, as who reads trusts it.
        self._words[0] = number + 1
        return self._rows[apex]

    def _write(self, at: int, numbers: ZoneNumbers) -> None:
        for place, number in enumerate(numbers, at):
            self._words[place] = number

    def _numbers(self, at: int) -> ZoneNumbers:
        return ZoneNumbers(*self._words[at : at + _NUMBERS])

    def _apex(self, at: int) -> bytes:
        start = at * 8 + _NAME
        raw = bytes(self._octets[start : start + 256])
        end = 0
        while raw[end]:
            end += 1 + raw[end]
        return raw[: end + 1]

    def _places(self) -> Iterator[tuple[bytes, int]]:
        """The apex of each row, which stays what it is, and where its numbers begin."""
        known, rows = len(self._apexes), self._words[0]
        self._apexes += [self._apex(_HEAD + row * _ROW) for row in range(known, rows)]
        return zip(self._apexes, range(_HEAD, WORDS, _ROW), strict=False)

"""The last hour of every health check, one octet a check and minute.

It is kept by columns, as each minute adds one: what is asked of all checks at once (how many
minutes of each were restless) is a few operations on long numbers then, and not one for each octet.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterable
from typing import Final

from lzc.serve.ipc.health_table import DOWN, UNKNOWN, UP, Health

MINUTES: Final = 60
"""How far back it goes."""
NO_DATA: Final = 3
"""The status of a minute that nobody looked at."""
MOST_CHANGES: Final = 63
"""Of a minute; more are counted as this many."""

_BLANK: Final = NO_DATA
_STATUS: Final = 3


def cell(status: int, changes: int) -> int:
    """A minute: the status at its end, and how often it changed until then."""
    return status | min(max(changes, 0), MOST_CHANGES) << 2


def status_of(one: int) -> int:
    """`UP`, `DOWN`, `UNKNOWN` or `NO_DATA`."""
    return one & _STATUS


def changes_of(one: int) -> int:
    """How often it became up or down that was the other, `MOST_CHANGES` at most."""
    return one >> 2


class HealthHistory:
    """Of the checks with the keys that `follow` was given. ``began`` is when the first minute that
    it has ended, seconds since the epoch; 0 before that."""

    def __init__(self, minutes: int = MINUTES) -> None:
        self._minutes = minutes
        self._keys: list[bytes] = []
        self._columns: list[bytearray] = []
        self._changes = array("Q")
        self.began = 0.0

    @property
    def keys(self) -> Collection[bytes]:
        """Those it is about, in the order in which `note` wants to know of them."""
        return self._keys

    def follow(self, keys: Iterable[bytes]) -> None:
        """These are the checks from now on; what is known of those that stay is kept."""
        fresh = sorted(set(keys))
        if fresh == self._keys:
            return
        rows = [self._row(key) for key in fresh]
        # One octet and one number more, for those that are new.
        for number, column in enumerate(self._columns):
            old = column + bytes((_BLANK,))
            self._columns[number] = bytearray(old[row] for row in rows)
        known = [*self._changes, 0]
        self._changes = array("Q", (known[row] for row in rows))
        self._keys = fresh

    def note(self, found: Iterable[Health | None], now: float, missed: int = 0) -> None:
        """The next minute, for each of `keys`; ``missed`` minutes before it nobody looked at."""
        size = len(self._keys)
        for _ in range(min(missed, self._minutes)):
            self._columns.append(bytearray((_BLANK,)) * size)
        column = bytearray(size)
        known = self._changes
        for row, health in enumerate(found):
            if health is None:
                column[row] = _BLANK
                continue
            more = health.changes - known[row]
            # A slot that was given up and taken again counts from 0.
            column[row] = cell(health.status, more if more >= 0 else health.changes)
            known[row] = health.changes
        self._columns.append(column)
        del self._columns[: -self._minutes]
        self.began = self.began or now

    def of(self, key: bytes, health: Health | None = None) -> bytes:
        """The minutes of a check, the oldest first, and the one that has not ended with what is
        known now; nothing where it has none."""
        row = self._row(key)
        if row == len(self._keys):
            return b""
        past = bytes(column[row] for column in self._columns)
        if health is None:
            return past
        more = max(0, health.changes - self._changes[row])
        return (past + bytes((cell(health.status, more),)))[-self._minutes :]

    def restless(self) -> dict[bytes, int]:
        """In how many of the minutes a check changed; those that did not are left out."""
        minutes = self._count(bytes(one > _STATUS for one in range(256)))
        return {self._keys[row]: minutes[row] for row in _places(minutes)}

    def down(self) -> list[int]:
        """How many checks were down at the end of each minute, the oldest first."""
        is_down = bytes(status_of(one) == DOWN for one in range(256))
        return [column.translate(is_down).count(1) for column in self._columns]

    def octets(self) -> int:
        """What it takes of memory, besides the keys, which others have too."""
        columns = sum(len(column) for column in self._columns)
        return columns + len(self._changes) * self._changes.itemsize + len(self._keys) * 8

    def _row(self, key: bytes) -> int:
        """Where a check is; the number of checks where it is not there."""
        row = bisect_left(self._keys, key)
        there = row < len(self._keys) and self._keys[row] == key
        return row if there else len(self._keys)

    def _count(self, which: bytes) -> bytes:
        """For each check, how many of its minutes are in ``which`` (256 octets of 0 and 1)."""
        # No octet of the sum carries over to the next, as there are fewer than 256 minutes.
        total = sum(int.from_bytes(one.translate(which), "little") for one in self._columns)
        return total.to_bytes(len(self._keys), "little")


def _places(counts: bytes) -> list[int]:
    return [row for row, count in enumerate(counts) if count] if counts.strip(b"\0") else []


STATUSES: Final = {UP: "up", DOWN: "down", UNKNOWN: "unknown", NO_DATA: "no data"}

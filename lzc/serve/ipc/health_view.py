"""What a worker sees of the status of health checks."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from lzc.health_check import MOST_CHECKS, Check
from lzc.serve.ipc.health_table import (
    ASKED_OCTET,
    GENERATION_WORD,
    OPEN_WORD,
    STATUS_OCTET,
    UNKNOWN,
    UP,
    WEIGHT_OCTET,
    HealthTable,
)

ASK_AGAIN: Final = 5.0
"""Seconds until a worker that still finds no slot tells the checker again: it may have refused the
check, or not have heard."""
REPORTED: Final = 4096
"""Checks without a slot that a worker remembers to have told of."""


class TableView:
    """A worker's `lzc.health_check.HealthView` over the table.

    ``report`` takes a check that has no slot yet, and the apex of the zone that asks; it must not
    block (a datagram to the checker).
    """

    def __init__(self, table: HealthTable, report: Callable[[Check, bytes], None]) -> None:
        self._table = table
        self._octets = table.octets
        self._words = table.words
        self._report = report
        self._slots: dict[Check, tuple[int, bytes]] = {}
        self._reported: set[tuple[Check, bytes]] = set()
        self._reported_until = 0.0
        self._rounds = 0

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        """Up, down, or not known yet."""
        offset = self._offset(check)
        if offset < 0:
            self._tell(check, zone)
            return None
        self._octets[offset + ASKED_OCTET] = 1
        status = self._octets[offset + STATUS_OCTET]
        return None if status == UNKNOWN else status == UP

    def weight(self, check: Check) -> int:
        """The number in the body that was fetched last; 1 where there is none."""
        offset = self._offset(check)
        return 1 if offset < 0 else self._words[offset + WEIGHT_OCTET >> 3]

    def _offset(self, check: Check) -> int:
        """The slot of a check, -1 when it has none."""
        known = self._slots.get(check)
        # Meanwhile another check may have got it.
        if known is not None and self._table.holds(*known):
            return known[0]
        key = check.key()
        offset = self._table.find(key)
        if offset >= 0:
            if len(self._slots) >= MOST_CHECKS:
                self._slots.clear()
            self._slots[check] = offset, key
        return offset

    def generation(self) -> int:
        """Changes whenever any status or weight may have changed, and every `ASK_AGAIN` seconds
        while there are checks without a slot: nobody asks for them again before."""
        if self._reported and time.monotonic() >= self._reported_until:
            self._reported.clear()
            self._rounds += 1
        return self._words[GENERATION_WORD] + self._rounds

    def opened(self) -> bool:
        """False while answers still wait for the first results."""
        return self._words[OPEN_WORD] != 0

    def _tell(self, check: Check, zone: bytes) -> None:
        now = time.monotonic()
        if now >= self._reported_until or len(self._reported) >= REPORTED:
            self._reported.clear()
            self._reported_until = now + ASK_AGAIN
        if (check, zone) not in self._reported:
            self._reported.add((check, zone))
            self._report(check, zone)

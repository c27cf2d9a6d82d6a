"""A clock that is set while the server runs: answers follow it, and operators are told."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

log = logging.getLogger("lzc")

JUMP: Final = 5.0
"""Seconds between two looks that no slewing makes."""


@dataclass(slots=True)
class ClockWatch:
    """Holds the wall clock (``wall``, seconds since the epoch) against one that nobody sets."""

    wall: Callable[[], float] = time.time
    steady: Callable[[], float] = time.monotonic
    _ahead: float = field(init=False)

    def __post_init__(self) -> None:
        self._ahead = self.wall() - self.steady()

    def look(self) -> None:
        """To be called some times a second."""
        before, self._ahead = self._ahead, self.wall() - self.steady()
        by = self._ahead - before
        if abs(by) < JUMP:
            return
        log.error(
            "THE CLOCK WAS SET %s by %.0f s: signatures are made for the time that it says now,"
            " keys count by it, and TSIG fails with servers whose clock says otherwise; see whether"
            " it is right",
            "ahead" if by > 0 else "back",
            abs(by),
        )

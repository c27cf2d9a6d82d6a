"""One zone at one secondary, on its way to be current there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from lzc.serve.notify import message as messages
from lzc.wire import name as wire_name


class Phase(Enum):
    """Where a zone stands. Only in the two of them that hold a place in the window are datagrams
    under way; a zone that rests has none, so that it keeps no other waiting."""

    QUEUED = "queued"
    ASKED = "asked"
    SETTLING = "settling"
    RESTING = "resting"
    DONE = "done"


PLACED: Final = (Phase.ASKED, Phase.SETTLING)


@dataclass(slots=True, eq=False)
class ZoneAtSecondary:
    """``polls``: the next request, or the one under way (``request``), asks for the serial instead
    of being a NOTIFY. ``acked``: when the last NOTIFY of ``serial`` was answered, seconds;
    ``asked``: when the last request was sent. ``theirs`` is the serial that the secondary told.
    ``attempts`` that failed in a row, ``looks`` at the serial since the NOTIFY. ``kind`` sorts
    problems, of which ``problem`` says more. ``turn`` tells the timer that counts from those that
    were overtaken."""

    apex: bytes
    serial: int
    phase: Phase = Phase.QUEUED
    polls: bool = False
    acked: float | None = None
    asked: float = 0.0
    theirs: int | None = None
    kind: str = ""
    problem: str = ""
    attempts: int = 0
    looks: int = 0
    request: messages.Request | None = None
    unsent: str = ""
    turn: int = 0

    @property
    def current(self) -> bool:
        """True when the secondary has our serial or a later one."""
        return self.theirs is not None and messages.is_current(self.theirs, self.serial)

    @property
    def ahead(self) -> bool:
        """True when the secondary has a later serial than ours, and will not take it."""
        return self.current and self.theirs != self.serial

    def status(self) -> dict[str, Any]:
        """For ``lzc ctl status``."""
        return {
            "zone": wire_name.to_text(self.apex),
            "serial": self.serial,
            "secondary_serial": self.theirs,
            "acknowledged": self.acked is not None,
            "current": self.current and not self.ahead,
            "ahead": self.ahead,
            "attempts": self.attempts,
            "error": self.problem,
        }

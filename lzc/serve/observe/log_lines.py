"""No flood of lines in the log, not even of unexpected errors, of which none may end a loop; what
is held back is counted and told."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lzc.foreign_text import shown
from lzc.serve.observe.log_format import about

log = logging.getLogger("lzc")

QUIET: Final = 60.0
"""Seconds in which the same is logged once."""
LINES: Final = 20
"""Lines of one sort in a second."""


@dataclass(slots=True)
class Quiet:
    """Remembers what was logged when, of ``most`` things at most. ``now`` is seconds of one clock
    throughout."""

    seconds: float = QUIET
    most: int = 1000
    # In the order of the times.
    _said: dict[Hashable, tuple[float, int]] = field(default_factory=dict)
    _forgotten: int = 0

    def keeps(self, what: Hashable, now: float, count: int = 1) -> bool:
        """Whether this was logged lately, and is not to be again: that is counted."""
        at, more = self._said.get(what, (-self.seconds, 0))
        if now - at >= self.seconds:
            return False
        self._said[what] = at, more + count
        return True

    def begin(self, what: Hashable, now: float) -> str:
        """It is logged now. Gives what the line ends with: how often it was kept back before."""
        _, more = self._said.pop(what, (now, 0))
        if len(self._said) >= self.most:
            self._forgotten += self._said.pop(next(iter(self._said)))[1]
        self._said[what] = now, 0
        return f" ({more} more like it before)" if more else ""

    def over(self, now: float) -> Iterator[tuple[Hashable | None, int]]:
        """What was kept back until its time was over, and how often: nothing more came since that
        could tell it. `None` stands for what is not remembered one by one."""
        while self._said:
            what = next(iter(self._said))
            at, more = self._said[what]
            if now - at < self.seconds:
                break
            del self._said[what]
            if more:
                yield what, more
        if self._forgotten:
            forgotten, self._forgotten = self._forgotten, 0
            yield None, forgotten


@dataclass(slots=True)
class LineLimit:
    """At most ``most`` lines in ``seconds``. Those left out are told of with ``more``, a format of
    their number, at ``level``."""

    more: str
    level: int = logging.WARNING
    most: int = LINES
    seconds: float = 1.0
    _from: float = 0.0
    _lines: int = 0

    def admits(self, now: float) -> bool:
        """Whether one more line may be logged now."""
        self.look(now)
        self._lines += 1
        return self._lines <= self.most

    def look(self, now: float) -> None:
        """Tell of lines that were left out, once their time is over."""
        if now - self._from >= self.seconds:
            if self._lines > self.most:
                log.log(self.level, self.more, self._lines - self.most)
            self._from, self._lines = now, 0


class ErrorLog:
    """Logs an exception with its traceback the first time, then those of the same line of code once
    in a while with the number of times it happened meanwhile."""

    def __init__(self) -> None:
        self.total = 0
        self._quiet = Quiet()

    def note(self, what: str, error: BaseException) -> None:
        """Count ``error``, which happened while doing ``what``, and log it unless it was lately."""
        self.total += 1
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = (place.tb_frame.f_code.co_filename, place.tb_lineno) if place else ("", 0)
        kind = (type(error).__name__, *where)
        now = time.monotonic()
        if self._quiet.keeps(kind, now):
            return
        trace = " | ".join(
            f"{frame.filename.rpartition('/lzc/')[2]}:{frame.lineno} {frame.name}"
            for frame in traceback.extract_tb(error.__traceback__)[-6:]
        )
        again = self._quiet.begin(kind, now)
        log.error(
            "%s failed: %s: %s [%s]%s",
            *(shown(what), kind[0], shown(error), trace, again),
            extra=about(doing=what, error=kind[0]),
        )

    def look(self, now: float) -> None:
        """Tell of errors that were kept back, once their time is over; ``now`` is monotonic."""
        for kind, more in self._quiet.over(now):
            which = (
                f"{kind[0]} at {kind[1]}:{kind[2]}" if isinstance(kind, tuple) else "of any sort"
            )
            log.error("%d more errors, %s", more, which, extra=about(more=more))

"""The end of a process beside the workers that does not respond any more."""

from __future__ import annotations

import logging
import os
import signal
import time
from typing import Protocol

log = logging.getLogger("lzc")


class Heart(Protocol):
    """Where a process says that it does its work."""

    def last_beat(self) -> float:
        """When it did so last, on the monotonic clock; 0: not yet."""

    def beat(self, monotonic: float) -> None:
        """Have it done so then."""


def end_silence(what: str, pid: int, heart: Heart, fair_from: float, limit: float) -> None:
    """Kill a process that has not been heard of for ``limit`` seconds, which is replaced then;
    ``fair_from`` is when we were stopped ourselves. ``pid`` is 0 where there is none."""
    beat = heart.last_beat()
    if pid and beat and time.monotonic() - max(beat, fair_from) > limit:
        log.error("the %s did not respond for %.0f s: killing it", what, limit)
        heart.beat(0)
        os.kill(pid, signal.SIGKILL)

"""Long work in a thread beside those who answer.

On a core that the supervisor shares with a worker, a thread that computes keeps the worker waiting
for what the kernel takes for a fair turn: 3 ms, and more where several compute. A lower priority
alone does not help, as it shortens no turn; and one so low that the worker always goes first would
have a busy worker hold back the thread while it has the interpreter, which the supervisor waits for
then. So the thread ends its turns itself.
"""

from __future__ import annotations

import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

SLICE: Final = 0.0003
"""Seconds that the thread computes at a time, about: an answer may be later by so much."""
PAUSE: Final = 0.0003
"""Seconds for which it then has nothing to do."""
_NICE: Final = 5
_SWITCH: Final = 0.0005


class Slices:
    """Of the work of one thread, which calls `give_way` every few hundredths of a millisecond."""

    __slots__ = ("_until",)

    def __init__(self) -> None:
        self._until = time.monotonic() + SLICE

    def give_way(self) -> None:
        """Pause when the slice is over."""
        if time.monotonic() >= self._until:
            time.sleep(PAUSE)
            self._until = time.monotonic() + SLICE


def stand_back() -> None:
    """Have this thread alone yield to who answers."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


@contextmanager
def giving_way() -> Iterator[Slices]:
    """Have the event loop wait for this thread no longer than it must: it gets the interpreter
    within half a millisecond, and no garbage is looked for among a hundred thousand samples, of
    which there is none."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH)
    gc.disable()
    try:
        yield Slices()
    finally:
        gc.enable()
        sys.setswitchinterval(before)

"""Tokens of PKCS #11 in a thread of their own, which a worker waits for only so long.

A library of a token is somebody else's code, and a call of it may never return. The worker then
goes on without: zones with keys there are out of service, the others are answered. A call cannot be
broken off, so nothing more is asked of the library until it is back from it.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from lzc.dnssec.token.waiting import TooLong

SECONDS: Final = 1.0
"""That work with a token is waited for, among it a login over a network. An answer may need several
signatures, and a worker that does not respond for three seconds is killed."""
REST: Final = 5.0
"""Seconds for which a token that took longer is not asked again, so that the worker is at it for a
fifth of its time at the most."""

_Found = TypeVar("_Found")


class _Task:
    """Work, and what came of it."""

    __slots__ = ("_error", "_found", "_work", "done")

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._found: Any = None
        self._error: BaseException | None = None
        self.done = threading.Event()

    def run(self) -> None:
        """Do it."""
        try:
            self._found = self._work()
        except BaseException as error:
            self._error = error
        finally:
            self.done.set()

    def result(self) -> Any:
        """What it gave. Raises what it raised."""
        if self._error is not None:
            raise self._error
        return self._found


class TokenThread:
    """Does work with tokens in one thread, begun with the first. A process that is forked has a
    thread of its own."""

    def __init__(self, seconds: float = SECONDS, rest: float = REST) -> None:
        self._seconds = seconds
        self._rest = rest
        self._pid = 0
        self._tasks: SimpleQueue[_Task] = SimpleQueue()
        self._late: _Task | None = None
        self._since = self._rests_until = 0.0

    def __call__(self, work: Callable[[], _Found]) -> _Found:
        """As `lzc.dnssec.token.waiting.Waiting` has it."""
        if self._pid != os.getpid():
            self._begin()
        now = time.monotonic()
        if self._late is not None and not self._late.done.is_set():
            raise TooLong(f"the token has not answered for {now - self._since:.0f} s")
        self._late = None
        if now < self._rests_until:
            raise TooLong(
                f"the token took longer than {self._seconds:g} s, and is asked again in"
                f" {self._rests_until - now:.0f} s"
            )
        task = _Task(work)
        self._tasks.put(task)
        if task.done.wait(self._seconds):
            found: _Found = task.result()
            return found
        self._late, self._since = task, now
        self._rests_until = time.monotonic() + self._rest
        raise TooLong(f"the token takes longer than {self._seconds:g} s")

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._tasks, self._late, self._rests_until = SimpleQueue(), None, 0.0
        # It may never end, and is not to keep the process from doing so.
        threading.Thread(target=_do, args=(self._tasks,), name="tokens", daemon=True).start()


def _do(tasks: SimpleQueue[_Task]) -> None:
    while True:
        tasks.get().run()

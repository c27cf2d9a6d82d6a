"""Parts of zones, looked at in several processes where there are enough of them.

Code of LUA records is run meanwhile, so what does the work is a child that can be ended.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Final, NamedTuple, TypeAlias

from lzc.contained import Begin, Contained, Ended, Home, end_with_parent
from lzc.rehearse.survey.inspection import Findings
from lzc.rehearse.survey.questions import KnownName
from lzc.wire import name as wire_name

NAMES: Final = 200
"""Names of a part: some thousand questions, a second of work."""
MOST: Final = 8
"""Processes at most."""
_AHEAD: Final = 3
"""Parts that wait for each process."""


class Part(NamedTuple):
    """Names of a zone with an apex, in canonical order."""

    apex: bytes
    names: tuple[KnownName, ...]


Look: TypeAlias = Callable[[Part, Callable[[int], None]], Findings]
"""Looks at a part, telling of each name that it begins with."""
MakeLook: TypeAlias = Callable[[], Look]
"""Made once in each process."""


class Limits(NamedTuple):
    """Seconds of CPU time that a name may take, and octets that code may."""

    seconds: float
    memory: int


def look_at(
    parts: Iterator[Part], make: MakeLook, limits: Limits
) -> Iterator[tuple[Part, Findings]]:
    """The findings of each part, in their order. Not all parts are in memory at a time."""
    processes = min(MOST, len(os.sched_getaffinity(0)))
    few = list(islice(parts, 2))
    if len(few) < 2 or processes < 2:
        with closing(_Watched(make, limits)) as watched:
            for part in _chained(few, parts):
                yield part, watched.look(part)
        return
    yield from _in_pool(_chained(few, parts), make, limits, processes)


def _chained(first: Sequence[Part], rest: Iterator[Part]) -> Iterator[Part]:
    yield from first
    yield from rest


_watched: _Watched | None = None
"""In a process of the pool."""


def _in_pool(
    parts: Iterator[Part], make: MakeLook, limits: Limits, processes: int
) -> Iterator[tuple[Part, Findings]]:
    import multiprocessing
    from collections import deque
    from concurrent.futures import Future, ProcessPoolExecutor

    context = multiprocessing.get_context("fork")
    # With fork, what is given to the processes need not be pickled.
    given = (make, limits)
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=given) as pool:
        waiting: deque[tuple[Part, Future[Findings]]] = deque()
        try:
            for part in parts:
                # Nobody is interrupted between its birth and `_begin`.
                signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
                try:
                    waiting.append((part, pool.submit(_look, part)))
                finally:
                    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
                if len(waiting) >= _AHEAD * processes:
                    done, future = waiting.popleft()
                    yield done, future.result()
            while waiting:
                done, future = waiting.popleft()
                yield done, future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _begin(make: MakeLook, limits: Limits) -> None:
    global _watched
    # Ctrl-C is for all processes of a terminal; the first one says so.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with_parent()
    _watched = _Watched(make, limits)


def _look(part: Part) -> Findings:
    assert _watched is not None
    return _watched.look(part)


class _Watched:
    """A child that looks at parts, and is ended where a name takes too long."""

    def __init__(self, make: MakeLook, limits: Limits) -> None:
        look: list[Look] = []

        def work(part: Part, begin: Begin, _home: Home) -> Findings:
            if not look:
                look.append(make())
            return look[0](part, begin)

        self._child: Contained[Part, Findings] = Contained(
            work, seconds=limits.seconds, memory=limits.memory
        )

    def look(self, part: Part) -> Findings:
        """What is found of a part. The name whose code had to be ended is told as such."""
        found = Findings()
        rest = part
        while rest.names:
            try:
                found.add(self._child.ask(rest))
                return found
            except Ended as ended:
                at = max(0, ended.at)
                if at:
                    found.add(self.look(Part(part.apex, rest.names[:at])))
                name = wire_name.relative_of_key(rest.names[at].key) + part.apex
                text = f"a LUA record's code was run, and had to be ended: {ended.why}"
                found.questions += 1
                found.blame(wire_name.to_text(name), (text,))
                rest = Part(part.apex, rest.names[at + 1 :])
        return found

    def close(self) -> None:
        """End the child."""
        self._child.close()


def parts_of(apex: bytes, names: Iterator[KnownName]) -> Iterator[Part]:
    """The names of a zone in parts."""
    while some := tuple(islice(names, NAMES)):
        yield Part(apex, some)

"""The zones of a build, in several processes where that pays."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate
from typing import Any, Final

from lzc.compiler.job import ZoneJob, ZoneResult
from lzc.compiler.lua import trials
from lzc.compiler.zone_job import build_zone
from lzc.contained import end_with_parent
from lzc.faults import InputError, Place
from lzc.source.limits import NOTHING, Counts, Totals

POOL_ZONES: Final = 8
POOL_OCTETS: Final = 2_000_000
"""From so many zones and octets of sources on, several processes are faster than one."""


_totals: Totals | None = None
"""What all processes of the pool count in, in one of them."""


def build_zones(jobs: Sequence[ZoneJob], before: Counts = NOTHING) -> Iterator[ZoneResult]:
    """The results in the order of the jobs; zones that need not be built took something
    ``before``."""
    cores = len(os.sched_getaffinity(0))
    processes = min(cores, len(jobs))
    if processes < 2 or len(jobs) < POOL_ZONES or not _is_large(jobs):
        totals = Totals.alone(before)
        try:
            for job in jobs:
                yield build_zone(replace(job, in_halves=cores > 1), totals)
        finally:
            trials.end()
        return
    yield from _in_pool(jobs, processes, before)


def _in_pool(jobs: Sequence[ZoneJob], processes: int, before: Counts) -> Iterator[ZoneResult]:
    import ctypes
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    threading.excepthook = _pass_over_cancelled
    if any(job.source.lua for job in jobs):
        # Once for all processes.
        import lzc.compiler.lua.lint
        import lzc.source.lua_record  # noqa: F401

    gc.freeze()
    # Fork, as the children start with everything imported: 10 instead of 400 ms each.
    context = multiprocessing.get_context("fork")
    counts: Any = context.RawArray(ctypes.c_int64, before)
    totals = Totals(counts, context.Lock())
    with ProcessPoolExecutor(processes, context, initializer=_begin, initargs=(totals,)) as pool:
        chunk = max(1, min(64, len(jobs) // (processes * 4)))
        try:
            # Nobody is interrupted between its birth and `_begin`.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
            try:
                results = pool.map(_build_one, jobs, chunksize=chunk)
            finally:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
            yield from results
        except BrokenProcessPool as error:
            raise InputError.at(
                Place("lzc build"),
                "build-process-killed",
                "a process of the build was killed",
                why="the system does so when memory runs out",
                fix="give the build more memory, or split the largest zones",
            ) from error


def _pass_over_cancelled(given: threading.ExceptHookArgs) -> None:
    """After Ctrl-C the pool's thread may find its processes gone and what they were to do cancelled
    at the same time: of that, which is no error of ours, it would print a traceback."""
    from concurrent.futures import InvalidStateError

    if given.exc_type is not InvalidStateError:
        threading.__excepthook__(given)


def _is_large(jobs: Sequence[ZoneJob]) -> bool:
    sizes = (job.source.path.stat().st_size for job in jobs)
    return any(total >= POOL_OCTETS for total in accumulate(sizes))


def _begin(totals: Totals) -> None:
    global _totals
    _totals = totals
    # Ctrl-C is for all processes of a terminal; the first one says so.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT])
    # A build that is killed must not leave processes that hold its lock.
    end_with_parent()


def _build_one(job: ZoneJob) -> ZoneResult:
    return build_zone(job, _totals)

"""What a process takes of its machine, as the kernel counts it (proc(5))."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_USER: Final = 11
_SYSTEM: Final = 12
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class ProcessUse(NamedTuple):
    """CPU time in seconds, memory in octets (``private``: without what is a file or shared memory),
    and how many files are open."""

    user: float
    system: float
    resident: int
    private: int
    files: int


def cpu_of_all(running: Iterable[int]) -> tuple[float, float]:
    """Seconds of CPU time, user and system, of this process and of all its children that ended
    already, and of those that are ``running``. It does not fall, where whoever calls it is who
    waits for children."""
    own, ended = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    user, system = own.ru_utime + ended.ru_utime, own.ru_stime + ended.ru_stime
    for pid in running:
        try:
            words = _stat(Path("/proc") / str(pid))
        except OSError:
            continue
        user += int(words[_USER]) / _TICKS
        system += int(words[_SYSTEM]) / _TICKS
    return user, system


def use_of(pid: int) -> ProcessUse | None:
    """What a process of ours takes; `None` where it is gone."""
    folder = Path("/proc") / str(pid)
    try:
        fields = _stat(folder)
        pages = [int(word) for word in (folder / "statm").read_text().split()]
        files = sum(1 for _ in os.scandir(folder / "fd"))
    except OSError:
        return None
    resident = pages[1] * _PAGE
    shared = pages[2] * _PAGE
    user, system = int(fields[_USER]) / _TICKS, int(fields[_SYSTEM]) / _TICKS
    return ProcessUse(user, system, resident, resident - shared, files)


def _stat(folder: Path) -> list[str]:
    """The words of proc(5)'s stat from the third on. Raises `OSError`."""
    # The name in parentheses may hold anything.
    return (folder / "stat").read_text().rpartition(")")[2].split()

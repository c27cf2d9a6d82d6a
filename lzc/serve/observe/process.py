"""What a process takes of its machine, as the kernel counts it (proc(5))."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class ProcessUse(NamedTuple):
    """CPU time in seconds, memory in octets (``private``: without what is a file or shared memory),
    and how many files are open."""

    user: float
    system: float
    resident: int
    private: int
    files: int


def use_of(pid: int) -> ProcessUse | None:
    """What a process of ours takes; `None` where it is gone."""
    folder = Path("/proc") / str(pid)
    try:
        # The name in parentheses may hold anything.
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        pages = [int(word) for word in (folder / "statm").read_text().split()]
        files = sum(1 for _ in os.scandir(folder / "fd"))
    except OSError:
        return None
    resident = pages[1] * _PAGE
    shared = pages[2] * _PAGE
    user, system = int(fields[11]) / _TICKS, int(fields[12]) / _TICKS
    return ProcessUse(user, system, resident, resident - shared, files)

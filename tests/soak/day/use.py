"""What the processes of a server take, as the kernel counts it, looked at every few seconds."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.patience import PATIENCE
from tests.soak.chaos.stage import Stage

LOOK: Final = 5.0
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(slots=True)
class ProcessUse:
    """Of one process: ``times`` are seconds after the beginning at which ``memory`` was looked at
    (MiB that are no file's, shared with a parent or not), and ``cpu`` seconds, its children
    included that ended."""

    role: str
    pid: int
    times: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def slope(self) -> float:
        """MiB an hour, by the least squares of the second half; 0 for less than three looks."""
        half = len(self.times) // 2
        times, memory = self.times[half:], self.memory[half:]
        if len(times) < 3:
            return 0.0
        middle, level = sum(times) / len(times), sum(memory) / len(memory)
        spread = sum((t - middle) ** 2 for t in times)
        both = zip(times, memory, strict=True)
        return 3600 * sum((t - middle) * (m - level) for t, m in both) / spread


class Use:
    """Of all processes of a stage's server, in a thread of its own."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._began = time.monotonic()
        self.processes: dict[int, ProcessUse] = {}

    def start(self) -> None:
        """Begin."""
        self.look()
        self._thread.start()

    def stop(self) -> None:
        """End, with a last look."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def cpu(self) -> dict[str, float]:
        """Seconds of CPU time since the first look, by role; of one that died, up to the last look
        before."""
        found: dict[str, float] = {}
        first = min(one.times[0] for one in self.processes.values())
        for one in self.processes.values():
            # All of one that began meanwhile.
            before = one.cpu[0] if one.times[0] <= first + LOOK / 2 else 0.0
            found[one.role] = found.get(one.role, 0.0) + one.cpu[-1] - before
        return found

    def _run(self) -> None:
        while not self._end.wait(LOOK):
            self.look()
        self.look()

    def look(self) -> None:
        """At all that are there now."""
        status = self._stage.ask("status")
        if status is None:
            return
        pids = {self._stage.pid: "supervisor", int(status["checker"]["pid"]): "checker"}
        pids |= {int(one["pid"]): f"worker {n}" for n, one in enumerate(status["workers"])}
        now = time.monotonic() - self._began
        for pid, role in pids.items():
            with contextlib.suppress(OSError, ValueError):
                memory = _memory(pid)
                cpu = _cpu(pid)
                one = self.processes.setdefault(pid, ProcessUse(role, pid))
                one.times.append(now)
                one.memory.append(memory)
                one.cpu.append(cpu)


def _memory(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    kilobytes = re.search(r"^RssAnon:\s+(\d+) kB", text, re.M)
    return int(kilobytes[1]) / 1024 if kilobytes is not None else 0.0


def _cpu(pid: int) -> float:
    # The name in parentheses may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / _TICKS

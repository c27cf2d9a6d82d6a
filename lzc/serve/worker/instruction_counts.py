"""How many VM instructions executions of LUA records take, as a worker knows it: to count them
takes several times as long as to run them, so those of some executions are counted, and each of
these stands for others."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

from lzc.serve.ipc.scoreboard import INSTRUCTIONS

LEAST: Final = 128
"""One in so many is counted where executions are few: of what is measured of a hundred answers, a
quantile of 0.99 shows none."""
A_BEAT: Final = 5
"""So many are counted between two heartbeats, about, where they are many: what these take more is
less than a hundredth of what a worker does meanwhile."""


class InstructionCounts:
    """Of a worker: executions that were ``counted``; of all executions, as these say, the ``sum``
    of instructions, and how many took up to each of `INSTRUCTIONS`, and more (``sizes``)."""

    __slots__ = ("_runs", "counted", "sizes", "sum")

    def __init__(self) -> None:
        self.counted = self.sum = 0
        self.sizes = [0] * (len(INSTRUCTIONS) + 1)
        self._runs = 0

    def add(self, instructions: int, executions: int) -> None:
        """An execution took so many, and stands for so many of them."""
        self.counted += 1
        self.sum += instructions * executions
        self.sizes[bisect_left(INSTRUCTIONS, instructions)] += executions

    def one_in(self, runs: int) -> int:
        """Which of the executions until the next heartbeat are to be counted: one in so many; there
        were ``runs`` so far, ever."""
        lately, self._runs = runs - self._runs, runs
        return max(LEAST, lately // A_BEAT)

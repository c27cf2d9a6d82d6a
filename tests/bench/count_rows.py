"""What it takes more that the instructions of some executions of LUA records are counted.

In this process, as differences of a hundredth are lost between servers and clients: two engines
run the same records, one that counts as a worker has it count and one that does not, in many short
turns right after each other. What counts is CPU time, and the median of the ratios of such pairs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import quantiles
from typing import Final

from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings
from lzc.serve.worker.instruction_counts import LEAST, InstructionCounts
from lzc.serve.worker.worker import BEAT
from tests.bench.codes import ARBITRARY, STRINGS, in_use
from tests.bench.harness import Figure
from tests.unit.lua.test_limit import Ports, asked
from tests.unit.lua_running import Places, query

_PAIRS: Final = 300
_A_TURN: Final = 400
"""Executions."""
_WARM: Final = 2_000
_HOST: Final = "192.0.2.9"


class _Contestant:
    """An engine; ``rate`` is how many executions there are a second where some are counted, and
    the worker is to say which when a heartbeat is due."""

    def __init__(self, rate: int) -> None:
        self._engine = Engine(EngineSettings("isolated", 1000), Places({}), Ports(), 1)
        used = in_use(443)
        magic = "".join(used.pop("magic").pieces), asked(_HOST)
        others = [ARBITRARY, STRINGS, *("".join(one.pieces) for one in used.values())]
        codes = [magic, *((code, query("lua7.example.org.", _HOST)) for code in others)]
        self._runs_of = cycle([(code.encode(), asker) for code, asker in codes])
        self._counts = InstructionCounts()
        self._beat = int(rate * BEAT)
        self._runs = 0

    def turn(self, executions: int) -> float:
        """Seconds of CPU time for so many."""
        runs, evaluate = [*islice(self._runs_of, executions)], self._engine.evaluate
        began = time.process_time()
        for code, asker in runs:
            if self._beat and not self._runs % self._beat:
                each = self._counts.one_in(self._runs)
                self._engine.sample(each, lambda _, *counted: self._counts.add(*counted))
            self._runs += 1
            evaluate(code, asker, _no_file)
        return time.process_time() - began

    @property
    def counted(self) -> float:
        """One in so many was."""
        return self._runs / max(1, self._counts.counted)


def _no_file(_name: bytes) -> bytes | None:
    return None


def counted(_folder: Path) -> Iterator[Figure]:
    """At a rate at which one in `LEAST` is counted, and at one that takes all of a core."""
    for rate in (LEAST, 10_000):
        without, some = _Contestant(0), _Contestant(rate)
        for one in (without, some):
            one.turn(_WARM)
        ratios, seconds = [], [0.0, 0.0]
        for pair in range(_PAIRS):
            first, second = (some, without) if pair % 2 else (without, some)
            times = {one: one.turn(_A_TURN) for one in (first, second)}
            ratios.append(times[some] / times[without])
            seconds = [seconds[0] + times[without], seconds[1] + times[some]]
        low, middle, high = quantiles(ratios)
        row = f"CPU of {rate:,} LUA records a second"
        alone, beside = (one / _PAIRS / _A_TURN * 1e6 for one in seconds)
        yield Figure(row, "not counted", alone, beside, "µs", "")
        yield Figure("  median of pairs", "not counted", 1, middle, "", "≤ 1.01")
        yield Figure("  lower quartile of pairs", "not counted", 1, low, "", "")
        yield Figure("  upper quartile of pairs", "not counted", 1, high, "", "")
        yield Figure("  one counted in", "(none)", 0, some.counted, "", "")

"""Does a change of ``lzc.toml`` ever lose a query?

python -m tests.soak reloads [--times 50] [--seconds 20]

First the highest rate at which the server answers all of it is found, in so many seconds: the rate
is raised until questions are lost or late. Then half of that is asked from a process and a core of
its own, and settings of all kinds are changed meanwhile, so many times, each with `reload`. The
exit code is 1 where a question stayed without an answer, over UDP or TCP, where an answer was
wrong, or a reload failed.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.soak.reloads.calibration import Step, ceiling, step, steps
from tests.soak.reloads.load import Seen
from tests.soak.reloads.stage import SERVERS_CORES, Stage, running, wait

TIMES: Final = 50
CALIBRATION: Final = 20.0
_TCP_RATE: Final = 50.0
_BETWEEN: Final = 0.5
"""Seconds after a reload that count as well."""


@dataclass(frozen=True, slots=True)
class Figures:
    """``before`` is the load with no reload, ``during`` with them."""

    found: list[Step]
    most: Step
    half: Step
    before: Seen
    during: Seen
    refused: list[str]

    @property
    def faults(self) -> list[str]:
        """What was not as it has to be."""
        seen = self.during
        found = list(self.refused)
        if seen.lost:
            found.append(f"{seen.lost} questions over UDP stayed without an answer")
        if seen.tcp_lost:
            found.append(f"{len(seen.tcp_lost)} questions over TCP were lost: {seen.tcp_lost[:3]}")
        if seen.wrong:
            found.append(f"{seen.wrong} answers were wrong")
        return found


def measured(stage: Stage, times: int, seconds: float, *, most: int = 0, between: float) -> Figures:
    """Calibrate, and change settings so many times; ``most`` as that of a `Task`."""
    found = steps(stage, seconds)
    top = ceiling(found)
    half, before = step(stage, top.answered / 2, seconds / 4)
    stage.begin(half.rate, most=most, patience=10.0, tcp_rate=_TCP_RATE)
    for _ in range(times):
        stage.change()
        wait(between)
    return Figures(found, top, half, before, stage.enough(), stage.refused)


def table(made: Figures, times: int) -> str:
    """In lines."""
    top, half, seen = made.most, made.half, made.during
    cores = f"{len(SERVERS_CORES)} core" + ("s" if len(SERVERS_CORES) > 1 else "")
    share = f"{100 * half.rate / top.answered:.0f} % of it"
    return "\n".join(
        (
            *(f"  {one}" for one in made.found),
            f"calibrated maximum    {top.answered:,.0f} answers/s, server {100 * top.busy:.0f} %"
            f" busy ({cores})",
            f"load                  {half.rate:,.0f} questions/s, {share}, server"
            f" {100 * half.busy:.0f} % busy; {_TCP_RATE:.0f}/s over TCP beside it",
            f"without reloads       {_times(made.before)}",
            f"with {times:3} reloads      {_times(seen)}",
            f"                      {seen.asked:,} asked in {seen.seconds:.0f} s"
            f" ({seen.asked / seen.seconds:,.0f}/s), {seen.lost} lost, {seen.wrong} wrong;"
            f" TCP {seen.tcp_asked:,} asked, {len(seen.tcp_lost)} lost",
        )
    )


def _times(seen: Seen) -> str:
    return f"p50 {seen.p50:.2f} ms, p99 {seen.p99:.2f} ms, longest {seen.longest:.1f} ms"


def main(arguments: Sequence[str]) -> int:
    """1 when something was lost, wrong or refused."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak reloads")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--seconds", type=float, default=CALIBRATION, help="of the calibration")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="lzc-reloads-") as folder, running(Path(folder)) as it:
        made = measured(it, given.times, given.seconds, between=_BETWEEN)
        log = "\n".join(it.server.log[-30:])
    print(table(made, given.times))
    print("\n".join(made.faults) or "all as it has to be")
    if made.faults:
        print(log)
    return int(bool(made.faults))

"""How many questions a second a server answers on this machine, and no more."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Final

from tests.soak.reloads.load import Seen
from tests.soak.reloads.stage import SERVERS_CORES, Stage

_FIRST: Final = 500.0
_FACTOR: Final = 1.6
_CLOSE: Final = 1.04
"""Rates that differ by less are one."""
_TRIES: Final = 3
"""Times that a rate is tried: others may have been busy for a moment."""
_IN_TIME: Final = 0.97
"""Part of the questions of a step that are answered before it ends, the least: others are behind,
and would be more so after a longer one."""


@dataclass(frozen=True, slots=True)
class Step:
    """``rate`` was wanted; ``asked`` and ``answered`` are those of a second, ``busy`` is the part
    of their cores that the server's processes took."""

    rate: float
    asked: float
    answered: float
    lost: int
    busy: float

    @property
    def kept_up(self) -> bool:
        """Whether the server answered all, at once."""
        return not self.lost and self.answered >= _IN_TIME * self.rate

    def __str__(self) -> str:
        how = "kept up" if self.kept_up else "did not keep up"
        return (
            f"{self.rate:8,.0f}/s wanted, {self.asked:8,.0f}/s asked, {self.answered:8,.0f}/s"
            f" answered, {self.lost} lost, server {100 * self.busy:.0f} % busy: {how}"
        )


def step(stage: Stage, rate: float, seconds: float) -> tuple[Step, Seen]:
    """Ask at a rate for some seconds."""
    before = stage.busy()
    stage.begin(rate, seconds, patience=0.5)
    seen = stage.end()
    # What came in late was work, too.
    busy = (stage.busy() - before) / (seen.seconds * len(SERVERS_CORES))
    made = Step(rate, seen.asked / seen.seconds, seen.in_time / seen.seconds, seen.lost, busy)
    return made, seen


def steps(stage: Stage, seconds: float) -> list[Step]:
    """Raise the rate until questions are lost or late, then look between the last that went and the
    first that did not; for so many seconds about, in steps of a twentieth of them."""
    end = time.monotonic() + seconds
    found: list[Step] = []
    low, high = 0.0, math.inf
    rate = _FIRST
    while not found or (time.monotonic() < end and high > _CLOSE * low):
        for _ in range(_TRIES):
            made, _ = step(stage, rate, seconds / 20)
            found.append(made)
            if made.kept_up:
                break
        if made.kept_up:
            low = rate
        else:
            high = rate
        rate = _FACTOR * low if high == math.inf else math.sqrt(max(low, _FIRST / 10) * high)
    return found


def ceiling(found: list[Step]) -> Step:
    """Of these, the one with the highest rate at which the server kept up, or that with the most
    answers where it never did."""
    going = [one for one in found if one.kept_up]
    return max(going or found, key=lambda one: one.answered)

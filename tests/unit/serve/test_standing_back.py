"""Long work beside those who answer ends its turns itself."""

from __future__ import annotations

import gc
import sys

import pytest

from lzc.serve.supervise import standing_back
from lzc.serve.supervise.standing_back import PAUSE, SLICE, giving_way


class Clock:
    """What a thread sees that is alone in the world."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_work_pauses_whenever_a_slice_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(standing_back, "time", clock)
    with giving_way() as slices:
        for _ in range(100):
            slices.give_way()
            clock.now += SLICE / 3.5
    assert clock.slept == [PAUSE] * 24


def test_what_was_changed_for_the_work_is_as_before_it() -> None:
    before = sys.getswitchinterval()
    with giving_way():
        assert not gc.isenabled()
        assert sys.getswitchinterval() < before
    assert gc.isenabled()
    assert sys.getswitchinterval() == before

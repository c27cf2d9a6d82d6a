"""The short form of the soak that changes settings under half of the load that a server takes: no
question stays without an answer, whatever the machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.reloads import measured, table
from tests.soak.reloads.calibration import Step, ceiling
from tests.soak.reloads.stage import running

TIMES = 12
"""Each setting is switched a few times."""
CALIBRATION = 4.0
MOST = 2000
"""Questions without an answer at a time: the sockets of one worker have room for them, however long
its process has to wait for a processor that others are busy on."""


def test_reloads_of_the_settings_at_half_load_lose_no_question(tmp_path: Path) -> None:
    with running(tmp_path) as stage:
        made = measured(stage, TIMES, CALIBRATION, most=MOST, between=0.0)
    print(table(made, TIMES))
    assert made.faults == []
    assert made.half.rate == pytest.approx(made.most.answered / 2)
    assert made.during.answered == made.during.asked > 100
    assert made.during.tcp_asked > 0


def test_the_most_is_what_was_answered_at_once_and_whole() -> None:
    quick, slower = Step(500, 500, 500, 0, 0.2), Step(800, 790, 790, 0, 0.3)
    lossy, late = Step(1280, 1280, 1200, 3, 1), Step(1100, 1100, 900, 0, 1)
    assert [one.kept_up for one in (quick, slower, lossy, late)] == [True, True, False, False]
    assert ceiling([quick, slower, lossy, late]) == slower
    assert ceiling([lossy, late]) == lossy

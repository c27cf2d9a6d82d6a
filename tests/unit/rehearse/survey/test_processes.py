"""Parts of zones, looked at in processes that can be ended."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest

from lzc.rehearse.survey import processes
from lzc.rehearse.survey.inspection import Findings
from lzc.rehearse.survey.processes import Limits, Look, Part, look_at, parts_of
from lzc.rehearse.survey.questions import KnownName

APEX = b"\7example\0"
LIMITS = Limits(0.2, 0)


def names(count: int) -> list[KnownName]:
    return [KnownName(f"n{number:05}".encode()) for number in range(count)]


def make() -> Look:
    """Counts a question a name; the fourth never comes back."""

    def look(part: Part, begin: Callable[[int], None]) -> Findings:
        found = Findings()
        for number, name in enumerate(part.names):
            begin(number)
            if name.key == b"n00003":
                # Nothing of Python's own ends this, as in code of a library.
                re.match(r"(a*)*b", "a" * 64)
            found.questions += 1
            found.secure += 1
        return found

    return look


@pytest.mark.parametrize("cores", [1, 2])
def test_a_name_that_does_not_come_back_is_told_and_the_others_are_there(
    cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(processes, "NAMES", 5)
    total = Findings()
    parts = []
    for part, found in look_at(parts_of(APEX, iter(names(12))), make, LIMITS):
        parts.append(len(part.names))
        total.add(found)
    assert parts == [5, 5, 2]
    assert total.questions == 12
    assert total.secure == 11
    (problem,) = total.problems
    assert problem.question == "n00003.example."
    assert problem.text.startswith("a LUA record's code was run, and had to be ended: it did not")


def test_parts_are_of_one_zone_and_not_too_large() -> None:
    sizes = [len(part.names) for part in parts_of(APEX, iter(names(450)))]
    assert sizes == [200, 200, 50]

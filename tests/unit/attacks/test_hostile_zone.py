"""A zone that wants the names of others not to be answered (`tests.attacks.hostile_zone`), in
short."""

from __future__ import annotations

from tests.attacks.hostile_zone import run


def test_others_are_answered_and_memory_has_a_bound() -> None:
    found = run(full=False)
    assert (found.lost, found.failed, found.restarts) == (0, 0, 0)
    assert found.grew < 2**28

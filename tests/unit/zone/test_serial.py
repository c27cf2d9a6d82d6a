"""Serial arithmetic (RFC 1982) and the policies for the next serial."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lzc.zone import serial

serials = st.integers(0, serial.MODULUS - 1)
steps = st.integers(1, serial.MAX_STEP)
moments = st.integers(0, 2**32 - 1)
NOON = 1_795_262_400
"""2026-11-21 12:00 UTC."""


@given(serials, steps)
def test_what_was_added_to_is_less(old: int, step: int) -> None:
    new = serial.add(old, step)
    assert serial.compare(new, old) == 1
    assert serial.compare(old, new) == -1
    assert serial.greater(new, old)
    assert not serial.greater(old, new)


@given(serials, serials)
def test_comparison_is_antisymmetric(left: int, right: int) -> None:
    forth, back = serial.compare(left, right), serial.compare(right, left)
    if forth is None:
        assert back is None
        assert abs(left - right) == 2**31
    else:
        assert back == -forth
        assert (forth == 0) == (left == right)


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [(1, 0, 1), (0, 2**32 - 1, 1), (100, 2**32 - 100, 1), (2**31, 0, None), (7, 7, 0)],
)
def test_examples_of_the_rfc(left: int, right: int, order: int | None) -> None:
    assert serial.compare(left, right) == order


@pytest.mark.parametrize(("number", "step"), [(-1, 0), (2**32, 0), (0, -1), (0, 2**31)])
def test_add_refuses_what_the_rfc_leaves_undefined(number: int, step: int) -> None:
    with pytest.raises(ValueError, match="is not in"):
        serial.add(number, step)


@given(serials, moments, st.sampled_from(["increment", "unixtime"]))
def test_the_next_serial_is_greater(old: int, now: int, policy: serial.Policy) -> None:
    assert serial.greater(serial.next_serial(policy, old, now), old)


@given(serials)
def test_the_next_date_is_greater(old: int) -> None:
    assert serial.greater(serial.next_serial("date", old, NOON), old)


def test_date_starts_a_day_at_01_and_counts_up() -> None:
    assert serial.next_serial("date", None, NOON) == 2026112101
    assert serial.next_serial("date", 2026112007, NOON) == 2026112101
    assert serial.next_serial("date", 2026112101, NOON) == 2026112102


def test_unixtime_is_the_second_or_one_more() -> None:
    assert serial.next_serial("unixtime", 5, NOON + 0.9) == NOON
    assert serial.next_serial("unixtime", NOON, NOON) == NOON + 1


def test_increment_goes_round() -> None:
    assert serial.next_serial("increment", None, NOON) == 1
    assert serial.next_serial("increment", 2**32 - 1, NOON) == 0


def test_keep_keeps() -> None:
    assert serial.next_serial("keep", 42, NOON) == 42
    with pytest.raises(ValueError, match="no serial to keep"):
        serial.next_serial("keep", None, NOON)


def test_a_date_over_32_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="is not in"):
        serial.next_serial("date", None, 90_000_000_000)


@given(serials, serials)
@example(1, 0)
@example(0, 2**31)
@example(4000000000, 2026113000)
def test_a_way_has_no_step_that_a_secondary_would_not_take(start: int, target: int) -> None:
    """Nor does it with a million builds between two of them; and no way is longer than it must."""
    steps = serial.way(start, target)
    assert len(steps) <= 3
    assert (not steps) == (start == target)
    for step in steps:
        assert serial.greater(step, start)
        assert serial.greater(step, serial.add(start, serial.ROOM - 1)) or (
            (step - start) % serial.MODULUS < serial.ROOM
        )
        assert (step - start) % serial.MODULUS <= serial.MAX_STEP - serial.ROOM + 1
        start = step
    assert start == target
    assert 0 not in steps[:-1]

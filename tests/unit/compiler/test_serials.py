"""Serials: what a zone gets, and what is refused because secondaries would not take it."""

from __future__ import annotations

import calendar
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lzc.bundle.serial_store import SEVERAL, LastSerial
from lzc.compiler.serials import SerialProblem, aim, choose, near_end, note
from lzc.zone.serial import Policy, greater, way

NOW = float(calendar.timegm((2026, 11, 21, 23, 59, 0)))
TODAY = 2026112100
TOP = 2**32 - 1

COUNTING: list[Policy] = ["date", "increment", "unixtime"]
ALL: list[Policy] = [*COUNTING, "keep"]


def _choose(
    policy: Policy,
    source: int,
    live: int | None,
    *,
    changed: bool = True,
    now: float = NOW,
    source_before: int | None = None,
    **more: Any,
) -> int:
    before = None if live is None else LastSerial(live, "old", source_before or 0)
    return choose(policy, source, before, "new" if changed else "old", now, **more)


@pytest.mark.parametrize(
    ("policy", "source", "expected"),
    [
        ("date", 1, TODAY),
        ("date", TODAY, TODAY),
        ("date", 2026112207, 2026112207),
        ("unixtime", 1, int(NOW)),
        ("increment", 7, 7),
        ("increment", 0, 1),
        ("keep", 7, 7),
        ("keep", 0, 0),
    ],
)
def test_the_first_serial(policy: Policy, source: int, expected: int) -> None:
    assert _choose(policy, source, None) == expected


@pytest.mark.parametrize(
    ("policy", "source", "live", "expected"),
    [
        ("date", 1, 2026112000, 2026112101),
        ("date", 1, TODAY, TODAY + 1),
        ("date", 1, TODAY + 99, TODAY + 100),
        ("date", TODAY + 50, TODAY, TODAY + 50),
        ("date", 2026112005, 2026112000, 2026112101),
        ("date", 1, 7, 2026112101),
        ("unixtime", 1, int(NOW) - 60, int(NOW)),
        ("unixtime", 1, int(NOW), int(NOW) + 1),
        ("increment", 1, 7, 8),
        ("increment", 100, 7, 100),
        ("increment", 1, TOP - 1, TOP),
        ("keep", 8, 7, 8),
        ("keep", 3, TOP, 3),
    ],
)
def test_changed_content_gets_a_greater_serial(
    policy: Policy, source: int, live: int, expected: int
) -> None:
    assert _choose(policy, source, live) == expected
    assert greater(expected, live)


@pytest.mark.parametrize("policy", COUNTING)
def test_unchanged_content_keeps_its_serial_on_other_days_too(policy: Policy) -> None:
    for live in (7, TODAY - 500, TODAY, TOP):
        later = NOW + 10 * 86400
        assert _choose(policy, 1, live, changed=False, now=later, source_before=1) == live


@pytest.mark.parametrize("policy", ALL)
def test_a_greater_serial_in_the_source_counts_even_without_a_change(policy: Policy) -> None:
    assert _choose(policy, TODAY + 5, TODAY, changed=False) == TODAY + 5


@pytest.mark.parametrize("source", [6, 7 + 2**31, 0])
@pytest.mark.parametrize("changed", [False, True])
def test_keep_refuses_to_go_backwards(source: int, changed: bool) -> None:
    with pytest.raises(SerialProblem) as caught:
        _choose("keep", source, 7, changed=changed)
    assert caught.value.rule == "serial-backwards"
    assert "8 or more" in caught.value.fix


def test_keep_refuses_changed_content_under_the_same_serial() -> None:
    with pytest.raises(SerialProblem) as caught:
        _choose("keep", 7, 7)
    assert caught.value.rule == "serial-unchanged"
    assert "8 or more" in caught.value.fix
    assert _choose("keep", 7, 7, changed=False) == 7


@pytest.mark.parametrize(
    ("policy", "live", "rule"),
    [
        ("date", 4294967290, "serial-overflow"),
        ("date", 2099010100, "serial-ahead"),
        ("date", 2027000000, "serial-ahead"),
        ("date", TOP, "serial-overflow"),
        ("unixtime", TODAY, "serial-ahead"),
        ("unixtime", TOP, "serial-overflow"),
        ("increment", TOP, "serial-overflow"),
        ("keep", TOP, "serial-unchanged"),
    ],
)
def test_what_cannot_go_on_says_how_to_get_out_and_that_works(
    policy: Policy, live: int, rule: str
) -> None:
    with pytest.raises(SerialProblem) as caught:
        _choose(policy, live, live)
    assert caught.value.rule == rule
    assert str(live) in caught.value.message
    if policy == "keep":
        steps = [int(step) for step in re.findall(r"(?:record|it) to (\d+)", caught.value.fix)]
    else:
        assert "lzc serial plan ZONE " in caught.value.fix
        steps = way(live, aim(policy, NOW))
    assert steps
    for step in steps:
        assert greater(step, live)
        if policy == "keep":
            assert _choose(policy, step, live, changed=False) == step
        else:
            assert _choose(policy, 1, live, changed=False, stated=step) == step
            # What changes in between counts on, and is no harm to the next step.
            counted = _choose(policy, 1, step, source_before=1, moving=True)
            assert counted == (step + 1) % 2**32
        live = step
    following = 9 if policy == "keep" else 1
    assert greater(_choose(policy, max(following, live + 1), live), live)


def test_a_way_of_one_step_is_not_made_two() -> None:
    with pytest.raises(SerialProblem) as caught:
        _choose("date", 1, 4294967290, source_before=1)
    assert f"leads to {TODAY} in one step" in caught.value.fix
    with pytest.raises(SerialProblem) as caught:
        _choose("date", 1, 2099010100)
    assert f"leads to {TODAY} in 2 steps" in caught.value.fix


def test_more_than_a_hundred_changes_a_day_go_on_and_the_date_catches_up() -> None:
    """A year of 1,500 changes a day, at any time of it: no build is refused."""
    serial = 2025123100
    for day in range(365):
        now = calendar.timegm((2026, 1, 1, 12, 0, 0)) + day * 86400.0
        for _ in range(3):
            # As many at once do the same.
            following = _choose("date", 1, serial, now=now)
            assert greater(following, serial)
            serial = following + 499
    assert _choose("date", 1, serial, now=now + 86400) == 2027010101


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (TODAY + 88, TODAY + 89, ""),
        (TODAY + 89, TODAY + 90, "change 90 of the day: "),
        (TODAY + 99, TODAY + 100, "caught up on 2026-11-22;"),
        (TODAY + 900, TODAY + 901, "caught up on 2026-12-01;"),
        (2026129998, 2026129999, "caught up on 2027-01-01;"),
        (2026112050, TODAY + 1, ""),
    ],
)
def test_a_day_whose_numbers_run_out_is_told_and_when_that_ends(
    before: int, after: int, said: str
) -> None:
    told = note("date", before, after, NOW)
    assert (said in told) if said else told == ""
    assert note("increment", before, after, NOW) == ""


def test_the_end_of_serials_is_foreseen() -> None:
    assert near_end(TODAY) is None
    assert near_end(TOP - 10**8) is None
    assert near_end(TOP - 10**8 + 1) == 10**8 - 1
    assert near_end(TOP) == 0


def test_an_old_small_serial_in_the_source_does_not_wrap_a_large_live_one() -> None:
    with pytest.raises(SerialProblem):
        _choose("increment", 1, TOP, source_before=1)
    assert _choose("increment", 1, TOP - 1, source_before=1) == TOP


@settings(max_examples=300)
@given(
    policy=st.sampled_from(ALL),
    source=st.integers(0, TOP),
    live=st.integers(0, TOP),
    changed=st.booleans(),
    before=st.integers(0, TOP),
    now=st.integers(0, 2**32 - 1),
)
def test_a_chosen_serial_is_always_one_that_secondaries_take(
    policy: Policy, source: int, live: int, changed: bool, before: int, now: int
) -> None:
    try:
        serial = _choose(
            policy, source, live, changed=changed, now=float(now), source_before=before
        )
    except SerialProblem as problem:
        assert problem.fix
        return
    assert 0 <= serial <= TOP
    if changed or serial != live:
        assert greater(serial, live)
    if greater(source, live) and source != before:
        assert serial >= source or greater(serial, source)


@settings(max_examples=300)
@given(
    policy=st.sampled_from(ALL),
    source=st.integers(0, TOP),
    last=st.integers(0, TOP),
    digest=st.sampled_from(["", SEVERAL, "new"]),
    now=st.integers(0, 2**32 - 1),
)
def test_of_a_last_serial_without_its_source_and_content_the_same_is_true(
    policy: Policy, source: int, last: int, digest: str, now: int
) -> None:
    """As of a bundle that was damaged, or one of several with that serial."""
    try:
        serial = choose(policy, source, LastSerial(last, digest, None), "new", float(now))
    except SerialProblem as problem:
        assert str(last) in f"{problem.message} {problem.fix}"
        return
    assert serial == last or greater(serial, last)
    if serial == last:
        # What secondaries have with that serial is this, or nobody can tell and the source says it.
        assert digest == "new" or (policy == "keep" and digest == "" and source == last)


@pytest.mark.parametrize("policy", COUNTING)
@given(given_before=st.integers(0, 99), days=st.integers(0, 20000))
@example(given_before=99, days=0)
def test_a_serial_that_is_lost_is_followed_by_one_above_all_of_that_day(
    policy: Policy, given_before: int, days: int
) -> None:
    now = NOW - days * 86400.0
    first = choose(policy, 1, None, "a", now)
    assert greater(choose(policy, 1, None, "b", now, lost=True), first + given_before)
    assert choose("keep", 7, None, "b", now, lost=True) == 7

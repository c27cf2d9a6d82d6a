"""The last hour of checks and of rates, and how it is drawn."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.serve.ipc.health_table import DOWN, UNKNOWN, UP, Health
from lzc.serve.observe.status.health_history import (
    MINUTES,
    MOST_CHANGES,
    NO_DATA,
    HealthHistory,
    changes_of,
    status_of,
)
from lzc.serve.observe.status.rate_history import Minute, RateHistory
from lzc.serve.observe.status.sparkline import HEIGHT, WIDTH, line_of, strip_of

A, B, C = (bytes((one,)) * 16 for one in b"abc")


def minutes(history: HealthHistory, key: bytes) -> list[tuple[int, int]]:
    return [(status_of(one), changes_of(one)) for one in history.of(key)]


def test_each_minute_has_the_status_at_its_end_and_how_often_it_changed() -> None:
    history = HealthHistory()
    history.follow([B, A])
    assert list(history.keys) == [A, B]
    history.note([Health(UP), Health(DOWN)], 1000.0)
    history.note([Health(UP, changes=2), None], 1060.0)
    assert minutes(history, A) == [(UP, 0), (UP, 2)]
    assert minutes(history, B) == [(DOWN, 0), (NO_DATA, 0)]
    assert minutes(history, C) == []
    assert history.began == 1000.0


def test_a_change_between_two_minutes_is_not_lost_even_if_it_changed_back() -> None:
    history = HealthHistory()
    history.follow([A])
    history.note([Health(UP, changes=10)], 0.0)
    history.note([Health(UP, changes=12)], 60.0)
    assert minutes(history, A)[-1] == (UP, 2)
    # What has not ended yet is shown with what is known now.
    assert [changes_of(one) for one in history.of(A, Health(DOWN, changes=13))] == [10, 2, 1]
    assert history.restless() == {A: 2}


def test_counts_of_a_slot_that_was_given_up_begin_anew() -> None:
    history = HealthHistory()
    history.follow([A])
    history.note([Health(UP, changes=500)], 0.0)
    history.note([Health(UP, changes=1)], 60.0)
    assert minutes(history, A) == [(UP, MOST_CHANGES), (UP, 1)]


def test_no_more_than_an_hour_is_kept() -> None:
    history = HealthHistory()
    history.follow([A])
    for minute in range(3 * MINUTES):
        history.note([Health(UP if minute % 2 else DOWN)], 60.0 * minute)
    assert len(history.of(A)) == len(history.of(A, Health(UP))) == MINUTES
    history.note([Health(UP)], 0.0, missed=1_000_000)
    assert [status_of(one) for one in history.of(A)] == [NO_DATA] * (MINUTES - 1) + [UP]


def test_minutes_that_nobody_looked_at_are_told_apart() -> None:
    history = HealthHistory()
    history.follow([A])
    history.note([Health(UP)], 0.0)
    history.note([Health(UP)], 240.0, missed=3)
    assert [status_of(one) for one in history.of(A)] == [UP, NO_DATA, NO_DATA, NO_DATA, UP]


def test_another_bundle_keeps_the_history_of_checks_that_stay() -> None:
    history = HealthHistory()
    history.follow([A, B])
    history.note([Health(UP, changes=3), Health(DOWN, changes=5)], 0.0)
    history.follow([C, B])
    assert minutes(history, A) == []
    assert minutes(history, C) == [(NO_DATA, 0)]
    history.note([Health(DOWN, changes=6), Health(UP)], 60.0)
    assert minutes(history, B) == [(DOWN, 5), (DOWN, 1)]


def test_ten_thousand_checks_take_less_than_a_megabyte() -> None:
    history = HealthHistory()
    history.follow(number.to_bytes(16) for number in range(10_000))
    for minute in range(MINUTES + 5):
        history.note([Health(UP)] * 10_000, 60.0 * minute)
    assert history.octets() < 1_000_000
    assert history.down() == [0] * MINUTES


@given(
    st.lists(
        st.lists(
            st.tuples(st.sampled_from((UP, DOWN, UNKNOWN)), st.integers(0, 3)),
            min_size=3,
            max_size=3,
        ),
        max_size=MINUTES + 9,
    )
)
def test_what_is_counted_of_all_at_once_is_what_each_has(rows: list[list[tuple[int, int]]]) -> None:
    history = HealthHistory()
    history.follow([A, B, C])
    changes = [0, 0, 0]
    for row in rows:
        changes = [old + more for old, (_, more) in zip(changes, row, strict=True)]
        found = [Health(status, changes=n) for (status, _), n in zip(row, changes, strict=True)]
        history.note(found, 1.0)
    each = {key: minutes(history, key) for key in (A, B, C)}
    restless = {key: sum(more > 0 for _, more in one) for key, one in each.items()}
    assert history.restless() == {key: count for key, count in restless.items() if count}
    columns = zip(*each.values(), strict=True)
    assert history.down() == [sum(status == DOWN for status, _ in column) for column in columns]


def test_rates_are_those_of_a_minute_and_not_since_the_start() -> None:
    history = RateHistory()
    counters = dict.fromkeys(
        ("queries_udp", "queries_tcp", "cache_hits", "cache_misses", "servfail", "lua"), 100
    )
    counters["lua_errors"] = 0
    history.note(counters, 10.0)
    assert history.minutes() == []
    history.note(counters | {"queries_udp": 700, "servfail": 130}, 70.0)
    (minute,) = history.minutes()
    assert (minute.rate("queries"), minute.rate("servfail")) == (10.0, 0.5)
    later = counters | {"queries_udp": 760, "servfail": 130}
    assert history.running(later, 72.0).rate("queries") == 30.0
    history.note(later, 190.0, missed=1)
    assert [one.seconds for one in history.minutes()] == [60.0, 0.0, 120.0]
    assert RateHistory().running(counters, 1.0) == Minute(0.0)


def boxes(path: str) -> list[tuple[int, int, int, int]]:
    """Left, top, width and height of each box of a path."""
    found = re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-\d+z", path)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in found]


def test_a_strip_tells_up_from_down_by_height_and_says_it_in_words() -> None:
    history = HealthHistory()
    history.follow([A])
    for status, changes in ((UP, 0), (UP, 0), (DOWN, 1), (UNKNOWN, 1)):
        history.note([Health(status, changes=changes)], 1.0)
    strip = strip_of(history.of(A))
    assert boxes(strip.up) == [(WIDTH - 8, 11, 4, 5)]
    assert boxes(strip.down) == [(WIDTH - 4, 0, 2, HEIGHT)]
    assert boxes(strip.unknown) == [(WIDTH - 2, 7, 2, 2)]
    assert strip.changed == f"M{WIDTH - 4} 0h2l-1 4z"
    assert strip.words == "2 min up, 1 min down, 1 min unknown, 1 change"
    assert strip_of(b"").words == "nothing is known of the last hour"


@given(st.lists(st.sampled_from((UP, DOWN, UNKNOWN, NO_DATA)), max_size=2 * MINUTES))
def test_a_strip_is_no_longer_than_an_hour(cells: list[int]) -> None:
    strip = strip_of(bytes(cells))
    found = boxes(strip.up + strip.down + strip.unknown)
    assert all(left >= 0 and left + width <= WIDTH for left, _, width, _ in found)
    assert sum(width for _, _, width, _ in found) == 2 * sum(
        one != NO_DATA for one in cells[-MINUTES:]
    )


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0.0], f"M{WIDTH - 1} 15h1"),
        ([0.0, 4.0], f"M{WIDTH - 3} 15L{WIDTH - 1} 1"),
        ([1.0, None, 1.0], f"M{WIDTH - 5} 1h1M{WIDTH - 1} 1h1"),
    ],
)
def test_a_line_has_gaps_where_nothing_is_known(values: list[float | None], line: str) -> None:
    assert line_of(values).line == line

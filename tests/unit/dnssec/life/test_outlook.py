"""When the keys of a zone cease to sign it, and what is said of it."""

from __future__ import annotations

import calendar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.dnssec.life.outlook import DatedKey, end_of, outlook, span, state_of
from lzc.dnssec.life.timing import Timing

NOW = float(calendar.timegm((2026, 11, 21, 12, 0, 0)))
DAY = 86400


def key(tag: int, *, sep: bool = True, **days: float) -> DatedKey:
    """A key whose dates are in days from now, published and active long since unless said."""
    dates = {"publish": -99, "activate": -99, **days}
    return DatedKey(tag, sep, Timing(**{name: int(NOW + at * DAY) for name, at in dates.items()}))


def ends(*keys: DatedKey) -> float | None:
    """Days until the end."""
    end = end_of(keys, NOW)
    return None if end is None else (end.at - NOW) / DAY


def test_keys_without_end() -> None:
    assert ends(key(1)) is None
    assert ends(DatedKey(1, True, Timing())) is None
    assert ends(key(1, inactive=7), key(2, publish=1, activate=6)) is None


def test_the_end_is_the_first_moment_without_an_active_key() -> None:
    assert ends(key(1, inactive=7)) == 7
    assert ends(key(1, delete=8)) == 8
    assert ends(key(1, inactive=7), key(2, inactive=9)) == 9
    assert ends(key(1, inactive=7), key(2, activate=8)) == 7
    assert ends(key(1, inactive=-1)) == 0
    assert ends() == 0


def test_a_ksk_that_retires_is_an_end_though_a_zsk_goes_on() -> None:
    assert ends(key(1, inactive=7), key(2, sep=False)) == 7
    assert ends(key(1), key(2, sep=False, inactive=7)) is None, "the KSK signs all of it then"
    assert ends(key(2, sep=False)) is None, "it never had one"


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ([key(7, inactive=-1)], "has no active key: key 7 is retired since 2026-11-20 12:00 UTC"),
        ([key(7, delete=-1)], "key 7 is withdrawn since 2026-11-20 12:00 UTC (Delete)"),
        ([key(7, activate=1)], "key 7 is not active before 2026-11-22 12:00 UTC (Activate)"),
        ([key(7, publish=1)], "key 7 is not published before 2026-11-22 12:00 UTC (Publish)"),
        ([DatedKey(7, True, Timing(created=1))], "key 7 has no date from which it is active"),
        ([key(tag, inactive=-1) for tag in range(5)], "; and 2 more"),
        (
            [key(7, inactive=3.5)],
            "has no active key from 2026-11-25 00:00 UTC on, in 3 days: key 7 retires then, and no"
            " other takes over",
        ),
        ([key(7, inactive=1), key(8, sep=False)], "has no active KSK from 2026-11-22 12:00 UTC on"),
    ],
)
def test_the_cause_in_plain_words(keys: list[DatedKey], words: str) -> None:
    end = end_of(keys, NOW)
    assert end is not None
    assert words in end.why


def test_what_takes_over_may_not_be_in_the_bundle() -> None:
    found = outlook([key(7, inactive=5)], [key(8, publish=2, activate=4)], NOW)
    assert found is not None
    assert found.build == NOW + 2 * DAY
    assert found.why.endswith("key 7 retires then; key 8, which takes over, is not in the bundle")
    nobody = outlook([key(7, inactive=5)], [key(8, publish=6)], NOW)
    assert nobody is not None
    assert nobody.build is None
    late = outlook([key(7, inactive=-1)], [key(8, publish=-2, activate=-2)], NOW)
    assert late is not None
    assert (late.at, late.build) == (NOW, NOW)
    assert outlook([key(7)], [], NOW) is None


def test_lengths_of_time() -> None:
    assert [span(one) for one in (1, 3600, 7200, 2 * DAY, 9.9 * DAY)] == [
        "1 min",
        "60 min",
        "2 hours",
        "2 days",
        "9 days",
    ]


_DATES = st.none() | st.integers(-5, 5)
_KEYS = st.builds(
    lambda sep, *days: DatedKey(
        1, sep, Timing(*(None if day is None else int(NOW + day * DAY) for day in days))
    ),
    st.booleans(),
    *[_DATES] * 6,
)


@given(st.lists(_KEYS, max_size=3))
def test_the_end_is_when_the_first_look_each_hour_finds_none(keys: list[DatedKey]) -> None:
    """By the rules that choose what signs, asked again and again."""
    hours = [NOW + hour * 3600 for hour in range(24 * 6)]
    none = [moment for moment in hours if not any(one.timing.is_active(moment) for one in keys)]
    end = end_of(keys, NOW)
    if end is None:
        assert none == []
    elif none and none[0] == end.at:
        assert all(state_of(one, end.at) != f"key {one.tag} is active" for one in keys)
    else:
        assert any(one.is_sep for one in keys), "the last with the SEP flag retires before"
        assert not none or end.at < none[0]

"""Which queries a log gets, or dnstap."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.serve.observe.sampling import Sampling


def chosen(share: float, seed: int, pieces: list[int]) -> list[int]:
    """All that are chosen, of queries that come in such pieces."""
    sampling = Sampling(share, random.Random(seed).random)
    found, start = [], 0
    for piece in pieces:
        found += [start + place for place in sampling.of(piece)]
        start += piece
    return found


@given(
    st.sampled_from([0.0, 0.001, 0.1, 0.5, 0.999, 1.0]),
    st.integers(0, 1000),
    st.lists(st.integers(0, 200), max_size=50),
)
def test_how_many_come_at_once_changes_nothing(share: float, seed: int, pieces: list[int]) -> None:
    found = chosen(share, seed, pieces)
    assert found == chosen(share, seed, [sum(pieces)])
    assert found == sorted(set(found))
    assert all(0 <= one < sum(pieces) for one in found)


@pytest.mark.parametrize("share", [0.01, 0.25, 0.9])
def test_the_share_is_met(share: float) -> None:
    count = 100_000
    found = len(chosen(share, 1, [count]))
    assert abs(found - count * share) < 6 * (count * share * (1 - share)) ** 0.5


def test_none_and_all() -> None:
    assert chosen(0.0, 1, [10_000]) == []
    assert chosen(1.0, 1, [3, 2]) == [0, 1, 2, 3, 4]

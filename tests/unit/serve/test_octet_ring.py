"""The ring between a worker and the recorder: what goes in comes out, in order, or not at all."""

from __future__ import annotations

import os
from collections import deque

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lzc.serve.ipc.octet_ring import OctetRing

SIZE = 1024


@given(st.lists(st.one_of(st.none(), st.integers(1, 600)), max_size=60))
@example([17, 25, 33, 97, 209, 249, 289, None, 1])  # it is empty, and the next is at its beginning
def test_what_was_put_is_taken_in_its_order_however_it_lies(turns: list[int | None]) -> None:
    """Given turns in which so many octets are put, or all is taken."""
    ring = OctetRing(SIZE)
    there: deque[bytes] = deque()
    for number, octets in enumerate(turns):
        if octets is None:
            assert list(ring.take()) == list(there)
            there.clear()
        elif ring.put([bytes([number]) * (octets - 1), b"."]):
            there.append(bytes([number]) * (octets - 1) + b".")
        else:
            # Two that fit could not lie behind each other.
            assert sum(map(len, there)) + octets > SIZE - 600 - 16 * (len(there) + 2)
    assert list(ring.take()) == list(there)


def test_a_full_ring_takes_nothing_until_there_is_room() -> None:
    ring = OctetRing(SIZE)
    taken = 0
    while ring.put([b"x" * 100]):
        taken += 1
    assert taken == SIZE // 112
    assert len(list(ring.take())) == taken
    assert ring.put([b"y" * 100])
    assert list(ring.take()) == [b"y" * 100]


def test_an_empty_ring_begins_anew_in_memory_that_is_near() -> None:
    """Given far more than what is near, taken piece by piece: the rest of it is never touched."""
    ring = OctetRing()
    for _ in range(3000):
        assert ring.put([b"z" * 1000])
        assert len(list(ring.take())) == 1
    assert not any(ring.octets[2**18 + 2048 :])


def test_the_next_process_goes_on_where_one_died() -> None:
    ring = OctetRing()
    for number in range(3):
        if not (pid := os.fork()):
            ring.put([b"%d" % number])
            ring.counts[0] += 1
            os._exit(0)
        os.waitpid(pid, 0)
    assert list(ring.take()) == [b"0", b"1", b"2"]
    assert ring.counts[0] == 3


def test_nothing_is_taken_twice_by_who_stops_in_between() -> None:
    ring = OctetRing()
    ring.put([b"one"])
    ring.put([b"two"])
    for found in ring.take():
        assert found == b"one"
        break
    assert list(ring.take()) == [b"two"]


@pytest.mark.parametrize("octets", [1, 7, 8, 9, 1000])
def test_pieces_of_any_length_are_whole(octets: int) -> None:
    ring = OctetRing(SIZE)
    for _ in range(20):
        assert ring.put([bytes(range(256))[:octets] or b"", b"a" * max(0, octets - 256)])
        (found,) = ring.take()
        assert len(found) == octets

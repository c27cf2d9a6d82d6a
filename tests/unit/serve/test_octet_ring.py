"""The ring between a worker and the recorder: what goes in comes out, in order, or not at all."""

from __future__ import annotations

import os
from collections import deque

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lzc.serve.ipc.octet_ring import SIZE as OCTETS
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


@pytest.mark.parametrize("octets", [100, 150_000, 2_000_000, 4_000_000])
def test_a_ring_that_was_emptied_has_room_for_all_that_fits(octets: int) -> None:
    """Wherever in its memory that was: who reads does not look until there is more."""
    ring = OctetRing()
    assert ring.put([bytes(octets)])
    assert [len(piece) for piece in ring.take()] == [octets]
    count = 0
    while ring.put([count.to_bytes(2, "big") * 500]):
        count += 1
    assert count > (OCTETS - 150_000) // 1008
    assert [piece[:2] for piece in ring.take()] == [n.to_bytes(2, "big") for n in range(count)]


def test_a_piece_is_written_where_it_is_read_and_ends_as_is_said() -> None:
    ring = OctetRing(SIZE)
    for number in range(50):
        found = ring.space(300)
        assert found is not None
        place, stop = found
        assert stop - place >= 300
        ring.octets[place : place + 200] = bytes([number]) * 200
        ring.hand_over(place, 200)
        if number % 3:
            assert ring.put([b"behind"])
            assert list(ring.take()) == [bytes([number]) * 200, b"behind"]
        else:
            assert list(ring.take()) == [bytes([number]) * 200]


def test_space_ends_where_what_is_not_taken_begins() -> None:
    ring = OctetRing(SIZE)
    assert ring.put([b"1" * 400]) and ring.put([b"2" * 400])
    next(ring.take())
    found = ring.space(100)
    assert found is not None
    place, stop = found
    ring.octets[place:stop] = b"3" * (stop - place)
    ring.hand_over(place, stop - place)
    assert list(ring.take()) == [b"2" * 400, b"3" * (stop - place)]


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

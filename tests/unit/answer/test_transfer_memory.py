"""What a transfer holds is a message or two, whatever the zone's size and the number of readers."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import pytest

from lzc.answer.transfer import TransferPlan, open_transfer
from lzc.image.transfer_stream import MAX_MESSAGE
from lzc.wire.tsig import sign
from tests.unit.answer.test_transfer import ACCESS, HERE, KEY, KEYS, request
from tests.unit.answering import HEAD, NOW, World

SMALL, LARGE = 1_000, 100_000


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    def zone(records: int) -> str:
        return HEAD + "".join(
            f"h{n} 60 A 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(records)
        )

    folder: Path = tmp_path_factory.mktemp("bundle")
    return World(folder, {"small.example.": zone(SMALL), "large.example.": zone(LARGE)})


def held(world: World, name: str, readers: int) -> tuple[int, int]:
    """The most octets of memory that so many transfers take that are sent in turns, each message
    gone before the next is made; and the octets of each."""
    query, _ = sign(request(name), KEY, NOW)
    tracemalloc.start()
    try:
        plans = [
            open_transfer(world.bundle, ACCESS, KEYS, query, HERE, NOW) for _ in range(readers)
        ]
        streams = [plan.messages() for plan in plans if isinstance(plan, TransferPlan)]
        assert len(streams) == readers
        octets = 0
        for turn in itertools.zip_longest(*streams):
            octets += len(turn[0])
            del turn
        for plan in plans:
            assert isinstance(plan, TransferPlan)
            plan.close()
        return tracemalloc.get_traced_memory()[1], octets
    finally:
        tracemalloc.stop()


def test_memory_of_a_transfer_is_that_of_some_messages(world: World) -> None:
    held(world, "small.example", 1)  # what is made once
    small, few = held(world, "small.example", 1)
    large, many = held(world, "large.example", 1)
    assert many > 20 * MAX_MESSAGE > 20 * few
    # The message, the one before it, and its copies on the way to be signed.
    assert small < large < 5 * MAX_MESSAGE


def test_ten_at_once_hold_ten_messages(world: World) -> None:
    most, octets = held(world, "large.example", 10)
    assert octets > 20 * MAX_MESSAGE
    assert most < 10 * 2 * MAX_MESSAGE + 5 * MAX_MESSAGE

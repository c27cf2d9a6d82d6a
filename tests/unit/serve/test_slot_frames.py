"""Frames of what lies in slots: LuaJIT makes those that are made one by one otherwise."""

from __future__ import annotations

import mmap
import socket
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.serve.ipc.exchanges import FRAMES, LINE, NAME, SILENT, Columns, host
from lzc.serve.observe.dnstap import Endpoint
from lzc.serve.observe.slot_frames import SlotFrames, Slots
from lzc.serve.transport import datagrams

ROOM = 2**20
Told = tuple[bytes, bytes, int, int]
"""Query, answer, port, marks."""


class Socket:
    """The slots of a socket, and memory for frames."""

    def __init__(self, *, six: bool, together: bool, identity: str = "ns1.test") -> None:
        self.six = six
        local = socket.inet_pton(socket.AF_INET6, "::1") if six else b"\x7f\0\0\1"
        self.endpoint = Endpoint(
            identity, "lzc 0.1.0", local, 5300, tcp=False, six=six, together=together
        )
        self.socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
        self.slots = datagrams.Datagrams(self.socket)
        self.marks = mmap.mmap(-1, datagrams.BATCH)
        self.memory = mmap.mmap(-1, ROOM)
        at = self.slots.addresses
        slots = Slots(
            *(at.received, at.answers, at.clients, datagrams.address(self.marks)),
            *(at.lengths, at.lengths_step, at.answer_lengths, at.answer_lengths_step),
            *(datagrams.SLOT, NAME),
        )
        self.frames = SlotFrames(self.endpoint, datagrams.address(self.memory), slots, six=six)

    def client(self, number: int) -> bytes:
        return bytes(range(number, number + (16 if self.six else 4)))

    def fill(self, told: Sequence[Told]) -> None:
        where, made = host(six=self.six), self.slots
        for slot, (query, answer, port, marks) in enumerate(told):
            at, name = slot * datagrams.SLOT, slot * NAME
            made.received[at : at + len(query)] = query
            made.answers[at : at + len(answer)] = answer
            made.lengths[slot], made.answer_lengths[slot] = len(query), len(answer)
            made.clients[name + 2 : name + 4] = port.to_bytes(2, "big")
            made.clients[name + where.start : name + where.stop] = self.client(slot)
            self.marks[slot] = marks

    def one_by_one(self, told: Sequence[Told], received: float, sent: float) -> tuple[bytes, int]:
        octets, count = b"", 0
        for slot, (query, answer, port, marks) in enumerate(told):
            if marks & FRAMES:
                got = None if marks & SILENT else answer
                columns = Columns([self.client(slot)], [port.to_bytes(2, "big")], [query], [got])
                frames, number = self.endpoint.frames(received, sent, columns)
                octets, count = octets + frames, count + number
        return octets, count


TEXTS = st.one_of(
    st.binary(max_size=140),
    st.integers(0, datagrams.MAX_DATAGRAM).map(lambda octets: bytes(octets)),
)
MARKS = st.sampled_from((0, FRAMES, FRAMES, FRAMES, FRAMES | SILENT, LINE, FRAMES | LINE, SILENT))
TOLD = st.lists(
    st.tuples(TEXTS, TEXTS, st.integers(0, 65535), MARKS),
    min_size=1,
    max_size=datagrams.BATCH,
)
TIMES = st.floats(0, 2**33)


@pytest.mark.parametrize("six", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_they_are_those_that_are_made_one_by_one(six: bool, together: bool) -> None:
    with (made := Socket(six=six, together=together)).socket:

        @given(st.lists(st.tuples(TOLD, TIMES, TIMES, st.integers(0, 9)), max_size=3))
        def held(batches: list[tuple[list[Told], float, float, int]]) -> None:
            for told, received, sent, place in batches:
                made.fill(told)
                expected, count = made.one_by_one(told, received, sent)
                octets, frames = made.frames.write(len(told), received, sent, place, ROOM)
                assert (octets, frames) == (len(expected), count)
                assert made.memory[place : place + octets] == expected

        held()


@given(TOLD, st.integers(0, 20_000))
def test_where_there_is_no_room_nothing_is_written_behind_it(told: list[Told], room: int) -> None:
    with (made := Socket(six=False, together=False)).socket:
        made.fill(told)
        expected, count = made.one_by_one(told, 1.5, 2.5)
        found, frames = made.frames.write(len(told), 1.5, 2.5, 0, room)
        assert not any(made.memory[max(room, 0) :])
        if found < 0:
            assert len(expected) <= -found and not frames
            found, frames = made.frames.write(len(told), 1.5, 2.5, 0, -found)
        assert (found, frames) == (len(expected), count)
        assert made.memory[:found] == expected


def test_an_identity_of_any_length_is_said() -> None:
    """One that has more than an octet's varint, and more than any room kept for it."""
    for length in (0, 1, 127, 128, 5000):
        with (made := Socket(six=False, together=False, identity="n" * length)).socket:
            told = [(b"query", b"answer", 53, FRAMES)] * 3
            made.fill(told)
            expected, _ = made.one_by_one(told, 1.5, 2.5)
            found, _ = made.frames.write(3, 1.5, 2.5, 0, ROOM)
            assert made.memory[:found] == expected

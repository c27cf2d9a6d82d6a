"""Queries and answers on their way to the recorder."""

from __future__ import annotations

import sys

from hypothesis import given
from hypothesis import strategies as st

from lzc.serve.ipc.exchanges import (
    FRAMES,
    LINE,
    NAME,
    SILENT,
    Batch,
    columns,
    front_of,
    pieces,
    pieces_of,
    pieces_of_singles,
    read,
    widest,
    width,
)

CLIENTS = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
EXCHANGES = st.tuples(
    st.binary(min_size=2, max_size=2), st.binary(max_size=300), st.none() | st.binary(max_size=5000)
)


@given(st.lists(EXCHANGES, min_size=1, max_size=9), CLIENTS, st.binary(max_size=4), st.booleans())
def test_what_is_handed_over_is_read_as_it_was(
    found: list[tuple[bytes, bytes, bytes | None]], client: bytes, local: bytes, tcp: bool
) -> None:
    exchanges = [(client, port, query, answer) for port, query, answer in found]
    marks = bytes((SILENT if one[3] is None else 0) | FRAMES | LINE for one in exchanges)
    batch = Batch(tcp, len(client) == 16, local, 5300, 1.25, 2.5)
    missed = [one[2] for one in exchanges[::2]]
    taken = read(b"".join(pieces_of(batch, marks, exchanges, missed)))
    assert (taken.batch, taken.marks, taken.exchanges) == (batch, marks, exchanges)
    assert taken.missed == set(missed)


def test_the_largest_message_of_tcp_is_read_as_it_was() -> None:
    exchange = b"\x7f\0\0\1", b"\1\2", b"q" * 65535, b"a" * 65535
    batch = Batch(True, False, b"\x7f\0\0\1", 53, 1.0, 2.0)
    assert read(b"".join(pieces_of(batch, b"\2", [exchange]))).exchanges == [exchange]


def test_slots_are_handed_over_as_they_lie() -> None:
    slot, texts = 80, [b"one", b"three", b"seventeen octets."]
    memory = b"".join(text.ljust(slot, b"-") for text in texts)
    wide = width(max(map(len, texts)))
    names = b"".join(
        (b"\2\0" + bytes((0, port)) + bytes((192, 0, 2, port))).ljust(NAME) for port in (1, 2, 3)
    )
    took = columns(3, wide, slot).unpack_from(memory)
    sizes = (
        b"".join(len(text).to_bytes(4, sys.byteorder) for text in texts),
        b"".join(len(text).to_bytes(8, sys.byteorder) for text in texts),
    )
    front = front_of(False, False, b"", 53)
    whole = pieces(
        front,
        (1.0, 2.0),
        bytes((FRAMES, SILENT | FRAMES, LINE)),
        sizes,
        (wide, wide),
        names,
        took * 2,
    )
    assert read(b"".join(whole)).exchanges == [
        (bytes((192, 0, 2, 1)), b"\0\1", b"one", b"one"),
        (bytes((192, 0, 2, 2)), b"\0\2", b"three", None),
        (bytes((192, 0, 2, 3)), b"\0\3", b"seventeen octets.", b"seventeen octets."),
    ]
    # Of those that lie between others, some are not asked for.
    whole = pieces(
        front, (1.0, 2.0), bytes((0, SILENT, LINE)), sizes, (wide, wide), names, took * 2
    )
    taken = read(b"".join(whole))
    assert (taken.marks, [one[2] for one in taken.exchanges]) == (bytes((LINE,)), [texts[2]])


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e10), st.floats(0, 1e10), st.binary(max_size=99), st.binary(max_size=999)
        ),
        min_size=1,
        max_size=9,
    )
)
def test_exchanges_of_many_batches_have_times_of_their_own(
    found: list[tuple[float, float, bytes, bytes]],
) -> None:
    name = (b"\2\0\0\7" + bytes((192, 0, 2, 1))).ljust(NAME, b"\0")
    singles = [(at, end, FRAMES | LINE, name, query, answer) for at, end, query, answer in found]
    front = front_of(False, False, b"\x7f\0\0\1", 53)
    taken = read(b"".join(pieces_of_singles(front, singles, [found[0][2]])))
    assert taken.times == [(at, end) for at, end, _, _ in found]
    client = bytes((192, 0, 2, 1)), b"\0\7"
    assert taken.exchanges == [(*client, query, answer) for _, _, query, answer in found]
    assert taken.missed == {found[0][2]}


@given(
    st.lists(st.one_of(st.integers(0, 300), st.integers(0, 70_000)), min_size=1, max_size=70),
    st.sampled_from((4, 8)),
)
def test_the_widest_text_is_found_by_the_octets_of_sizes(sizes: list[int], octets: int) -> None:
    written = b"".join(size.to_bytes(octets, sys.byteorder) for size in sizes)
    found = widest(written, octets)
    assert found == max(width(max(sizes)), 32)

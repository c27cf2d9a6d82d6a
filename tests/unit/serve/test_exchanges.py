"""Queries and answers on their way to the recorder."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lzc.serve.ipc.exchanges import (
    FRAMES,
    LINE,
    NAME,
    SILENT,
    Batch,
    front_of,
    pieces_of,
    pieces_of_singles,
    read,
)

CLIENTS = st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16))
EXCHANGES = st.tuples(
    st.binary(min_size=2, max_size=2), st.binary(max_size=300), st.none() | st.binary(max_size=5000)
)


@given(
    st.lists(EXCHANGES, min_size=1, max_size=9),
    CLIENTS,
    st.binary(max_size=4),
    st.sampled_from([(False, False), (True, False), (True, True)]),
)
def test_what_is_handed_over_is_read_as_it_was(
    found: list[tuple[bytes, bytes, bytes | None]],
    client: bytes,
    local: bytes,
    over: tuple[bool, bool],
) -> None:
    tcp, tls = over
    exchanges = [(client, port, query, answer) for port, query, answer in found]
    marks = bytes((SILENT if one[3] is None else 0) | FRAMES | LINE for one in exchanges)
    batch = Batch(tcp, len(client) == 16, local, 5300, 1.25, 2.5, tls)
    missed = [one[2] for one in exchanges[::2]]
    taken = read(b"".join(pieces_of(batch, marks, exchanges, missed)))
    assert (taken.batch, taken.marks, taken.exchanges) == (batch, marks, exchanges)
    assert taken.missed == set(missed)


def test_the_largest_message_of_tcp_is_read_as_it_was() -> None:
    exchange = b"\x7f\0\0\1", b"\1\2", b"q" * 65535, b"a" * 65535
    batch = Batch(True, False, b"\x7f\0\0\1", 53, 1.0, 2.0)
    assert read(b"".join(pieces_of(batch, b"\2", [exchange]))).exchanges == [exchange]


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

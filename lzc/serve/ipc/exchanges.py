"""Queries and their answers on their way from a worker to the recorder: many with one piece.

What a worker answers over UDP goes there as the frames of dnstap that it is to become
(`lzc.serve.observe.slot_frames`). All else is few: what goes over TCP, and what the query log gets.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import Final, NamedTuple

SILENT: Final = 1
FRAMES: Final = 2
LINE: Final = 4
"""Marks of an exchange: it got no answer; dnstap gets it; the query log does."""

_ANSWERED: Final = bytes((FRAMES, LINE, FRAMES | LINE))

NAME: Final = 32
"""Octets that a socket address has here."""
PORT: Final = 2
"""Where its port is, in network order."""

_MADE: Final = 4
"""A piece that begins with this has frames that are made. Others begin with flags, see `Batch`."""
MADE: Final = 8
"""Octets in front of these frames."""
_made: Final = struct.Struct("=BxxxI")

_front: Final = struct.Struct("=BBHI")
_head: Final = struct.Struct("=HIIIdd")
_WIDE: Final = 32
_OF_EACH: Final = (-1.0, -1.0)
"""In the place of times, where each exchange has its own, which follow the rest."""
_length: Final = struct.Struct("=H")


class Batch(NamedTuple):
    """Of one socket: what came at ``received`` and was answered at ``sent``, in seconds since the
    epoch. ``local`` is the packed address that was asked, empty where that is not known; ``tls``:
    TCP with TLS in it."""

    tcp: bool
    six: bool
    local: bytes
    port: int
    received: float
    sent: float
    tls: bool = False


Exchange = tuple[bytes, bytes, bytes, bytes | None]
"""Packed address of a client, the two octets of its port, query, and answer, if it got one."""


class Columns(NamedTuple):
    """Exchanges by what each has: who makes frames of many takes a third of the time by these."""

    hosts: Sequence[bytes]
    ports: Sequence[bytes]
    queries: Sequence[bytes]
    answers: Sequence[bytes | None]

    def of(self, chosen: Sequence[bool]) -> Columns:
        """Those for which it says true."""
        return Columns(
            [*compress(self.hosts, chosen)],
            [*compress(self.ports, chosen)],
            [*compress(self.queries, chosen)],
            [*compress(self.answers, chosen)],
        )


class Taken(NamedTuple):
    """Exchanges, each with its marks, of the process ``pid``; ``missed`` are queries that the
    packet cache did not have. Where each has ``times`` of its own, those of the batch mean
    nothing."""

    pid: int
    batch: Batch
    marks: bytes
    columns: Columns
    missed: frozenset[bytes]
    times: Sequence[tuple[float, float]] = ()

    @property
    def exchanges(self) -> list[Exchange]:
        """One by one."""
        return [*zip(*self.columns, strict=True)]


def width(octets: int) -> int:
    """Octets of each of some texts that have so many at most."""
    return octets + _WIDE - 1 & -_WIDE


def host(*, six: bool) -> slice:
    """Where the host is in a socket address (ip(7), ipv6(7))."""
    return slice(8, 24) if six else slice(4, 8)


def front_of(tcp: bool, six: bool, local: bytes, port: int, tls: bool = False) -> bytes:
    """What all batches of a socket of ours begin with, in the process that this one is; see
    `Batch`."""
    return _front.pack(tcp | six << 1 | tls << 2, len(local), port, os.getpid()) + local


def pieces(
    front: bytes,
    times: tuple[float, float],
    marks: bytes,
    sizes: tuple[bytes, bytes],
    widths: tuple[int, int],
    clients: bytes,
    texts: Sequence[bytes],
    missed: Sequence[bytes] = (),
) -> list[bytes]:
    """What `read` finds as many exchanges in as there are ``marks``. ``times``: when they were
    received and answered. ``sizes``: those of queries in 32 bits each, and of answers in 64;
    ``texts``: all queries and then all answers, each with octets behind it up to its width.
    ``missed`` are queries that the packet cache did not have."""
    rest = b""
    if missed:
        rest = b"".join([part for query in missed for part in (_length.pack(len(query)), query)])
    head = _head.pack(len(marks), *widths, len(rest), *times)
    return [front, head, marks, *sizes, clients, *texts, rest]


Single = tuple[float, float, int, bytes, bytes, bytes]
"""When it was received and answered, its marks, the socket address of its client, query, answer."""


def pieces_of_singles(
    front: bytes, singles: Sequence[Single], missed: Sequence[bytes]
) -> list[bytes]:
    """Likewise of exchanges that are of many batches of one socket, each with its times."""
    queries = [one[4] for one in singles]
    answers = [one[5] for one in singles]
    asked, answered = [*map(len, queries)], [*map(len, answers)]
    wide = width(max(asked)), width(max(answered))
    texts = [query.ljust(wide[0], b"\0") for query in queries]
    texts += [answer.ljust(wide[1], b"\0") for answer in answers]
    clients = b"".join([one[3] for one in singles])
    marks = bytes([one[2] for one in singles])
    sizes = sizes_of(asked, answered)
    found = pieces(front, _OF_EACH, marks, sizes, wide, clients, texts, missed)
    times = [time for one in singles for time in one[:2]]
    return [*found, struct.pack(f"={len(times)}d", *times)]


def sizes_of(asked: Sequence[int], answered: Sequence[int]) -> tuple[bytes, bytes]:
    """The sizes of as many queries and answers, as `pieces` takes them."""
    return struct.pack(f"={len(asked)}I", *asked), struct.pack(f"={len(answered)}Q", *answered)


def pieces_of(
    batch: Batch, marks: bytes, exchanges: Sequence[Exchange], missed: Sequence[bytes] = ()
) -> list[bytes]:
    """Likewise of exchanges that are few."""
    tcp, six, local, port, received, sent, tls = batch
    queries = [query for _, _, query, _ in exchanges]
    answers = [answer or b"" for _, _, _, answer in exchanges]
    wide = width(max(map(len, queries))), width(max(map(len, answers)))
    before, between = bytes(PORT), bytes(host(six=six).start - PORT - 2)
    clients = [
        (before + its_port + between + client).ljust(NAME, b"\0")
        for client, its_port, _, _ in exchanges
    ]
    texts = [query.ljust(wide[0], b"\0") for query in queries]
    texts += [answer.ljust(wide[1], b"\0") for answer in answers]
    sizes = sizes_of([*map(len, queries)], [*map(len, answers)])
    front = front_of(tcp, six, local, port, tls)
    return pieces(front, (received, sent), marks, sizes, wide, b"".join(clients), texts, missed)


def begin_made(octets: memoryview, place: int, count: int) -> None:
    """Write what stands in front of so many frames, `MADE` octets behind ``place``."""
    _made.pack_into(octets, place, _MADE, count)


def made_in(octets: bytes) -> int:
    """How many frames a piece has, `MADE` octets from its beginning; 0 where it is for `read`."""
    kind, count = _made.unpack_from(octets)
    return int(count) if kind == _MADE else 0


def read(octets: bytes) -> Taken:
    """What went in, but for exchanges that nobody is to get."""
    flags, size, port, pid = _front.unpack_from(octets)
    six = bool(flags & 2)
    at = _front.size + size
    local = octets[_front.size : at]
    count, asked, answered, rest, received, sent = _head.unpack_from(octets, at)
    at += _head.size
    batch = Batch(bool(flags & 1), six, local, port, received, sent, bool(flags & 4))
    marks = octets[at : at + count]
    layout = _layout(count, asked, answered, six)
    found = layout.unpack_from(octets, at + count)
    at += count + layout.size
    # 0.25 µs for an exchange: what is the same of each lies beside each other.
    queries = [
        text[:length] for text, length in zip(found[4 * count : 5 * count], found, strict=False)
    ]
    answers: list[bytes | None] = [
        text[:length]
        for text, length in zip(found[5 * count :], found[count : 2 * count], strict=True)
    ]
    ports, hosts = found[2 * count : 4 * count : 2], found[2 * count + 1 : 4 * count : 2]
    columns = Columns(hosts, ports, queries, answers)
    if marks.translate(None, _ANSWERED):
        answers[:] = [
            None if mark & SILENT else answer for mark, answer in zip(marks, answers, strict=True)
        ]
        columns = columns.of([mark > SILENT for mark in marks])
        marks = bytes([mark for mark in marks if mark > SILENT])
    missed = frozenset(_missed(octets[at : at + rest])) if rest else frozenset()
    if received >= 0:
        return Taken(pid, batch, marks, columns, missed)
    own = struct.unpack_from(f"={2 * count}d", octets, at + rest)
    return Taken(pid, batch, marks, columns, missed, [*zip(own[::2], own[1::2], strict=True)])


@lru_cache(maxsize=1024)
def _layout(count: int, asked: int, answered: int, six: bool) -> struct.Struct:
    """Of lengths, of ports and addresses, and of texts."""
    where = host(six=six)
    size, before = where.stop - where.start, where.start - PORT - 2
    client = f"{PORT}x2s{before}x{size}s{NAME - where.stop}x"
    parts = (f"{count}I{count}Q", client * count, f"{asked}s" * count, f"{answered}s" * count)
    return struct.Struct("=" + "".join(parts))


def _missed(octets: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(octets):
        (length,) = _length.unpack_from(octets, at)
        yield octets[at + 2 : at + 2 + length]
        at += 2 + length

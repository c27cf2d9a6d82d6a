"""The observer: a process that makes the text of metrics when nothing else wants its core.

In the supervisor, a thread has to end its turns itself (`lzc.serve.supervise.standing_back`), and
an answer waits for the rest of one. A process of the policy SCHED_IDLE is interrupted as soon as a
worker has something to do: it may hold nothing then that somebody waits for, as it does not hold
the interpreter of the supervisor.
"""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import socket
import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from lzc.serve.observe import exposition
from lzc.serve.observe.made_metrics import MadeMetrics
from lzc.serve.supervise.completing import Completion, GiveWay, Looked

LENGTH: Final = struct.Struct("=I")
"""In front of what goes over the line to it: of its octets. What comes back is but the length of
what was made, and the file that has it."""
_AT_ONCE: Final = 65536
_GZIP: Final = 16 + zlib.MAX_WBITS
_FAST: Final = 1


class Wanted(NamedTuple):
    """Metrics in a content type of `lzc.serve.observe.exposition`, with the names of PowerDNS or
    without, compressed by gzip or not."""

    content_type: str
    powerdns: bool
    compressed: bool


def pieces(
    wanted: Wanted, looked: Looked, completion: Completion, give_way: GiveWay
) -> Iterator[bytes]:
    """What is wanted, in as few pieces as are of use."""
    seen = completion.complete(looked, give_way)
    made = _paused(exposition.pieces(seen, wanted.content_type, powerdns=wanted.powerdns), give_way)
    return gathered(compressed(made) if wanted.compressed else made)


def _paused(made: Iterable[bytes], give_way: GiveWay) -> Iterator[bytes]:
    for piece in made:
        yield piece
        give_way()


def compressed(made: Iterable[bytes]) -> Iterator[bytes]:
    """The same in gzip's format (RFC 1952)."""
    packer = zlib.compressobj(_FAST, zlib.DEFLATED, _GZIP)
    for piece in made:
        yield packer.compress(piece)
    yield packer.flush()


def gathered(made: Iterable[bytes]) -> Iterator[bytes]:
    """The same in fewer pieces, none of them empty."""
    some, octets = [], 0
    for piece in made:
        some.append(piece)
        octets += len(piece)
        if octets >= _AT_ONCE:
            yield b"".join(some)
            some, octets = [], 0
    if octets:
        yield b"".join(some)


def observe(line: socket.socket, completion: Completion) -> int:
    """The life of the process: it answers what comes over the line, until nobody is there. Each
    question is a `Wanted`, what was seen, and the zones at each secondary."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    gc.freeze()
    with contextlib.suppress(EOFError, OSError), line, line.makefile("rb") as incoming:
        while True:
            wanted, seen, folder, secondaries = _read(incoming)
            there = [_read(incoming) for _ in range(secondaries)]
            looked = Looked(seen, there, folder)
            made = MadeMetrics.of(pieces(wanted, looked, completion, lambda: None))
            socket.send_fds(line, [LENGTH.pack(made.octets)], [made.fileno()])
            made.close()
    return 0


def question(wanted: Wanted, looked: Looked) -> Iterator[bytes]:
    """What `observe` reads, in parts that take little time to make each."""
    yield _packed((wanted, looked.seen, looked.folder, len(looked.there)))
    for there in looked.there:
        yield _packed(there)


def _packed(value: object) -> bytes:
    octets = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return LENGTH.pack(len(octets)) + octets


def _read(incoming: BinaryIO) -> Any:
    head = incoming.read(LENGTH.size)
    if len(head) < LENGTH.size:
        raise EOFError
    return pickle.loads(incoming.read(*LENGTH.unpack(head)))  # noqa: S301 - our parent wrote it

"""Many datagrams with one system call: recvmmsg and sendmmsg of Linux.

The standard library has neither. Everything the kernel needs to know is laid out in memory once, so
that a call takes a pointer and a number: a query is read into slot n, its answer leaves from slot n
for the address it came from.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from typing import Final, NamedTuple

BATCH: Final = 64
"""Datagrams received with one call at most."""
MAX_DATAGRAM: Final = 4096
"""Octets of a query or of an answer at most; longer queries are cut, which makes them malformed."""

# Not a power of two, or all slots would compete for the same few lines of the processor's cache.
SLOT: Final = MAX_DATAGRAM + 192
"""Octets from one slot to the next."""
_NAME: Final = 32
_IOVEC: Final = struct.Struct("=QQ")
_MMSGHDR: Final = struct.Struct("=QIIQQQQiIII")
"""struct mmsghdr of 64-bit Linux: name, its length, padding, iovec, how many, control, its length,
flags, octets received, padding."""
_RECEIVED: Final = 14
"""Where the octets received stand, in 32-bit words."""


def _library() -> ctypes.CDLL | None:
    if sys.platform != "linux" or struct.calcsize("P") != 8:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    return library if hasattr(library, "recvmmsg") and hasattr(library, "sendmmsg") else None


_libc: Final = _library()

AVAILABLE: Final = _libc is not None


class Addresses(NamedTuple):
    """Where slots are in memory: their octets and clients; the first of ``lengths``, and how many
    32-bit words are from one to the next; the first of ``answer_lengths``, and 64-bit words."""

    received: int
    answers: int
    clients: int
    lengths: int
    lengths_step: int
    answer_lengths: int
    answer_lengths_step: int


class Datagrams:
    """The slots of one UDP socket that is bound to an address and does not block.

    ``places`` says of each slot, after its number: where its octets begin in ``received`` and in
    ``answers``, the index of their number in ``sizes``, that of the packed client address in
    ``clients`` (a slice), and the index of the number of octets to send in ``answer_sizes``.
    ``lengths`` and ``answer_lengths`` are these two numbers of all slots. ``addresses`` is where
    all this is for as long as this object.
    """

    def __init__(self, sock: socket.socket) -> None:
        assert _libc is not None
        six = sock.family == socket.AF_INET6
        self.received = mmap.mmap(-1, BATCH * SLOT)
        self.answers = mmap.mmap(-1, BATCH * SLOT)
        self.clients = mmap.mmap(-1, BATCH * _NAME)
        queries, replies = (mmap.mmap(-1, BATCH * _MMSGHDR.size) for _ in range(2))
        pieces, reply_pieces = (mmap.mmap(-1, BATCH * _IOVEC.size) for _ in range(2))
        received, answers, clients = map(address, (self.received, self.answers, self.clients))
        for slot in range(BATCH):
            name, size = clients + slot * _NAME, 28 if six else 16
            for headers, iovecs, octets, length in (
                (queries, pieces, received, MAX_DATAGRAM),
                (replies, reply_pieces, answers, 0),
            ):
                _IOVEC.pack_into(iovecs, slot * _IOVEC.size, octets + slot * SLOT, length)
                piece = address(iovecs) + slot * _IOVEC.size
                at = slot * _MMSGHDR.size
                _MMSGHDR.pack_into(headers, at, name, size, 0, piece, 1, 0, 0, 0, 0, 0, 0)
        # Only addresses lead to these.
        self._memory = (queries, replies, pieces, reply_pieces)
        self.sizes = memoryview(queries).cast("I")
        self.answer_sizes = memoryview(reply_pieces).cast("Q")
        self.lengths = self.sizes[_RECEIVED :: _MMSGHDR.size // 4]
        self.answer_lengths = self.answer_sizes[1 :: _IOVEC.size // 8]
        host = slice(8, 24) if six else slice(4, 8)
        self.places = [
            (
                slot,
                (
                    slot * SLOT,
                    slot * _MMSGHDR.size // 4 + _RECEIVED,
                    slice(slot * _NAME + host.start, slot * _NAME + host.stop),
                    slot * _IOVEC.size // 8 + 1,
                ),
            )
            for slot in range(BATCH)
        ]
        self.addresses = Addresses(
            *(received, answers, clients),
            *(address(queries) + 4 * _RECEIVED, _MMSGHDR.size // 4),
            *(address(reply_pieces) + 8, _IOVEC.size // 8),
        )
        self._fd = ctypes.c_int(sock.fileno())
        start = address(replies)
        self._starts = [ctypes.c_void_p(start + n * _MMSGHDR.size) for n in range(BATCH)]
        self._receive = (self._fd, ctypes.c_void_p(address(queries)), BATCH, 0, None)
        self._send = _libc.sendmmsg

    def receive(self) -> int:
        """Fill slots from the first on with what is waiting; how many, 0 when there is nothing.
        Raises `OSError`."""
        assert _libc is not None
        count: int = _libc.recvmmsg(*self._receive)
        if count >= 0:
            return count
        number = ctypes.get_errno()
        if number in (errno.EAGAIN, errno.EINTR):
            return 0
        raise OSError(number, os.strerror(number))

    def send(self, first: int, end: int) -> int:
        """Send the answers of the slots from ``first`` up to ``end``; how many failed."""
        failed = 0
        while first < end:
            sent: int = self._send(self._fd, self._starts[first], end - first, 0)
            if sent > 0:
                first += sent
            else:
                # Full buffer, a firewall, a spoofed port 0, an answer over the MTU of a link
                # without fragments: the client asks again, as over any lossy path.
                failed += 1
                first += 1
        return failed


def address(memory: mmap.mmap) -> int:
    """Where it begins."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))

"""Queries and answers as dnstap has them (dnstap.info): messages of Protocol Buffers, made by hand.

dnstap.proto has thirty fields; a server that answers from its own zones needs fourteen. What is the
same for many messages is put together once, which leaves 1 µs for a query and its answer.
"""

from __future__ import annotations

import struct
from typing import Final

CONTENT_TYPE: Final = b"protobuf:dnstap.Dnstap"
AUTH_QUERY: Final = 1
AUTH_RESPONSE: Final = 2

_length = struct.Struct(">I").pack
_fixed32 = struct.Struct("<I").pack
# Each the number of a field and how its value is written, as its first octet.
_IDENTITY, _VERSION, _MESSAGE = b"\x0a", b"\x12", b"\x72"
_IS_MESSAGE: Final = b"\x78\x01"
_TYPE, _FAMILY, _PROTOCOL = b"\x08", b"\x10", b"\x18"
_QUERY_ADDRESS, _RESPONSE_ADDRESS = b"\x22", b"\x2a"
_QUERY_PORT, _RESPONSE_PORT = b"\x30", b"\x38"
_QUERY_SECONDS, _QUERY_NANOSECONDS = b"\x40", b"\x4d"
_QUERY_OCTETS: Final = b"\x52"
_RESPONSE_SECONDS, _RESPONSE_NANOSECONDS = b"\x60", b"\x6d"
_RESPONSE_OCTETS: Final = b"\x72"


def varint(number: int) -> bytes:
    """A number from 0 on, seven bits an octet, the lowest first."""
    octets = bytearray()
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    octets.append(number)
    return bytes(octets)


class _Lengths(dict[int, bytes]):
    """Lengths as `varint` has them, each made once."""

    def __missing__(self, number: int) -> bytes:
        made = self[number] = varint(number)
        return made


class _Ports(dict[bytes, bytes]):
    """Fields of clients' ports, whose two octets are in network order, each made once."""

    def __missing__(self, octets: bytes) -> bytes:
        made = self[octets] = _QUERY_PORT + varint(int.from_bytes(octets, "big"))
        return made


_LENGTHS: Final = _Lengths()
_PORTS: Final = _Ports()


class Endpoint:
    """Messages about what comes to one socket of ours. ``identity`` and ``version`` are those of
    the server; ``local`` is the packed address that is asked, empty where that is not known, and
    ``port`` its port."""

    def __init__(
        self, identity: str, version: str, local: bytes, port: int, *, tcp: bool, six: bool
    ) -> None:
        head = b""
        for field, text in ((_IDENTITY, identity), (_VERSION, version)):
            octets = text.encode()
            head += field + varint(len(octets)) + octets if octets else b""
        self._head = head + _IS_MESSAGE + _MESSAGE
        self._client = _QUERY_ADDRESS + (b"\x10" if six else b"\x04")
        address = _RESPONSE_ADDRESS + bytes((len(local),)) + local if local else b""
        self._about = b"".join(
            (
                *(_FAMILY, b"\2" if six else b"\1", _PROTOCOL, b"\2" if tcp else b"\1"),
                *(address, _RESPONSE_PORT, varint(port)),
            )
        )

    def at(self, received: float, sent: float) -> Moment:
        """Messages about queries that came and were answered at these times, in seconds since the
        epoch."""
        asked = _QUERY_SECONDS + varint(int(received)) + _QUERY_NANOSECONDS
        asked += _fixed32(int(received % 1 * 1e9))
        answered = _RESPONSE_SECONDS + varint(int(sent)) + _RESPONSE_NANOSECONDS
        answered += _fixed32(int(sent % 1 * 1e9))
        query = _TYPE + bytes((AUTH_QUERY,)) + self._about + asked
        answer = _TYPE + bytes((AUTH_RESPONSE,)) + self._about + asked + answered
        return Moment(self._head, query, answer, self._client)


class Moment:
    """Frames of a stream: the length of each, and what is in it. ``client`` is what stands in front
    of a packed address."""

    __slots__ = ("_answer", "_client", "_fixed", "_head", "_query", "count", "pieces")

    def __init__(self, head: bytes, query: bytes, answer: bytes, client: bytes) -> None:
        self._head = head
        self._client = client
        self._query = query
        self._answer = answer
        self._fixed = len(query) + 1, len(answer) + 1
        self.pieces: list[bytes] = []
        self.count = 0

    def add(self, client: bytes, port: bytes, query: bytes, answer: bytes | None) -> None:
        """A query and its answer, if it got one; ``client`` is the packed address, ``port`` the two
        octets of its port."""
        # 0.9 µs for both, of which as much again goes to joining and sending them.
        head, lengths = self._head, _LENGTHS
        who = self._client + client + _PORTS[port]
        of_query, of_answer = self._fixed
        octets = len(query)
        size = lengths[octets]
        whole = of_query + len(who) + len(size) + octets
        length = lengths[whole]
        self.pieces += (
            _length(len(head) + len(length) + whole),
            *(head, length, self._query, who, _QUERY_OCTETS, size, query),
        )
        if answer is None:
            self.count += 1
            return
        self.count += 2
        octets = len(answer)
        size = lengths[octets]
        whole = of_answer + len(who) + len(size) + octets
        length = lengths[whole]
        self.pieces += (
            _length(len(head) + len(length) + whole),
            *(head, length, self._answer, who, _RESPONSE_OCTETS, size, answer),
        )

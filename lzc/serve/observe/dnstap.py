"""Queries and answers as dnstap has them (dnstap.info): messages of Protocol Buffers, made by hand.

dnstap.proto has thirty fields; a server that answers from its own zones needs fourteen. What is the
same for many messages is put together once.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from lzc.serve.ipc.exchanges import Exchange

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


class _Fields(dict[int, bytes]):
    """What stands in front of as many octets as a number says: ``before`` and their length. Each is
    made once: they are as many as there are lengths of messages, and few of them occur."""

    def __init__(self, before: bytes) -> None:
        super().__init__()
        self._before = before

    def __missing__(self, octets: int) -> bytes:
        made = self[octets] = self._before + varint(octets)
        return made


class _Heads(_Fields):
    """Likewise of a whole frame, with its own length."""

    def __missing__(self, octets: int) -> bytes:
        body = self._before + varint(octets)
        made = self[octets] = _length(len(body) + octets) + body
        return made


class _Ports(dict[bytes, bytes]):
    """Fields of clients' ports, whose two octets are in network order, each made once."""

    def __missing__(self, octets: bytes) -> bytes:
        made = self[octets] = _QUERY_PORT + varint(int.from_bytes(octets, "big"))
        return made


_PORTS: Final = _Ports()
_OF_QUERY: Final = _Fields(_QUERY_OCTETS)
_OF_ANSWER: Final = _Fields(_RESPONSE_OCTETS)


class Endpoint:
    """Messages about what comes to one socket of ours. ``identity`` and ``version`` are those of
    the server; ``local`` is the packed address that is asked, empty where that is not known, and
    ``port`` its port. With ``together``, a query that has an answer stands in the message about
    that, and not in one of its own."""

    def __init__(
        self,
        identity: str,
        version: str,
        local: bytes,
        port: int,
        *,
        tcp: bool,
        six: bool,
        together: bool = False,
    ) -> None:
        head = b""
        for field, text in ((_IDENTITY, identity), (_VERSION, version)):
            octets = text.encode()
            head += field + varint(len(octets)) + octets if octets else b""
        self._heads = _Heads(head + _IS_MESSAGE + _MESSAGE)
        self._client = _QUERY_ADDRESS + (b"\x10" if six else b"\x04")
        address = _RESPONSE_ADDRESS + bytes((len(local),)) + local if local else b""
        self._about = b"".join(
            (
                *(_FAMILY, b"\2" if six else b"\1", _PROTOCOL, b"\2" if tcp else b"\1"),
                *(address, _RESPONSE_PORT, varint(port)),
            )
        )
        self._together = together
        self._seconds = (-1, -1)
        self._asked = self._answered = b""

    def frames(
        self, received: float, sent: float, exchanges: Iterable[Exchange]
    ) -> tuple[bytes, int]:
        """Frames of a stream, and how many, about queries that came and were answered at these
        times, in seconds since the epoch."""
        seconds = int(received), int(sent)
        if seconds != self._seconds:
            self._begin(*seconds)
        # 0.7 µs for a query and its answer: all that can be is looked up, and joined once.
        at = _fixed32(int(received % 1 * 1e9))
        asked = self._asked + at
        answered = self._answered + _fixed32(int(sent % 1 * 1e9)) + _QUERY_NANOSECONDS + at
        of_query, of_answer = len(asked), len(answered)
        heads, client, ports = self._heads, self._client, _PORTS
        query_fields, answer_fields = _OF_QUERY, _OF_ANSWER
        pieces: list[bytes] = []
        together, count = self._together, 0
        for address, port, query, answer in exchanges:
            who = client + address + ports[port]
            octets = len(query)
            size = query_fields[octets]
            if together and answer is not None:
                asked_too = size + query
                octets = len(answer)
                size = answer_fields[octets]
                head = heads[of_answer + len(who) + len(asked_too) + len(size) + octets]
                pieces += (head, answered, who, asked_too, size, answer)
                count += 1
                continue
            head = heads[of_query + len(who) + len(size) + octets]
            pieces += (head, asked, who, size, query)
            count += 1
            if answer is not None:
                octets = len(answer)
                size = answer_fields[octets]
                head = heads[of_answer + len(who) + len(size) + octets]
                pieces += (head, answered, who, size, answer)
                count += 1
        return b"".join(pieces), count

    def count(self, exchanges: Iterable[Exchange]) -> int:
        """How many frames these would be."""
        return sum([1 if self._together or one[3] is None else 2 for one in exchanges])

    def _begin(self, received: int, sent: int) -> None:
        """Queries come and go in these seconds from now on."""
        self._seconds = received, sent
        asked = self._about + _QUERY_SECONDS + varint(received)
        self._asked = _TYPE + bytes((AUTH_QUERY,)) + asked + _QUERY_NANOSECONDS
        self._answered = _TYPE + bytes((AUTH_RESPONSE,)) + asked
        self._answered += _RESPONSE_SECONDS + varint(sent) + _RESPONSE_NANOSECONDS


class Endpoints:
    """Those of a server, each made once; for the parameters see `Endpoint`."""

    def __init__(self, identity: str, version: str, *, together: bool) -> None:
        self._texts = identity, version
        self._together = together
        self._known: dict[tuple[bytes, int, bool, bool], Endpoint] = {}

    def of(self, local: bytes, port: int, tcp: bool, six: bool) -> Endpoint:
        """Messages about a socket of ours."""
        key = local, port, tcp, six
        found = self._known.get(key)
        if found is None:
            found = Endpoint(*self._texts, local, port, tcp=tcp, six=six, together=self._together)
            self._known[key] = found
        return found

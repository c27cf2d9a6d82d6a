"""Queries and answers as dnstap has them (dnstap.info): messages of Protocol Buffers, made by hand.

dnstap.proto has thirty fields; a server that answers from its own zones needs fourteen. What is the
same for many messages is put together once.
"""

from __future__ import annotations

import socket
import struct
from itertools import chain, repeat
from typing import Any, Final

import lzc
from lzc.config import ServeSection
from lzc.foreign_text import shown
from lzc.serve.ipc.exchanges import Columns

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


class _Fronts(dict[int, bytes]):
    """What a frame begins with whose message has a text of so many octets: all up to that. Behind
    the text are ``rest`` octets. Each is made once: they are as many as there are lengths of
    messages, and few of them occur."""

    def __init__(self, before: bytes, field: bytes, rest: int) -> None:
        super().__init__()
        self._before = before
        self._field = field
        self._rest = rest

    def __missing__(self, octets: int) -> bytes:
        size = self._field + varint(octets)
        message = len(size) + octets + self._rest
        body = self._before + varint(message)
        made = self[octets] = _length(len(body) + message) + body + size
        return made


class _FrontsOfBoth(dict[tuple[int, int], bytes]):
    """Likewise of a frame with a query, and its answer behind that, by the lengths of both."""

    def __init__(self, before: bytes, rest: int) -> None:
        super().__init__()
        self._before = before
        self._rest = rest

    def __missing__(self, octets: tuple[int, int]) -> bytes:
        if len(self) >= _BOTH:
            self.clear()
        asked, answered = octets
        size = _QUERY_OCTETS + varint(asked)
        rest = asked + len(_OF_ANSWER[answered]) + answered + self._rest
        body = self._before + varint(len(size) + rest)
        made = self[octets] = _length(len(body) + len(size) + rest) + body + size
        return made


class _Sizes(dict[int, bytes]):
    """The field of an answer up to its text, by its length."""

    def __missing__(self, octets: int) -> bytes:
        made = self[octets] = _RESPONSE_OCTETS + varint(octets)
        return made


class _Ports(dict[bytes, bytes]):
    """Fields of clients' ports, whose two octets are in network order, each made once. All are of
    one length, which is how the rest of a frame is too: a number may have zeros in front of it."""

    def __missing__(self, octets: bytes) -> bytes:
        port = int.from_bytes(octets, "big")
        number = bytes((port & 127 | 128, port >> 7 & 127 | 128, port >> 14))
        made = self[octets] = _QUERY_PORT + number
        return made


_PORT: Final = 4
_BOTH: Final = 65536
_PORTS: Final = _Ports()
_OF_ANSWER: Final = _Sizes()


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
        tls: bool = False,
        together: bool = False,
    ) -> None:
        head = b""
        for field, text in ((_IDENTITY, identity), (_VERSION, version)):
            octets = text.encode()
            head += field + varint(len(octets)) + octets if octets else b""
        self._head = head + _IS_MESSAGE + _MESSAGE
        # The last field of what is the same for a batch is that of a client, up to its address.
        self._client = _QUERY_ADDRESS + (b"\x10" if six else b"\x04")
        self._own = _PORT + (16 if six else 4)
        address = _RESPONSE_ADDRESS + bytes((len(local),)) + local if local else b""
        # UDP, TCP, DOT of its SocketProtocol.
        protocol = b"\3" if tls else b"\2" if tcp else b"\1"
        self._about = b"".join(
            (
                *(_FAMILY, b"\2" if six else b"\1", _PROTOCOL, protocol),
                *(address, _RESPONSE_PORT, varint(port)),
            )
        )
        self._together = together
        self._seconds = self._lengths = (-1, -1)
        self._asked = self._answered = b""

    def frames(self, received: float, sent: float, columns: Columns) -> tuple[bytes, int]:
        """Frames of a stream, and how many, about queries that came and were answered at these
        times, in seconds since the epoch. Those without an answer come last."""
        seconds = int(received), int(sent)
        if seconds != self._seconds:
            self._begin(*seconds)
        answers = columns.answers
        if None in answers:
            silent = [answer is None for answer in answers]
            some, count = self._answers(
                received, sent, columns.of([answer is not None for answer in answers])
            )
            others = columns.of(silent)
            return some + self._queries(received, others), count + len(others.queries)
        return self._answers(received, sent, columns)

    def _answers(self, received: float, sent: float, columns: Any) -> tuple[bytes, int]:
        """Of queries that got one."""
        # 0.3 µs for a query and its answer: all that can be is looked up, no name is that of one
        # of them, and it is joined once.
        hosts, ports, queries, answers = columns
        at = _fixed32(int(received % 1 * 1e9))
        nanoseconds = _fixed32(int(sent % 1 * 1e9)) + _QUERY_NANOSECONDS + at
        answered = self._answered + nanoseconds + self._client
        fields = [*map(_PORTS.__getitem__, ports)]
        if self._together:
            lengths = zip(map(len, queries), map(len, answers), strict=True)
            pieces = zip(
                map(self._of_both.__getitem__, lengths),
                *(queries, map(_OF_ANSWER.__getitem__, map(len, answers)), answers),
                *(repeat(answered), hosts, fields),
                strict=False,
            )
            return b"".join(chain.from_iterable(pieces)), len(queries)
        asked = self._asked + at + self._client
        count = len(queries)
        # Half of what it takes to go through all of them one by one.
        found: list[bytes] = [asked] * (10 * count)
        found[0::10] = map(self._of_query.__getitem__, map(len, queries))
        found[1::10] = queries
        found[3::10] = found[8::10] = hosts
        found[4::10] = found[9::10] = fields
        found[5::10] = map(self._of_answer.__getitem__, map(len, answers))
        found[6::10] = answers
        found[7::10] = [answered] * count
        return b"".join(found), 2 * count

    def _queries(self, received: float, columns: Columns) -> bytes:
        """Of queries alone."""
        asked = self._asked + _fixed32(int(received % 1 * 1e9)) + self._client
        fronts = map(self._of_query.__getitem__, map(len, columns.queries))
        fields = map(_PORTS.__getitem__, columns.ports)
        each = zip(fronts, columns.queries, repeat(asked), columns.hosts, fields, strict=False)
        return b"".join(chain.from_iterable(each))

    def count(self, columns: Columns) -> int:
        """How many frames these would be."""
        answers = columns.answers
        return len(answers) if self._together else 2 * len(answers) - answers.count(None)

    def parts(self, received: int, sent: int) -> tuple[bytes, bytes, int, bytes, int, int, bool]:
        """What `lzc.serve.observe.slot_frames` makes frames of that are of these seconds: what all
        begin with; what is behind a query, up to the client's address, and where nanoseconds stand
        in it; the same of an answer, where those of its leaving are, and those of its query; and
        whether that stands in the same frame."""
        self._begin(received, sent)
        room = bytes(4)
        asked = self._asked + room + self._client
        sent_at = len(self._answered)
        before = self._answered + room + _QUERY_NANOSECONDS
        answered = before + room + self._client
        asked_at = len(self._asked)
        return self._head, asked, asked_at, answered, sent_at, len(before), self._together

    def _begin(self, received: int, sent: int) -> None:
        """Queries come and go in these seconds from now on."""
        self._seconds = received, sent
        asked = self._about + _QUERY_SECONDS + varint(received)
        self._asked = _TYPE + bytes((AUTH_QUERY,)) + asked + _QUERY_NANOSECONDS
        self._answered = _TYPE + bytes((AUTH_RESPONSE,)) + asked
        self._answered += _RESPONSE_SECONDS + varint(sent) + _RESPONSE_NANOSECONDS
        lengths = len(self._asked), len(self._answered)
        if lengths != self._lengths:
            self._lengths = lengths
            own, nanoseconds = len(self._client) + self._own, 4
            query, answer = lengths[0] + nanoseconds + own, lengths[1] + 2 * nanoseconds + 1 + own
            self._of_query = _Fronts(self._head, _QUERY_OCTETS, query)
            self._of_answer = _Fronts(self._head, _RESPONSE_OCTETS, answer)
            self._of_both = _FrontsOfBoth(self._head, answer)


class Endpoints:
    """Those of a server, each made once; for the parameters see `Endpoint`. A server of which only
    the query log gets something may have no texts."""

    def __init__(self, identity: str, version: str, *, together: bool) -> None:
        self._texts = identity, version
        self.together = together
        self._known: dict[tuple[bytes, int, bool, bool, bool], Endpoint] = {}

    def of(self, local: bytes, port: int, tcp: bool, six: bool, tls: bool = False) -> Endpoint:
        """Messages about a socket of ours."""
        key = local, port, tcp, six, tls
        found = self._known.get(key)
        if found is None:
            found = Endpoint(
                *(*self._texts, local, port),
                tcp=tcp,
                six=six,
                tls=tls,
                together=self.together,
            )
            self._known[key] = found
        return found


def endpoints_of(serve: ServeSection) -> Endpoints:
    """Those that the settings ask for."""
    return Endpoints(
        serve.server_id or shown(socket.gethostname()),
        f"lzc {lzc.__version__}",
        together=serve.dnstap_messages == "responses",
    )

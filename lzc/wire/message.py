"""Messages taken apart: queries fast and strictly, any message in full.

A query that is no plain question with at most a plain OPT RR takes the slow path in `_examine`.
Both end in a `Query` or in a `FormatError`, whatever the bytes.
"""

from __future__ import annotations

import struct
from typing import Final, NamedTuple

from lzc.wire import edns as wire_edns
from lzc.wire import rrtype
from lzc.wire.edns import Edns, InvalidOpt
from lzc.wire.name import InvalidName, from_wire
from lzc.wire.rdata.embedded_names import COMPRESSIBLE

QR: Final = 0x8000
AA: Final = 0x0400
TC: Final = 0x0200
RD: Final = 0x0100
RA: Final = 0x0080
AD: Final = 0x0020
CD: Final = 0x0010
OPCODE_MASK: Final = 0x7800
RCODE_MASK: Final = 0x000F

QUERY: Final = 0
IQUERY: Final = 1
STATUS: Final = 2
NOTIFY: Final = 4
UPDATE: Final = 5

NOERROR: Final = 0
FORMERR: Final = 1
SERVFAIL: Final = 2
NXDOMAIN: Final = 3
NOTIMP: Final = 4
REFUSED: Final = 5
YXDOMAIN: Final = 6
NOTAUTH: Final = 9
BADVERS: Final = 16
BADCOOKIE: Final = 23

IN: Final = 1
CH: Final = 3

HEADER: Final = struct.Struct(">6H")
_QUESTION = struct.Struct(">HH")
_RR = struct.Struct(">HHIH")
_EDNS_REPLY = wire_edns.build(wire_edns.UDP_SIZE)


class FormatError(Exception):
    """A message that is no well-formed query; `reply` is what to send.

    ``header`` is that of the query, empty for what gets no answer (a response, or less than a
    header: answering could loop); ``question`` the question section as it came, or empty when it
    could not be read; ``edns`` tells that an OPT RR was found.
    """

    def __init__(
        self, reason: str, header: bytes = b"", question: bytes = b"", *, edns: bool = False
    ) -> None:
        super().__init__(reason)
        self.header = header
        self.question = question
        self.edns = edns

    def reply(self) -> bytes | None:
        """The FORMERR message, its OPT RR included where RFC 6891 §7 wants one; None: silence."""
        if not self.header:
            return None
        flags = (self.header[2] << 8 | self.header[3]) & (OPCODE_MASK | RD) | QR | FORMERR
        counts = struct.pack(">5H", flags, 1 if self.question else 0, 0, 0, int(self.edns))
        opt = _EDNS_REPLY if self.edns else b""
        return b"".join((self.header[:2], counts, self.question, opt))


class Query(NamedTuple):
    """A request taken apart (a tuple: a frozen dataclass takes 1 µs longer to make).

    ``qname`` has the case of the wire, ``qname_lower`` is for lookups; the question is
    ``wire[12:question_end]``. Without a question (a cookie of RFC 7873 §5.4 alone, or an opcode
    that has none) ``qname`` is empty and ``question_end`` 12. ``tsig`` is the offset of the TSIG
    RR, which is the last RR, or 0. ``answers`` and ``authorities`` count the RRs of the sections
    that NOTIFY and IXFR fill; `parse_message` reads them.
    """

    wire: bytes
    id: int
    flags: int
    opcode: int
    qname: bytes
    qname_lower: bytes
    qtype: int
    qclass: int
    question_end: int
    edns: Edns | None = None
    tsig: int = 0
    answers: int = 0
    authorities: int = 0

    @property
    def question(self) -> bytes:
        """The question section as it came."""
        return self.wire[12 : self.question_end]


class RRset(NamedTuple):
    """RRs of one owner and type, class IN: ``owner`` is a wire name, ``ttl`` in seconds, each of
    ``rdatas`` is uncompressed."""

    owner: bytes
    rrtype: int
    ttl: int
    rdatas: tuple[bytes, ...]


class RR(NamedTuple):
    """One RR of a message: ``rdata`` with its names uncompressed; ``offset`` is where it starts."""

    owner: bytes
    rrtype: int
    rrclass: int
    ttl: int
    rdata: bytes
    offset: int


class Message(NamedTuple):
    """A whole message. ``questions`` are (name, type, class)."""

    id: int
    flags: int
    questions: tuple[tuple[bytes, int, int], ...]
    answer: tuple[RR, ...]
    authority: tuple[RR, ...]
    additional: tuple[RR, ...]

    @property
    def rcode(self) -> int:
        """The RCODE with the upper bits of an OPT RR (RFC 6891 §6.1.3)."""
        upper = next((rr.ttl >> 24 for rr in self.additional if rr.rrtype == rrtype.OPT), 0)
        return upper << 4 | self.flags & RCODE_MASK


def parse_query(msg: bytes) -> Query:
    """Read a request. Raises `FormatError`, and nothing else, for whatever is malformed."""
    end = len(msg)
    if end < 12:
        raise FormatError("less than a header")
    ident, flags, qdcount, ancount, nscount, arcount = header = HEADER.unpack_from(msg)
    if flags & 0x8000:
        raise FormatError("a response, not a query")
    if flags & 0x7800 or qdcount != 1 or ancount or nscount or arcount > 1:
        return _examine(msg, header)
    position = 12
    try:
        while length := msg[position]:
            if length > 63:
                break
            position += length + 1
        position += 5
        if length or position > end or position > 271:
            raise FormatError("malformed question", msg[:12])
    except IndexError:
        raise FormatError("question name runs past the end", msg[:12]) from None
    edns = None
    if arcount:
        if (
            end != position + 11
            or msg[position : position + 3] != b"\x00\x00\x29"
            or msg[-2:] != b"\x00\x00"
        ):
            return _examine(msg, header)
        edns = wire_edns.plain(msg[position + 3 :])
    elif end != position:
        raise FormatError("octets after the question", msg[:12], msg[12:position])
    qname = msg[12 : position - 4]
    return Query(
        msg,
        ident,
        flags,
        0,
        qname,
        qname.lower(),
        msg[position - 4] << 8 | msg[position - 3],
        msg[position - 2] << 8 | msg[position - 1],
        position,
        edns,
    )


def _examine(msg: bytes, header: tuple[int, ...]) -> Query:
    try:
        return _examine_strictly(msg, *header)
    except FormatError:
        ident, flags = header[:2]
        opcode = flags >> 11 & 15
        if opcode in (QUERY, NOTIFY):
            raise
        # NOTIMP comes before what we know nothing about: other opcodes have other formats.
        return Query(msg, ident, flags, opcode, b"", b"", 0, 0, 12)


def _examine_strictly(
    msg: bytes, ident: int, flags: int, qdcount: int, ancount: int, nscount: int, arcount: int
) -> Query:
    qname, qtype, qclass, end = b"", 0, 0, 12
    edns: Edns | None = None
    try:
        if qdcount == 1:
            qname, position = from_wire(msg, 12)
            qtype, qclass = _QUESTION.unpack_from(msg, position)
            if position != 12 + len(qname):
                raise InvalidName("compression pointer in the question")
            end = position + 4
        elif qdcount:
            raise FormatError("more than one question (RFC 9619)", msg[:12], edns=_has_opt(msg))
        position, opt, tsig = _records(msg, end, ancount + nscount, arcount)
        if opt is not None:
            edns = wire_edns.parse(*opt)
        if position != len(msg):
            raise ValueError("octets after the last RR")
        if not qdcount and (edns is None or edns.cookie is None or ancount or nscount):
            raise ValueError("no question")
    except (ValueError, struct.error, IndexError) as error:
        with_opt = edns is not None or isinstance(error, InvalidOpt)
        raise FormatError(str(error), msg[:12], msg[12:end], edns=with_opt) from None
    opcode = flags >> 11 & 15
    lower = qname.lower()
    return Query(
        msg, ident, flags, opcode, qname, lower, qtype, qclass, end, edns, tsig, ancount, nscount
    )


def _has_opt(msg: bytes) -> bool:
    """True for a message with a sound OPT RR, however many questions stand before it."""
    try:
        return _walk(msg)[1] is not None
    except (ValueError, struct.error, IndexError):
        return False


def find_tsig(msg: bytes) -> int:
    """The offset of the TSIG RR of any message, or 0 when it has none, or is malformed."""
    try:
        end, _, tsig = _walk(msg)
    except (ValueError, struct.error, IndexError):
        return 0
    return tsig if end == len(msg) else 0


def _walk(msg: bytes) -> tuple[int, tuple[bytes, bytes] | None, int]:
    """What `_records` gives for a whole message, with any number of questions."""
    _, _, qdcount, ancount, nscount, arcount = HEADER.unpack_from(msg)
    position = 12
    for _ in range(qdcount):
        position = skip_name(msg, position) + 4
    return _records(msg, position, ancount + nscount, arcount)


def _records(
    msg: bytes, position: int, before: int, additional: int
) -> tuple[int, tuple[bytes, bytes] | None, int]:
    """Walk the RRs: the offset after them, the OPT RR as `lzc.wire.edns.parse` takes it, and the
    offset of the TSIG RR or 0."""
    opt: tuple[bytes, bytes] | None = None
    tsig = 0
    end = len(msg)
    for index in range(before + additional):
        start = position
        position = skip_name(msg, position)
        kind, _, _, length = _RR.unpack_from(msg, position)
        data = position + 10
        position = data + length
        if position > end:
            raise ValueError("RDATA runs past the end of the message")
        if kind == rrtype.OPT:
            if index < before or msg[start] or opt is not None:
                raise InvalidOpt("an OPT RR too many, not at the root, or in a wrong section")
            opt = msg[data - 8 : data], msg[data:position]
        elif kind == rrtype.TSIG:
            if index != before + additional - 1 or index < before:
                raise ValueError("TSIG RR is not the last RR (RFC 8945 §5.1)")
            tsig = start
    return position, opt, tsig


def question_end(query: bytes) -> int:
    """The offset after the first question of a query, or 0 where there is none that is whole. Its
    name is not compressed: nothing stands in front of it."""
    position, end = 12, len(query)
    while position < end and 0 < query[position] < 64:
        position += 1 + query[position]
    return position + 5 if position + 5 <= end and not query[position] else 0


def skip_name(msg: bytes, position: int) -> int:
    """The offset after the name at an offset, compressed or not. Raises `InvalidName`, and
    `IndexError` where it runs out of the message."""
    while length := msg[position]:
        if length >= 192:
            return position + 2
        if length > 63:
            raise InvalidName("label type 0x40 or 0x80 (RFC 6891 §5 retired them)")
        position += length + 1
    return position + 1


def _decompress(msg: bytes, kind: int, start: int, end: int) -> bytes:
    layout = COMPRESSIBLE.get(kind)
    # Updates and queries may carry RRs without RDATA (RFC 2136 §2.4).
    if layout is None or start == end:
        return msg[start:end]
    front, strings, names = layout
    position = start + front
    for _ in range(strings):
        position += 1 + msg[position]
    pieces = [msg[start:position]]
    for _ in range(names):
        name, position = from_wire(msg, position)
        pieces.append(name)
    if position > end:
        raise ValueError("name runs past the end of the RDATA")
    pieces.append(msg[position:end])
    return b"".join(pieces)


def _read_rr(msg: bytes, start: int) -> tuple[RR, int]:
    name, position = from_wire(msg, start)
    kind, rrclass, ttl, length = _RR.unpack_from(msg, position)
    position += 10
    end = position + length
    if end > len(msg):
        raise ValueError("RDATA runs past the end of the message")
    return RR(name, kind, rrclass, ttl, _decompress(msg, kind, position, end), start), end


def parse_message(msg: bytes) -> Message:
    """Read any message in full. Raises `FormatError` when it is malformed."""
    try:
        ident, flags, qdcount, *counts = HEADER.unpack_from(msg)
        position = 12
        questions: list[tuple[bytes, int, int]] = []
        for _ in range(qdcount):
            name, position = from_wire(msg, position)
            kind, rrclass = _QUESTION.unpack_from(msg, position)
            questions.append((name, kind, rrclass))
            position += 4
        sections: list[tuple[RR, ...]] = []
        for count in counts:
            section: list[RR] = []
            for _ in range(count):
                rr, position = _read_rr(msg, position)
                section.append(rr)
            sections.append(tuple(section))
        if position != len(msg):
            raise ValueError("octets after the last RR")
    except (ValueError, struct.error, IndexError) as error:
        raise FormatError(str(error)) from None
    return Message(ident, flags, tuple(questions), *sections)

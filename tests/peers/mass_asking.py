"""Asking one server very many questions, and what counts in its answers."""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from lzc.wire import message, rrtype
from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK

Record = tuple[bytes, int, int, bytes]
"""Owner in lower case, type, TTL, RDATA with its names in lower case."""

_NAMES_IN_RDATA: Final = frozenset({*rrtype.NAMED_RDATA, rrtype.SRV, rrtype.DNAME})
_PAYLOAD: Final = 1232
_SMALL: Final = 512
_DO: Final = 0x8000
_WINDOW: Final = 64
_TCP_WINDOW: Final = 500


class Mode(NamedTuple):
    """How to ask."""

    tcp: bool = False
    edns: bool = False
    dnssec: bool = False

    def __str__(self) -> str:
        words = ("tcp" if self.tcp else "udp", "edns" * self.edns, "do" * self.dnssec)
        return " ".join(word for word in words if word)


class Question(NamedTuple):
    """A wire name, its case as asked, a type, and EDNS options as they are sent (RFC 6891 §6.1.2),
    which only a mode with EDNS sends."""

    name: bytes
    qtype: int
    options: bytes = b""

    def wire(self, ident: int, mode: Mode) -> bytes:
        """The query message."""
        head = struct.pack("!6H", ident, 0, 1, 0, 0, 1 if mode.edns else 0)
        flags = _DO if mode.dnssec else 0
        opt = struct.pack("!BHHIH", 0, rrtype.OPT, _PAYLOAD, flags, len(self.options))
        return head + self.section() + (opt + self.options if mode.edns else b"")

    def section(self) -> bytes:
        """The question section."""
        return self.name + struct.pack("!HH", self.qtype, message.IN)


class Essence(NamedTuple):
    """What counts in an answer. ``disorderly``: an RR comes twice, or an alias after what it leads
    to (RFC 1034 §4.3.2). Otherwise order does not matter; ``additional`` is without the OPT RR."""

    rcode: int
    authoritative: bool
    truncated: bool
    disorderly: bool
    answer: frozenset[Record]
    authority: frozenset[Record]
    additional: frozenset[Record]


def essence_of(wire: bytes) -> Essence:
    """Take an answer apart. Raises `lzc.wire.message.FormatError` for one that is malformed."""
    parsed = message.parse_message(wire)
    return Essence(
        parsed.flags & 15,
        bool(parsed.flags & message.AA),
        bool(parsed.flags & message.TC),
        _disorderly(parsed),
        *(
            frozenset(
                (
                    rr.owner.lower(),
                    rr.rrtype,
                    rr.ttl,
                    _comparable(rr.rrtype, rr.rdata),
                )
                for rr in section
                if rr.rrtype != rrtype.OPT
            )
            for section in (parsed.answer, parsed.authority, parsed.additional)
        ),
    )


def _disorderly(parsed: message.Message) -> bool:
    everything = [*parsed.answer, *parsed.authority, *parsed.additional]
    seen = {parsed.questions[0][0].lower()} if parsed.questions else set()
    for rr in parsed.answer:
        owner = rr.owner.lower()
        if rr.rrtype == rrtype.DNAME:
            continue
        if rr.rrtype != rrtype.RRSIG and owner not in seen:
            return True
        if rr.rrtype == rrtype.CNAME:
            seen.add(rr.rdata.lower())
    return len({rr[:5] for rr in everything}) < len(everything)


def _comparable(kind: int, rdata: bytes) -> bytes:
    if kind == rrtype.RRSIG:
        # The times and what follows from them differ: compare type, algorithm, labels, TTL and tag.
        return rdata[:8] + rdata[16:18]
    if kind == rrtype.NSEC:
        end = 0
        while rdata[end]:
            end += 1 + rdata[end]
        return rdata[:end].lower() + rdata[end:]
    return rdata.lower() if kind in _NAMES_IN_RDATA else rdata


def ask_all(
    port: int,
    questions: Sequence[Question],
    mode: Mode,
    known: dict[bytes, Essence] | None = None,
) -> list[Essence]:
    """What a server on the loopback interface answers, in the order of the questions. ``known``
    has what was taken apart before, by its octets after the ID: servers often say the same. Raises
    `AssertionError` for an answer that does not come, is malformed or has another question."""
    known = {} if known is None else known
    found = []
    for question, answer in zip(questions, ask_wires(port, questions, mode), strict=True):
        section = question.section()
        assert mode.tcp or len(answer) <= (_PAYLOAD if mode.edns else _SMALL), question
        assert answer[4:6] == b"\0\1" and answer[12 : 12 + len(section)] == section, question
        essence = known.get(answer[2:])
        if essence is None:
            essence = known[answer[2:]] = essence_of(answer)
        found.append(essence)
    return found


def ask_wires(port: int, questions: Sequence[Question], mode: Mode) -> list[bytes]:
    """The octets of the same answers, which are not looked at."""
    return (_over_tcp if mode.tcp else _over_udp)(port, questions, mode)


def _over_udp(port: int, questions: Sequence[Question], mode: Mode) -> list[bytes]:
    """Each is asked again after a second without an answer, as long as patience lasts."""
    answers: dict[int, bytes] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        udp.connect((LOOPBACK, port))
        for start in range(0, len(questions), _WINDOW):
            waiting = dict(enumerate(questions[start : start + _WINDOW], start))
            for _ in range(int(PATIENCE)):
                for number, question in waiting.items():
                    udp.send(question.wire(number & 0xFFFF, mode))
                while waiting and select.select([udp], [], [], 1)[0]:
                    answer = udp.recv(65535)
                    number = start + (int.from_bytes(answer[:2], "big") - start) % 0x10000
                    if waiting.pop(number, None) is not None:
                        answers[number] = answer
                if not waiting:
                    break
            assert not waiting, f"no answer to {list(waiting.values())}"
    return [answers[number] for number in range(len(questions))]


def _over_tcp(port: int, questions: Sequence[Question], mode: Mode) -> list[bytes]:
    """All in one connection, many before the first answer (RFC 7766 §6.2.1.1)."""
    answers: dict[int, bytes] = {}
    with socket.create_connection((LOOPBACK, port), timeout=PATIENCE) as tcp:
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream = tcp.makefile("rb")
        for start in range(0, len(questions), _TCP_WINDOW):
            window = dict(enumerate(questions[start : start + _TCP_WINDOW], start))
            tcp.sendall(b"".join(_framed(q.wire(n & 0xFFFF, mode)) for n, q in window.items()))
            by_ident = {number & 0xFFFF: number for number in window}
            for _ in window:
                (length,) = struct.unpack("!H", stream.read(2))
                answer = stream.read(length)
                answers[by_ident.pop(int.from_bytes(answer[:2], "big"))] = answer
    return [answers[number] for number in range(len(questions))]


def _framed(wire: bytes) -> bytes:
    return struct.pack("!H", len(wire)) + wire

"""Zone transfers out: AXFR (RFC 5936) and IXFR (RFC 1995), with TSIG over every message.

The bundle holds each zone's AXFR as messages; here they get the ID, the question as it was asked,
and their TSIG RR. What IXFR sends in place of it is put into messages here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from lzc.answer.incremental import Block, increments
from lzc.answer.publication import NOTHING_PUBLISHED, Changes, Publication, Publications
from lzc.answer.refusal import Reason, Refusal, Report, tsig_refusal, untold
from lzc.answer.tls_client import TlsClient
from lzc.answer.transfer_access import TransferAccess, handed, run_lua
from lzc.answer.transfer_kinds import Kind, Sent, SentReport, unsent
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.bundle.manifest import BundleError
from lzc.bundle.reader import Bundle
from lzc.config import Form
from lzc.image.transfer_stream import MAX_MESSAGE, TSIG_ROOM
from lzc.wire import edns as wire_edns
from lzc.wire import message, rrtype, tsig
from lzc.wire.compose import compose
from lzc.wire.message import FormatError, Query, RRset, parse_query, skip_name
from lzc.wire.padding import padded
from lzc.wire.tsig import TsigKey, TsigResult, TsigStream

AT_ONCE: Final = 16 * 1024
"""Octets of RRs up to which a delta is one answer; what a single RR may have is more."""
_HEADER_END: Final = 14
"""Octets of a stored message before its question: length and header."""
_SOA: Final = rrtype.SOA.to_bytes(2, "big")
_SOA_NUMBERS: Final = 20
"""Octets of an SOA behind its names, the first four of which are the serial (RFC 1035 §3.3.13)."""
_ANSWER: Final = b"\x84\x00\x00\x01"
"""QR and AA, and one question."""


@dataclass(slots=True, eq=False)
class TransferPlan:
    """A zone on its way out. ``apex`` and ``serial`` say which, ``lua`` whether it has LUA records,
    ``asked`` the type of the request, ``kind`` what is sent, which is known for good with the
    first message; ``key`` is the name of the TSIG key that the request was verified with, or
    empty."""

    apex: bytes
    serial: int
    lua: bool
    asked: int
    kind: Kind
    key: bytes
    _wire: memoryview
    _soa: bytes
    _increments: Changes | None
    _publication: Publication | None
    _query: Query
    _checked: TsigResult
    _clock: Callable[[], float]
    _tls: bool = False
    _idle: float = 10.0

    @property
    def octets(self) -> int:
        """Octets of what is to be sent, questions and TSIG aside."""
        if self._increments is not None:
            return self._increments.octets
        return len(self._wire) if self._publication is None else self._publication.transfer_length

    def messages(self) -> Iterator[bytes]:
        """The messages in order, each with its 16-bit length in front, ready for TCP; nothing where
        there is something to do before the first one. A plan is for one client and for one pass."""
        query, checked = self._query, self._checked
        if self._increments is not None:
            try:
                yield from (b"" for _ in self._increments.verified())
            except BundleError:
                self._let_go()
                self.kind = Kind.WHOLE
        stream = TsigStream(checked.key, checked.mac) if checked.key is not None else None
        ident = query.id.to_bytes(2, "big")
        # RFC 5936 §2.2.5: an OPT RR in the first message answers that of the query.
        opt = _opt(query, self._idle)
        # RFC 9103 §6.4: where they are padded, all of them have one.
        pads = self._tls and query.edns is not None and query.edns.padding
        for head, body in self._parts():
            more = b"\x00\x01" if opt else b"\x00\x00"
            wire = b"".join((ident, head, more, query.question, body, opt))
            if pads:
                wire = padded(wire, checked.size)
            else:
                opt = b""
            if stream is not None:
                wire = stream.sign(wire, self._clock())
            yield len(wire).to_bytes(2, "big") + wire

    def at_once(self) -> bytes | None:
        """The only message, without its length, where that is short and made already: it is an
        answer like any other, and needs no pass of `messages`. `None` for all else."""
        found = self._increments
        if found is None or found.made is None or found.octets + 2 * len(self._soa) > AT_ONCE:
            return None
        return next(self.messages())[2:]

    def _parts(self) -> Iterator[tuple[bytes | memoryview, bytes | memoryview]]:
        """Of each message what `_whole` gives."""
        if self._increments is not None:
            return self._streamed(self._increments.blocks())
        if self._publication is not None:
            return self._streamed(self._publication.blocks())
        return self._whole()

    def _whole(self) -> Iterator[tuple[memoryview, memoryview]]:
        """Of each message of the whole zone the header from the flags to the number of authority
        RRs, and the answer section."""
        rest = _HEADER_END + len(self._query.question)
        position, end = 0, len(self._wire)
        while position < end:
            size = self._wire[position] << 8 | self._wire[position + 1]
            stored = self._wire[position : position + 2 + size]
            position += 2 + size
            yield stored[4:12], stored[rest:]

    def _streamed(self, blocks: Iterator[Block]) -> Iterator[tuple[bytes, bytes]]:
        """The same of difference sequences, or of all RRs but the SOA."""
        room = MAX_MESSAGE - TSIG_ROOM - _HEADER_END - len(self._query.question)
        count, size, waiting = 1, len(self._soa), [self._soa]
        for more, octets in blocks:
            if size + len(octets) > room:
                yield _head(count), b"".join(waiting)
                count, size, waiting = 0, 0, []
            count += more
            size += len(octets)
            waiting.append(octets)
        if size + len(self._soa) > room:
            yield _head(count), b"".join(waiting)
            count, waiting = 0, []
        yield _head(count + 1), b"".join((*waiting, self._soa))

    def refuse(self, now: float) -> bytes:
        """SERVFAIL, in place of the messages: the client is to ask again later."""
        return _reply(self._query, self._checked, now, self._idle, message.SERVFAIL)

    def close(self) -> None:
        """Let go of the bundle's memory; `messages` must not be continued."""
        self._let_go()
        if self._publication is not None:
            self._publication.close()
        self._wire.release()

    def _let_go(self) -> None:
        if self._increments is not None:
            self._increments.close()
            self._increments = None


def _head(count: int) -> bytes:
    return b"".join((_ANSWER, count.to_bytes(2, "big"), b"\x00\x00"))


def open_transfer(
    bundle: Bundle,
    access: TransferAccess,
    keys: Mapping[bytes, TsigKey],
    query: bytes,
    client: bytes,
    now: float,
    clock: Callable[[], float] | None = None,
    report: Report = untold,
    tls: TlsClient | None = None,
    sent: SentReport = unsent,
    published: Publications = NOTHING_PUBLISHED,
    idle: float = 10.0,
) -> TransferPlan | bytes | None:
    """What to do about an AXFR or IXFR request over TCP.

    A `TransferPlan`, or the one message that answers it (a refusal, or for IXFR the SOA when the
    client is up to date), or `None` for silence. ``keys`` are by lower-case wire name, ``client``
    is a packed address; ``clock`` gives the time of each message for TSIG (default: ``now``, good
    for transfers that take less than `tsig.FUDGE` seconds). ``report`` is told why a zone is not
    handed out, ``sent`` of a client that is up to date; ``tls`` is who is at the other end of a TLS
    connection, `None` of one in the clear; ``idle`` are the seconds for which that may be idle.
    ``published`` has zones in forms of their own: where one is not made yet, the answer is
    SERVFAIL, and never the zone as it is.
    """
    try:
        asked = parse_query(query)
    except FormatError as error:
        return error.reply()
    checked = tsig.verify_request(asked, keys, now)
    reply = partial(_reply, asked, checked, now, idle)
    if not checked.ok:
        report(tsig_refusal(asked, client, checked, now))
        return reply(checked.rcode)
    if asked.opcode != message.QUERY or asked.qtype not in (rrtype.AXFR, rrtype.IXFR):
        return reply(message.NOTIMP)
    if asked.edns is not None and asked.edns.version:
        return reply(message.BADVERS)
    if asked.edns is not None and asked.edns.keepalive:
        return reply(message.FORMERR)  # as in `lzc.answer.exchange`
    if asked.qclass != message.IN:
        return reply(message.REFUSED)
    apex, key = asked.qname_lower, checked.key_name
    grants = access.granted(apex, client, key, tls)
    if grants is None:
        reason, detail = access.why_not(apex, client, key, tls)
        report(Refusal(reason, client, asked.qtype, apex, key or b"", detail=detail))
        return reply(message.REFUSED)
    view = bundle.zone(apex)
    if view is None:
        report(Refusal(Reason.NO_ZONE, client, asked.qtype, apex, key or b""))
        return reply(message.NOTAUTH)
    info = view.info
    what = handed(grants, info)
    if what is None:
        report(Refusal(Reason.LUA, client, asked.qtype, apex, key or b""))
        return reply(message.REFUSED)
    kind, soa = Kind.AXFR, b""
    found: Changes | None = None
    publication, serial, lua = None, info.serial, info.lua_records > 0
    if what.form is not Form.LIVE:
        publication = published.find(info, what)
        if publication is None:
            report(Refusal(Reason.UNPUBLISHED, client, asked.qtype, apex, key or b""))
            return reply(message.SERVFAIL)
        serial, lua, soa = publication.serial, False, publication.soa
    if asked.qtype == rrtype.IXFR:
        theirs = client_serial(asked)
        if theirs is None:
            _close(publication)
            return reply(message.FORMERR)
        if is_up_to_date(theirs, serial):
            which = apex, key or b"", serial, lua
            sent(Sent(Kind.UP_TO_DATE, client, asked.qtype, *which))
            _close(publication)
            served = ServedZone(view, None).soa
            return reply(message.NOERROR, served if publication is None else _rrset(apex, soa))
        if publication is not None:
            found = publication.increments(theirs)
        else:
            found = increments(bundle.deltas, info, theirs, lua=run_lua(grants))
        kind = Kind.WHOLE if found is None else Kind.IXFR
        soa = soa or soa_of(view.node(b"") or b"")
    return TransferPlan(
        apex,
        serial,
        lua,
        asked.qtype,
        kind,
        key or b"",
        bundle.transfer(view) if publication is None else memoryview(b""),
        soa,
        found,
        publication,
        asked,
        checked,
        clock or (lambda: now),
        tls is not None,
        idle,
    )


def _close(publication: Publication | None) -> None:
    if publication is not None:
        publication.close()


def _rrset(owner: bytes, rr: bytes) -> RRset:
    """One RR of a transfer as an RRset."""
    return RRset(owner, rrtype.SOA, int.from_bytes(rr[6:10], "big"), (rr[nodes.RR_HEAD :],))


def is_up_to_date(theirs: int, ours: int) -> bool:
    """Whether a client has our serial or a later one (RFC 1982 §3.2)."""
    return (theirs - ours) & 0xFFFFFFFF < 0x80000000


def soa_of(apex: bytes) -> bytes:
    """The SOA RR in the node of an apex, in wire form, its owner as ``C0 0C``."""
    found = nodes.find(apex, rrtype.SOA)
    if found is None:
        raise BundleError("a zone has no SOA")
    _, start, end = found
    return apex[start:end]


def client_serial(query: Query) -> int | None:
    """The serial in the authority section of an IXFR request (RFC 1995 §3)."""
    if query.answers or not query.authorities:
        return None
    wire = query.wire
    try:
        start = skip_name(wire, query.question_end)
        end = start + 10 + (wire[start + 8] << 8 | wire[start + 9])
        # Its two names are of no concern (and 8 µs, to be taken apart).
        numbers = skip_name(wire, skip_name(wire, start + 10))
    except (IndexError, ValueError):
        return None
    if wire[start : start + 2] != _SOA or numbers + _SOA_NUMBERS != end or end > len(wire):
        return None
    return int.from_bytes(wire[numbers : numbers + 4], "big")


def _opt(query: Query, idle: float, rcode: int = 0) -> bytes:
    """The OPT RR that answers that of a request, and says how long the connection may be idle where
    it was asked (RFC 7828); none where there was none."""
    edns = query.edns
    if edns is None:
        return b""
    told = [wire_edns.tcp_keepalive(idle)] if edns.keepalive == b"" else []
    return wire_edns.build(wire_edns.UDP_SIZE, extended_rcode=rcode >> 4, options=told)


def _reply(
    query: Query,
    checked: TsigResult,
    now: float,
    idle: float,
    rcode: int,
    soa: RRset | None = None,
) -> bytes:
    """The one message of an answer: authoritative with an ``soa``, or no more than its RCODE."""
    flags = message.QR | query.flags & (message.OPCODE_MASK | message.RD)
    flags |= rcode & message.RCODE_MASK | (message.AA if soa else 0)
    opt = _opt(query, idle, rcode)
    answer = [soa] if soa else []
    wire = compose(query.id, flags, query.question, answer, opt=opt, tsig_room=checked.room)
    return tsig.sign_response(wire, checked, now)

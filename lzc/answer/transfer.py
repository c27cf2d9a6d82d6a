"""Zone transfers out: AXFR (RFC 5936) and IXFR (RFC 1995), with TSIG over every message.

The bundle holds each zone's AXFR as messages; here they get the ID, the question as it was asked,
and their TSIG RR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from lzc.answer.refusal import Reason, Refusal, Report, tsig_refusal, untold
from lzc.answer.tls_client import TlsClient
from lzc.answer.transfer_access import TransferAccess
from lzc.answer.zone import ServedZone
from lzc.bundle.reader import Bundle
from lzc.wire import edns as wire_edns
from lzc.wire import message, rrtype, tsig
from lzc.wire.compose import compose
from lzc.wire.message import FormatError, Query, RRset, first_authority, parse_query
from lzc.wire.padding import padded
from lzc.wire.rdata import soa_serial
from lzc.wire.tsig import TsigKey, TsigResult, TsigStream

_HEADER_END = 14
"""Octets of a stored message before its question: length and header."""


@dataclass(slots=True, eq=False)
class TransferPlan:
    """A zone on its way out. ``apex`` and ``serial`` say which, ``lua`` whether it has LUA records,
    ``asked`` the type of the request; ``key`` is the name of the TSIG key that the request was
    verified with, or empty."""

    apex: bytes
    serial: int
    lua: bool
    asked: int
    key: bytes
    _wire: memoryview
    _query: Query
    _checked: TsigResult
    _clock: Callable[[], float]
    _tls: bool = False

    def messages(self) -> Iterator[bytes]:
        """The messages in order, each with its 16-bit length in front, ready for TCP. A plan is for
        one client and for one pass."""
        query, checked = self._query, self._checked
        stream = TsigStream(checked.key, checked.mac) if checked.key is not None else None
        ident = query.id.to_bytes(2, "big")
        question = query.question
        rest = _HEADER_END + len(question)
        # RFC 5936 §2.2.5: an OPT RR in the first message answers that of the query.
        opt = wire_edns.build(wire_edns.UDP_SIZE) if query.edns is not None else b""
        # RFC 9103 §6.4: where they are padded, all of them have one.
        pads = self._tls and query.edns is not None and query.edns.padding
        position, end = 0, len(self._wire)
        while position < end:
            size = self._wire[position] << 8 | self._wire[position + 1]
            stored = self._wire[position : position + 2 + size]
            position += 2 + size
            wire = b"".join(
                (
                    ident,
                    stored[4:12],
                    b"\x00\x01" if opt else stored[12:14],
                    question,
                    stored[rest:],
                    opt,
                )
            )
            if pads:
                wire = padded(wire, checked.size)
            else:
                opt = b""
            if stream is not None:
                wire = stream.sign(wire, self._clock())
            yield len(wire).to_bytes(2, "big") + wire

    def refuse(self, now: float) -> bytes:
        """SERVFAIL, in place of the messages: the client is to ask again later."""
        return _reply(self._query, self._checked, now, message.SERVFAIL)

    def close(self) -> None:
        """Let go of the bundle's memory; `messages` must not be continued."""
        self._wire.release()


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
) -> TransferPlan | bytes | None:
    """What to do about an AXFR or IXFR request over TCP.

    A `TransferPlan`, or the one message that answers it (a refusal, or for IXFR the SOA when the
    client is up to date), or `None` for silence. ``keys`` are by lower-case wire name, ``client``
    is a packed address; ``clock`` gives the time of each message for TSIG (default: ``now``, good
    for transfers that take less than `tsig.FUDGE` seconds). ``report`` is told why a zone is not
    handed out; ``tls`` is who is at the other end of a TLS connection, `None` of one in the clear.
    """
    try:
        asked = parse_query(query)
    except FormatError as error:
        return error.reply()
    checked = tsig.verify_request(asked, keys, now)
    reply = partial(_reply, asked, checked, now)
    if not checked.ok:
        report(tsig_refusal(asked, client, checked, now))
        return reply(checked.rcode)
    if asked.opcode != message.QUERY or asked.qtype not in (rrtype.AXFR, rrtype.IXFR):
        return reply(message.NOTIMP)
    if asked.edns is not None and asked.edns.version:
        return reply(message.BADVERS)
    if asked.qclass != message.IN:
        return reply(message.REFUSED)
    apex, key = asked.qname_lower, checked.key_name
    if not access.allows(apex, client, key, tls):
        reason, detail = access.why_not(apex, client, key, tls)
        report(Refusal(reason, client, asked.qtype, apex, key or b"", detail=detail))
        return reply(message.REFUSED)
    view = bundle.zone(apex)
    if view is None:
        report(Refusal(Reason.NO_ZONE, client, asked.qtype, apex, key or b""))
        return reply(message.NOTAUTH)
    info = view.info
    if asked.qtype == rrtype.IXFR:
        theirs = _client_serial(asked)
        if theirs is None:
            return reply(message.FORMERR)
        # RFC 1982 §3.2: the client has ours or a later one.
        if (theirs - info.serial) & 0xFFFFFFFF < 0x80000000:
            return reply(message.NOERROR, ServedZone(view, None).soa)
    return TransferPlan(
        apex,
        info.serial,
        info.lua,
        asked.qtype,
        key or b"",
        bundle.transfer(view),
        asked,
        checked,
        clock or (lambda: now),
        tls is not None,
    )


def _client_serial(query: Query) -> int | None:
    """The serial in the authority section of an IXFR request (RFC 1995 §3)."""
    rr = first_authority(query)
    if rr is None or rr.rrtype != rrtype.SOA or len(rr.rdata) < 22:
        return None
    return soa_serial(rr.rdata)


def _reply(
    query: Query, checked: TsigResult, now: float, rcode: int, soa: RRset | None = None
) -> bytes:
    """The one message of an answer: authoritative with an ``soa``, or no more than its RCODE."""
    flags = message.QR | query.flags & (message.OPCODE_MASK | message.RD)
    flags |= rcode & message.RCODE_MASK | (message.AA if soa else 0)
    opt = b""
    if query.edns is not None:
        opt = wire_edns.build(wire_edns.UDP_SIZE, extended_rcode=rcode >> 4)
    answer = [soa] if soa else []
    wire = compose(query.id, flags, query.question, answer, opt=opt, tsig_room=checked.room)
    return tsig.sign_response(wire, checked, now)

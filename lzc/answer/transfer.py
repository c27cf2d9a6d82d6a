"""Zone transfers out: AXFR (RFC 5936) and IXFR (RFC 1995), with TSIG over every message.

The bundle holds each zone's AXFR as messages; here they get the ID, the question as it was asked,
and their TSIG RR.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from lzc.answer.refusal import Reason, Refusal, Report, tsig_refusal
from lzc.answer.transfer_access import TransferAccess
from lzc.answer.zone import ServedZone
from lzc.bundle.reader import Bundle
from lzc.wire import edns as wire_edns
from lzc.wire import message, rrtype, tsig
from lzc.wire.compose import compose
from lzc.wire.message import FormatError, Query, first_authority, parse_query
from lzc.wire.rdata import soa_serial
from lzc.wire.tsig import TsigKey, TsigResult
from lzc.wire.tsig_stream import TsigStream

_HEADER_END = 14
"""Octets of a stored message before its question: length and header."""


class TransferPlan:
    """A zone on its way out. ``apex`` and ``serial`` say which, ``lua`` whether it has LUA records,
    ``asked`` the type of the request; ``octets`` is how much it is, without TSIG; ``key`` is the
    name of the TSIG key that the request was verified with, or empty."""

    __slots__ = (
        "_checked",
        "_clock",
        "_query",
        "_wire",
        "apex",
        "asked",
        "key",
        "lua",
        "octets",
        "serial",
    )

    def __init__(
        self,
        apex: bytes,
        serial: int,
        lua: bool,
        wire: memoryview,
        query: Query,
        checked: TsigResult | None,
        clock: Callable[[], float],
    ) -> None:
        self.apex = apex
        self.serial = serial
        self.lua = lua
        self.asked = query.qtype
        self.octets = len(wire)
        self._wire = wire
        self._query = query
        self._checked = checked
        self.key = checked.key.name if checked is not None and checked.key is not None else b""
        self._clock = clock

    def messages(self) -> Iterator[bytes]:
        """The messages in order, each with its 16-bit length in front, ready for TCP. A plan is for
        one client and for one pass."""
        query, checked = self._query, self._checked
        stream = None
        if checked is not None and checked.key is not None:
            stream = TsigStream(checked.key, checked.mac)
        ident = query.id.to_bytes(2, "big")
        question = query.question
        rest = _HEADER_END + len(question)
        # RFC 5936 §2.2.5: an OPT RR in the first message answers that of the query.
        opt = wire_edns.build(wire_edns.UDP_SIZE) if query.edns is not None else b""
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
            opt = b""
            if stream is not None:
                wire = stream.sign(wire, self._clock())
            yield len(wire).to_bytes(2, "big") + wire

    def refuse(self, now: float) -> bytes:
        """SERVFAIL, in place of the messages: the client is to ask again later."""
        return _refuse(self._query, self._checked, now, message.SERVFAIL)

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
    report: Report | None = None,
) -> TransferPlan | bytes | None:
    """What to do about an AXFR or IXFR request over TCP.

    A `TransferPlan`, or the one message that answers it (a refusal, or for IXFR the SOA when the
    client is up to date), or `None` for silence. ``keys`` are by lower-case wire name, ``client``
    is a packed address; ``clock`` gives the time of each message for TSIG (default: ``now``, good
    for transfers that take less than `tsig.FUDGE` seconds). ``report`` is told why a zone is not
    handed out.
    """
    try:
        asked = parse_query(query)
    except FormatError as error:
        return error.reply()
    checked: TsigResult | None = None
    if asked.tsig:
        checked = tsig.verify_request(query, keys, now, asked.tsig)
        if not checked.ok:
            if report is not None:
                report(tsig_refusal(asked, client, checked, now))
            return _refuse(asked, checked, now, checked.rcode)
    if asked.opcode != message.QUERY or asked.qtype not in (rrtype.AXFR, rrtype.IXFR):
        return _refuse(asked, checked, now, message.NOTIMP)
    if asked.edns is not None and asked.edns.version:
        return _refuse(asked, checked, now, message.NOERROR, extended_rcode=1)
    if asked.qclass != message.IN:
        return _refuse(asked, checked, now, message.REFUSED)
    apex = asked.qname_lower
    key = checked.key.name if checked is not None and checked.key is not None else None
    if not access.allows(apex, client, key):
        if report is not None:
            report(Refusal(access.why_not(client, key), client, asked.qtype, apex, key or b""))
        return _refuse(asked, checked, now, message.REFUSED)
    view = bundle.zone(apex)
    if view is None:
        if report is not None:
            report(Refusal(Reason.NO_ZONE, client, asked.qtype, apex, key or b""))
        return _refuse(asked, checked, now, message.NOTAUTH)
    info = view.info
    if asked.qtype == rrtype.IXFR:
        theirs = _client_serial(asked)
        if theirs is None:
            return _refuse(asked, checked, now, message.FORMERR)
        # RFC 1982 §3.2: the client has ours or a later one.
        if (theirs - info.serial) & 0xFFFFFFFF < 0x80000000:
            return _up_to_date(asked, ServedZone(view, None), checked, now)
    return TransferPlan(
        apex, info.serial, info.lua, bundle.transfer(view), asked, checked, clock or (lambda: now)
    )


def _client_serial(query: Query) -> int | None:
    """The serial in the authority section of an IXFR request (RFC 1995 §3)."""
    rr = first_authority(query)
    if rr is None or rr.rrtype != rrtype.SOA or len(rr.rdata) < 22:
        return None
    return soa_serial(rr.rdata)


def _up_to_date(query: Query, zone: ServedZone, checked: TsigResult | None, now: float) -> bytes:
    wire = compose(
        query.id,
        message.QR | message.AA | query.flags & message.RD,
        query.question,
        [zone.soa],
        opt=_opt(query),
        tsig_room=checked.room if checked is not None else 0,
    )
    return wire if checked is None else tsig.sign_response(wire, checked, now)


def _refuse(
    query: Query, checked: TsigResult | None, now: float, rcode: int, *, extended_rcode: int = 0
) -> bytes:
    flags = message.QR | query.flags & (message.OPCODE_MASK | message.RD) | rcode
    wire = compose(query.id, flags, query.question, opt=_opt(query, extended_rcode))
    return wire if checked is None else tsig.sign_response(wire, checked, now)


def _opt(query: Query, extended_rcode: int = 0) -> bytes:
    if query.edns is None:
        return b""
    return wire_edns.build(wire_edns.UDP_SIZE, extended_rcode=extended_rcode)

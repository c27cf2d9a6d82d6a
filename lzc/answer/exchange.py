"""Everything around a question: opcode, class, EDNS version, TSIG, types with rules of their own.

`Exchange` answers any well-formed query; `lzc.answer.responder` only does the commonest itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Final, NamedTuple

import lmdb

from lzc.answer.incremental import increments
from lzc.answer.lookup import AnswerLookup
from lzc.answer.lua_answer import LuaAnswers
from lzc.answer.options import OptBuilder
from lzc.answer.refusal import Reason, Refusal, Report, tsig_refusal
from lzc.answer.sections import Sections
from lzc.answer.settings import ResponderSettings
from lzc.answer.transfer import client_serial, is_up_to_date, soa_of
from lzc.answer.transfer_access import AS_IT_IS, handed, run_lua
from lzc.answer.transfer_kinds import Kind, Sent, SentReport
from lzc.answer.zone import HiddenZone, ServedZones, SigningFailure
from lzc.bundle import node as nodes
from lzc.bundle.reader import BundleError
from lzc.config import Form
from lzc.lua.engine.execution import LuaFailure, QueryContext
from lzc.wire import edns as wire_edns
from lzc.wire import message, rrtype, tsig
from lzc.wire.compose import MAX_MESSAGE, Blob, compose
from lzc.wire.message import Query
from lzc.wire.name import from_text
from lzc.wire.padding import padded
from lzc.wire.tsig import TsigResult

DAMAGE: Final = (BundleError, lmdb.Error, struct.error, IndexError, ValueError)
"""What reading a damaged bundle may raise: SERVFAIL for the names concerned, no crash."""

_COPIED: Final = message.RD | message.CD
_TC: Final = message.TC >> 8

_REFUSALS: Final = {
    # RFC 1035 §3.2.3 obsolete, TKEY of RFC 2930 not offered.
    rrtype.MAILA: message.NOTIMP,
    rrtype.MAILB: message.NOTIMP,
    rrtype.TKEY: message.NOTIMP,
    # No question asks for these (RFC 6891 §6.1.1, RFC 8945 §4.2, RFC 9824 §3.5).
    0: message.FORMERR,
    rrtype.OPT: message.FORMERR,
    rrtype.TSIG: message.FORMERR,
    rrtype.NXNAME: message.FORMERR,
}


_VERSION: Final = frozenset({from_text("version.bind."), from_text("version.server.")})
_IDENTITY: Final = frozenset({from_text("id.server."), from_text("hostname.bind.")})


class _Turn(NamedTuple):
    """One query and its circumstances; ``checked`` is what its TSIG RR is worth."""

    query: Query
    client: bytes
    now: float
    tcp: bool
    local: bytes
    checked: TsigResult


@dataclass(slots=True, eq=False)
class Exchange:
    """One query, one answer."""

    _zones: ServedZones
    _lua: LuaAnswers
    _options: OptBuilder
    _settings: ResponderSettings
    _report: Callable[[bytes, Exception], None] | None
    _refused: Report
    _look_up: Callable[..., AnswerLookup]
    _sent: SentReport

    def answer(
        self,
        query: Query,
        client: bytes,
        now: float,
        tcp: bool,
        local: bytes,
        pad: bool = False,
    ) -> tuple[bytes, bool]:
        """The answer, and whether it is cacheable (see `lzc.answer.responder.Response`). With
        ``pad`` it is padded where the query was (RFC 7830), which is for TLS alone."""
        edns = query.edns
        if query.opcode != message.QUERY:
            return self._plain(query, client, now, message.NOTIMP, tcp), False
        if edns is not None and edns.version:
            opt = self._options.opt(edns, client, now, rcode=message.BADVERS)
            return compose(query.id, _flags(query, 0), query.question, opt=opt), False
        checked = tsig.verify_request(query, self._settings.tsig_keys, now)
        if checked.error:
            self._refused(tsig_refusal(query, client, checked, now))
            reply = self._plain(query, client, now, checked.rcode, tcp)
            return _finished(reply, query, checked, now, pad), False
        if tcp and edns is not None and edns.keepalive:
            # RFC 7828 §3.2.1: without a timeout. Over UDP the option is ignored (§3.2.2).
            reply = self._plain(query, client, now, message.FORMERR)
            return _finished(reply, query, checked, now, pad), False
        if not query.qname:
            # A client that only wants a server cookie (RFC 7873 §5.4).
            return self._plain(query, client, now, message.NOERROR, tcp), False
        turn = _Turn(query, client, now, tcp, local, checked)
        try:
            try:
                wire, fixed = self._question(turn)
            except HiddenZone as hidden:
                wire, fixed = self._of_catalog(turn, hidden.apex), False
        except (LuaFailure, SigningFailure, *DAMAGE) as error:
            soa = self._soa_of_transfers(turn) if isinstance(error, SigningFailure) else None
            wire = self.fail(query, client, now, error, tcp) if soa is None else soa
            fixed = False
        wire = _finished(wire, query, checked, now, pad)
        if query.tsig:
            return wire, False
        return wire, fixed and (edns is None or not self._options.depends_on_client(edns))

    def _of_catalog(self, turn: _Turn, apex: bytes) -> bytes:
        """The answer from a catalog: for who may transfer it, or asks from the address of who may
        (queries for the SOA need not be signed)."""
        if not self._settings.access.is_secondary(apex, turn.client, turn.checked.key_name):
            return self._plain(turn.query, turn.client, turn.now, message.REFUSED)
        self._zones.opened = apex
        try:
            return self._question(turn)[0]
        finally:
            self._zones.opened = b""

    def _soa_of_transfers(self, turn: _Turn) -> bytes | None:
        """The SOA, without signatures, of a zone that is out of service, for who may transfer it:
        transfers carry none, and secondaries that do not learn the serial let the zone expire."""
        apex = turn.query.qname_lower
        if turn.query.qtype not in (rrtype.SOA, rrtype.IXFR):
            return None
        if not self._settings.access.is_secondary(apex, turn.client, turn.checked.key_name):
            return None
        zone = self._zones.unsigned(apex)
        if zone is None:
            return None
        sections = Sections(False, turn.now, self._room(turn))
        sections.answer.append(zone.soa)
        return self._compose(turn, sections)

    def fail(
        self, query: Query, client: bytes, now: float, error: Exception, tcp: bool = False
    ) -> bytes:
        """SERVFAIL, told to the report."""
        if self._report is not None:
            self._report(query.qname, error)
        return self._plain(query, client, now, message.SERVFAIL, tcp)

    def _plain(
        self, query: Query, client: bytes, now: float, rcode: int, tcp: bool = False
    ) -> bytes:
        """An answer that is no more than its RCODE."""
        edns = query.edns
        opt = self._options.opt(edns, client, now, tcp=tcp) if edns is not None else b""
        return compose(query.id, _flags(query, rcode), query.question, opt=opt)

    def _question(self, turn: _Turn) -> tuple[bytes, bool]:
        """The answer to a question, and whether another client gets the same later."""
        query = turn.query
        qtype = query.qtype
        dnssec_ok = query.edns is not None and query.edns.dnssec_ok
        shared = fixed = True
        if qtype in (rrtype.SOA, rrtype.IXFR) and query.qclass == message.IN:
            published = self._published(turn)
            if published is not None:
                return published, False
            apex = query.qname_lower
            by_address = self._settings.access.tells_by_address(apex)
            shared = not (by_address and self._zones.info(apex) is not None)
        if dnssec_ok and qtype in (rrtype.SOA, rrtype.IXFR):
            dnssec_ok, alike = self._soa_signed(turn)
            shared = shared and alike
        if qtype == rrtype.IXFR and query.qclass == message.IN and not turn.tcp:
            changes = self._changes(turn)
            if changes is not None:
                return changes, False
            shared = fixed = False
        sections = Sections(dnssec_ok, turn.now, self._room(turn))
        sections.compact_ok = query.edns is not None and query.edns.compact_ok
        told: list[Blob] = []
        rcode: int | None = None
        if query.qclass == message.CH:
            rcode, told = self._chaos(query)
        elif query.qclass != message.IN:
            rcode = message.REFUSED
        elif qtype in (rrtype.AXFR, rrtype.IXFR):
            rcode = self._transfer_rcode(turn)
            qtype = rrtype.SOA
        else:
            rcode = _REFUSALS.get(qtype)
        if rcode is None and not self._found(turn, qtype, sections):
            rcode = message.REFUSED
            key = turn.checked.key_name
            if key is not None and qtype == rrtype.SOA:
                # A secondary that looks for a change of a zone that was never, or is no more, here.
                apex = query.qname_lower
                self._refused(Refusal(Reason.NO_ZONE, turn.client, query.qtype, apex, key))
        if rcode is None:
            if turn.checked.key is not None and query.qtype == rrtype.SOA:
                self._tell_asked(turn)
            return self._compose(turn, sections), shared and not sections.lua_ran
        sections.rcode = rcode
        sections.authoritative = False
        return self._compose(turn, sections, told), fixed

    def _tell_asked(self, turn: _Turn) -> None:
        """Who signs a query for the SOA looks whether the zone changed."""
        apex, key = turn.query.qname_lower, turn.checked.key_name
        zone = self._zones.at(apex)
        if zone is not None and zone.apex == apex:
            info = zone.info
            what = turn.client, rrtype.SOA, apex, key or b"", info.serial, info.lua
            self._sent(Sent(Kind.SOA, *what))

    def _chaos(self, query: Query) -> tuple[int, list[Blob]]:
        """RCODE and answer section of a query of class CHAOS, about the server itself (RFC 4892);
        REFUSED for what is not told."""
        text = ""
        if query.qname_lower in _VERSION:
            text = self._settings.version
        elif query.qname_lower in _IDENTITY:
            text = self._settings.server_id
        if not text:
            return message.REFUSED, []
        if query.qtype not in (rrtype.TXT, rrtype.ANY):
            return message.NOERROR, []
        string = text.encode("utf-8")[:255]
        head = b"\xc0\x0c\x00\x10\x00\x03\x00\x00\x00\x00" + (len(string) + 1).to_bytes(2, "big")
        return message.NOERROR, [Blob(1, head + bytes((len(string),)) + string)]

    def _published(self, turn: _Turn) -> bytes | None:
        """What a secondary is told that has the zone in a form of its own (`lzc.forms`): the SOA of
        that, to which it comes over TCP; SERVFAIL where it is not made yet, as the serial of the
        zone itself says nothing of it. `None` for all others."""
        query, key = turn.query, turn.checked.key_name
        apex = query.qname_lower
        grants = self._settings.access.meant(apex, turn.client, key)
        info = self._zones.info(apex) if grants else None
        what = None if info is None else handed(grants, info)
        if info is None or what is None or what.form is Form.LIVE:
            return None
        found = self._settings.published.find(info, what)
        if found is None:
            report = Refusal(Reason.UNPUBLISHED, turn.client, query.qtype, apex, key or b"")
            self._refused(report)
            return self._plain(query, turn.client, turn.now, message.SERVFAIL)
        try:
            answer = [Blob(1, found.soa)]
            if query.edns is not None and query.edns.dnssec_ok:
                ttl = int.from_bytes(found.soa[6:10], "big")
                signed = found.soa_signatures
                answer.append(Blob(len(signed), nodes.blob(rrtype.RRSIG, ttl, signed)))
            return self._put(turn, message.AA, answer)
        finally:
            found.close()

    def _soa_signed(self, turn: _Turn) -> tuple[bool, bool]:
        """Whether an SOA that is asked for with DO gets its RRSIG, and whether all clients get the
        same.

        PowerDNS as a secondary sets DO; where the SOA has an RRSIG and its own copy none, it takes
        that for stale, and transfers the zone again at each refresh and after each NOTIFY.
        """
        access, apex = self._settings.access, turn.query.qname_lower
        unsigned = access.takes_unsigned(apex, turn.client, turn.checked.key_name)
        by_address = access.tells_by_address(apex)
        if not (unsigned or by_address):
            return True, True
        zone = self._zones.at(apex)
        if zone is None or zone.apex != apex or zone.presigned:
            # A presigned zone is transferred with its signatures.
            return True, True
        return not unsigned, not by_address

    def _transfer_rcode(self, turn: _Turn) -> int | None:
        """A transfer is no answer: `lzc.answer.transfer` has it. Over UDP AXFR does not exist
        (RFC 5936 §4.2), and IXFR may be answered with the SOA alone (RFC 1995 §2): `None`."""
        if turn.tcp:
            return message.REFUSED
        if turn.query.qtype == rrtype.AXFR:
            return message.FORMERR
        zone = self._zones.at(turn.query.qname_lower)
        known = zone is not None and zone.apex == turn.query.qname_lower
        return None if known else message.NOTAUTH

    def _changes(self, turn: _Turn) -> bytes | None:
        """What IXFR is answered with over UDP where it fits (RFC 1995 §2, §4), for who may have the
        zone; `None`: with the SOA alone, and who wants more comes over TCP."""
        query, key = turn.query, turn.checked.key_name
        apex, serial = query.qname_lower, client_serial(query)
        grants = self._settings.access.granted(apex, turn.client, key)
        if serial is None or grants is None:
            return None
        zone = self._zones.at(apex)
        if zone is None or zone.apex != apex:
            return None
        info = zone.info
        if handed(grants, info) != AS_IT_IS:
            return None
        kind, wire = Kind.UP_TO_DATE, None
        if not is_up_to_date(serial, info.serial):
            found = increments(self._zones.deltas, info, serial, lua=run_lua(grants))
            room = self._room(turn)
            if found is None:
                return None
            found.close()
            if found.made is None or found.octets > room:
                return None
            soa = Blob(1, soa_of(zone.apex_node))
            answer = [soa, *starmap(Blob, found.blocks()), soa]
            kind, wire = Kind.IXFR, self._put(turn, message.AA, answer)
            if wire[2] & _TC:
                return None
        self._sent(
            Sent(
                kind, turn.client, query.qtype, apex, key or b"", info.serial, info.lua_records > 0
            )
        )
        return wire

    def _put(self, turn: _Turn, flags: int, answer: Sequence[Blob]) -> bytes:
        """A message with the answer section alone; with TC where that is too large."""
        query, opt = turn.query, b""
        if query.edns is not None:
            opt = self._options.opt(query.edns, turn.client, turn.now)
        return compose(
            query.id,
            _flags(query, 0) | flags,
            query.question,
            answer,
            opt=opt,
            max_size=self._room(turn),
            tsig_room=turn.checked.room,
        )

    def _found(self, turn: _Turn, qtype: int, sections: Sections) -> bool:
        query = turn.query
        edns = query.edns
        asker = QueryContext(
            query.qname,
            b"",
            turn.client,
            self._options.subnet(edns),
            turn.local,
            turn.tcp,
            sections.dnssec_ok,
            edns.udp_size if edns is not None else 0,
            query.flags,
            query.id,
        )
        return self._look_up(self._zones, self._lua, qtype, asker, sections).run(query.qname)

    def _room(self, turn: _Turn) -> int:
        """Octets that the answer may have."""
        if turn.tcp:
            return MAX_MESSAGE
        edns = turn.query.edns
        if edns is None:
            return wire_edns.MIN_UDP_SIZE
        return min(edns.udp_size, self._settings.udp_payload_size)

    def _compose(self, turn: _Turn, sections: Sections, told: Sequence[Blob] = ()) -> bytes:
        query = turn.query
        edns = query.edns
        opt = b""
        if edns is not None:
            scope = 0
            if sections.lua_ran and edns.client_subnet is not None:
                scope = edns.client_subnet.source
            opt = self._options.opt(edns, turn.client, turn.now, scope=scope, tcp=turn.tcp)
        authoritative = message.AA if sections.authoritative else 0
        return compose(
            query.id,
            _flags(query, sections.rcode) | authoritative,
            query.question,
            told or sections.answer,
            sections.authority,
            sections.additional[: sections.glue],
            sections.additional[sections.glue :],
            opt=opt,
            max_size=sections.room,
            tsig_room=turn.checked.room,
        )


def _flags(query: Query, rcode: int) -> int:
    """The second header word of an answer: RD and CD are copied (RFC 1035 §4.1.1, RFC 4035
    §3.1.6), AD stays clear."""
    return message.QR | query.flags & (message.OPCODE_MASK | _COPIED) | rcode


def _finished(wire: bytes, query: Query, checked: TsigResult, now: float, pad: bool) -> bytes:
    """The answer padded, where that is wanted, and signed, where the query was."""
    if pad and query.edns is not None and query.edns.padding:
        wire = padded(wire, checked.size)
    return tsig.sign_response(wire, checked, now)

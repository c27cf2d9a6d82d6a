"""Everything around a question: opcode, class, EDNS version, TSIG, types with rules of their own.

`Exchange` answers any well-formed query; `lzc.answer.responder` only does the commonest itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

import lmdb

from lzc.answer import chaos
from lzc.answer.lookup import Lookup
from lzc.answer.lua_answer import Asker, LuaAnswers
from lzc.answer.options import BADVERS_EXTENDED, Options
from lzc.answer.sections import Sections
from lzc.answer.settings import ResponderSettings
from lzc.answer.zone import ServedZones, SigningFailure
from lzc.bundle.reader import BundleError
from lzc.lua.engine import LuaFailure
from lzc.wire import edns as wire_edns
from lzc.wire import message, rrtype, tsig
from lzc.wire.compose import MAX_MESSAGE, Item, compose
from lzc.wire.message import Query
from lzc.wire.tsig import TsigResult

DAMAGE: Final = (BundleError, lmdb.Error, struct.error, IndexError, ValueError)
"""What reading a damaged bundle may raise: SERVFAIL for the names concerned, no crash."""

_COPIED: Final = message.RD | message.CD

_REFUSALS: Final = {
    # RFC 1035 §3.2.3 obsolete, TKEY of RFC 2930 not offered.
    rrtype.MAILA: message.NOTIMP,
    rrtype.MAILB: message.NOTIMP,
    rrtype.TKEY: message.NOTIMP,
    # No question asks for these (RFC 6891 §6.1.1, RFC 8945 §4.2; RFC 9824 §3.4 for NXNAME, 128).
    0: message.FORMERR,
    rrtype.OPT: message.FORMERR,
    rrtype.TSIG: message.FORMERR,
    128: message.FORMERR,
}


class Exchange:
    """One query, one answer."""

    __slots__ = ("_lua", "_options", "_report", "_settings", "_zones")

    def __init__(
        self,
        zones: ServedZones,
        lua: LuaAnswers,
        options: Options,
        settings: ResponderSettings,
        report: Callable[[bytes, Exception], None] | None,
    ) -> None:
        self._zones = zones
        self._lua = lua
        self._options = options
        self._settings = settings
        self._report = report

    def answer(
        self, query: Query, client: bytes, now: float, tcp: bool, local: bytes
    ) -> tuple[bytes, bool]:
        """The answer, and whether it is cacheable (see `lzc.answer.responder.Response`)."""
        edns = query.edns
        if query.opcode != message.QUERY:
            return self._plain(query, client, now, message.NOTIMP), False
        if edns is not None and edns.version:
            opt = self._options.opt(edns, client, now, extended_rcode=BADVERS_EXTENDED)
            return compose(query.id, _flags(query, 0), query.question, opt=opt), False
        checked: TsigResult | None = None
        if query.tsig:
            checked = tsig.verify_request(query.wire, self._settings.tsig_keys, now, query.tsig)
            if not checked.ok:
                reply = self._plain(query, client, now, checked.rcode)
                return tsig.sign_response(reply, checked, now), False
        if not query.qname:
            # A client that only wants a server cookie (RFC 7873 §5.4).
            return self._plain(query, client, now, message.NOERROR), False
        room = checked.room if checked is not None else 0
        wire, cacheable = self._question(query, client, now, tcp, local, room)
        if checked is not None:
            return tsig.sign_response(wire, checked, now), False
        return wire, cacheable

    def fail(self, query: Query, client: bytes, now: float, error: Exception) -> bytes:
        """SERVFAIL, told to the report."""
        if self._report is not None:
            self._report(query.qname, error)
        return self._plain(query, client, now, message.SERVFAIL)

    def _plain(self, query: Query, client: bytes, now: float, rcode: int) -> bytes:
        """An answer that is no more than its RCODE."""
        edns = query.edns
        opt = self._options.opt(edns, client, now) if edns is not None else b""
        return compose(query.id, _flags(query, rcode), query.question, opt=opt)

    def _question(
        self, query: Query, client: bytes, now: float, tcp: bool, local: bytes, room: int
    ) -> tuple[bytes, bool]:
        edns = query.edns
        qtype = query.qtype
        if query.qclass == message.CH:
            rcode, told = chaos.answer(query, self._settings)
            return self._compose(query, client, now, tcp, room, rcode, told), False
        if query.qclass != message.IN:
            return self._plain(query, client, now, message.REFUSED), False
        if qtype in _REFUSALS:
            return self._plain(query, client, now, _REFUSALS[qtype]), False
        if qtype in (rrtype.AXFR, rrtype.IXFR):
            # A transfer is no answer: `lzc.answer.transfer` has it. Over UDP AXFR does not exist
            # (RFC 5936 §4.2), and IXFR may answer with the SOA alone (RFC 1995 §2).
            if tcp:
                return self._plain(query, client, now, message.REFUSED), False
            if qtype == rrtype.AXFR:
                return self._plain(query, client, now, message.FORMERR), False
            zone = self._zones.at(query.qname_lower)
            if zone is None or zone.apex != query.qname_lower:
                return self._plain(query, client, now, message.NOTAUTH), False
            qtype = rrtype.SOA
        asker = Asker(
            client,
            self._options.subnet(edns),
            local,
            tcp,
            edns is not None and edns.dnssec_ok,
            edns.udp_size if edns is not None else 0,
            query.flags,
            query.id,
        )
        sections = Sections(asker.dnssec_ok, now)
        lookup = Lookup(self._zones, self._lua, qtype, asker, sections)
        try:
            if not lookup.run(query.qname):
                return self._plain(query, client, now, message.REFUSED), True
        except (LuaFailure, SigningFailure, *DAMAGE) as error:
            return self.fail(query, client, now, error), False
        wire = self._compose(query, client, now, tcp, room, sections.rcode, (), sections)
        cacheable = not sections.lua_ran
        if edns is not None and self._options.depends_on_client(edns):
            cacheable = False
        return wire, cacheable

    def _compose(
        self,
        query: Query,
        client: bytes,
        now: float,
        tcp: bool,
        room: int,
        rcode: int,
        told: Sequence[Item],
        sections: Sections | None = None,
    ) -> bytes:
        edns = query.edns
        opt = b""
        limit = wire_edns.MIN_UDP_SIZE
        if edns is not None:
            scope = 0
            if sections is not None and sections.lua_ran and edns.client_subnet is not None:
                scope = edns.client_subnet.source
            opt = self._options.opt(edns, client, now, scope=scope)
            limit = min(edns.udp_size, self._settings.udp_payload_size)
        if tcp:
            limit = MAX_MESSAGE
        flags = _flags(query, rcode)
        if sections is None:
            return compose(
                query.id, flags, query.question, told, opt=opt, max_size=limit, tsig_room=room
            )
        if sections.authoritative:
            flags |= message.AA
        return compose(
            query.id,
            flags,
            query.question,
            sections.answer,
            sections.authority,
            sections.additional[: sections.glue],
            sections.additional[sections.glue :],
            opt=opt,
            max_size=limit,
            tsig_room=room,
        )


def _flags(query: Query, rcode: int) -> int:
    """The second header word of an answer: RD and CD are copied (RFC 1035 §4.1.1, RFC 4035
    §3.1.6), AD stays clear."""
    return message.QR | query.flags & (message.OPCODE_MASK | _COPIED) | rcode

"""Query octets in, answer octets out: where the server and ``lzc query`` come in.

The commonest answers are put together here without a section list (`_fast`): what the bundle holds
is wire format already. All else goes to `lzc.answer.exchange`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from lzc.answer.exchange import DAMAGE, Exchange
from lzc.answer.lua_answer import Asker, Evaluator, LuaAnswers
from lzc.answer.match import closest_encloser
from lzc.answer.options import Options
from lzc.answer.settings import ResponderSettings
from lzc.answer.zone import ServedZone, ServedZones, Signer, SigningFailure
from lzc.bundle import node as nodes
from lzc.bundle.node import (
    DELEGATION,
    HAS_CNAME,
    HAS_DNAME,
    HAS_LUA,
    OCCLUDED,
    WILDCARD_CHILD,
)
from lzc.bundle.reader import Bundle
from lzc.dnssec.signer import window
from lzc.lua.engine import LuaFailure
from lzc.wire import rrtype
from lzc.wire.message import FormatError, Query, RRset, parse_query
from lzc.wire.name import key_of

MAX_SIGNATURES: Final = 100_000
"""RRSIG RRsets kept in wire format, ready to be copied into an answer."""
SIGNATURES_KEPT: Final = 60
"""Seconds after which they are fetched anew from the signer, which knows when a key retires."""

_HEADER: Final = struct.Struct(">6H").pack
_RR_HEAD: Final = struct.Struct(">HHHI").pack
_ENTRY: Final = struct.Struct(">HHI").unpack_from
_RRSIG_HEAD: Final = b"\xc0\x0c\x00\x2e\x00\x01"

# AA and QR; RD and CD are the query's (RFC 1035 §4.1.1, RFC 4035 §3.1.6).
_ANSWER: Final = 0x8400
_COPIED: Final = 0x0110

_UNUSUAL: Final = DELEGATION | OCCLUDED | HAS_CNAME
_NOT_MISSING: Final = DELEGATION | OCCLUDED | HAS_DNAME | WILDCARD_CHILD

_CAREFUL: Final = frozenset(
    {
        *(rrtype.NAMED_RDATA - {rrtype.PTR}),
        rrtype.DNAME,
        rrtype.SRV,
        rrtype.DS,
        rrtype.RRSIG,
        rrtype.NSEC,
        rrtype.LUA,
        0,
        *rrtype.META_TYPES,
    }
)
"""Types that need more than their blob: names to compress or to look up, or rules of their own."""


class Response(NamedTuple):
    """An answer. ``cacheable`` tells that it depends on the transport and on the query's octets
    after the ID, and on nothing else: not on the client, nor on a LUA record. A signed one is so
    until the window of signatures moves (`lzc.dnssec.signer.window`) or the zone's keys change."""

    wire: bytes
    cacheable: bool


class Responder:
    """Answers queries from one bundle.

    ``signers`` are by apex; ``engine`` is `None` where LUA is off. ``report`` is told of every
    SERVFAIL: the QNAME and what went wrong. Not thread-safe; use one per process.
    """

    __slots__ = ("_exchange", "_lua", "_options", "_served", "_signed", "_signed_until", "_size")

    def __init__(
        self,
        bundle: Bundle,
        settings: ResponderSettings,
        signers: Mapping[bytes, Signer],
        engine: Evaluator | None,
        report: Callable[[bytes, Exception], None] | None = None,
    ) -> None:
        self._served = ServedZones(bundle, signers)
        self._lua = LuaAnswers(engine, settings.insert_whitespace)
        self._options = Options(settings)
        self._exchange = Exchange(self._served, self._lua, self._options, settings, report)
        self._size = settings.udp_payload_size
        self._signed: dict[tuple[int, bytes, int], tuple[int, bytes]] = {}
        self._signed_until = 0.0

    def respond(
        self, query: bytes, client: bytes, now: float, *, tcp: bool, local: bytes = b""
    ) -> Response | None:
        """The answer to one message; `None` for silence.

        ``client`` and ``local`` (the address it came to, if known) are packed addresses, ``now`` is
        in seconds since the epoch. Never raises for anything that the message or the bundle holds.
        Over UDP the answer has at most 512 octets or, with EDNS, what both sides allow.
        """
        try:
            asked = parse_query(query)
        except FormatError as error:
            reply = error.reply()
            return None if reply is None else Response(reply, False)
        try:
            if asked.opcode == 0 and asked.qclass == 1 and not asked.tsig:
                found = self._fast(asked, client, now, tcp, local)
                if found is not None:
                    return found
        except (LuaFailure, SigningFailure, *DAMAGE) as error:
            return Response(self._exchange.fail(asked, client, now, error), False)
        wire, cacheable = self._exchange.answer(asked, client, now, tcp, local)
        return Response(wire, cacheable)

    def _fast(
        self, query: Query, client: bytes, now: float, tcp: bool, local: bytes
    ) -> Response | None:
        """The answer where it is one RRset, or a denial without signatures; else `None`. One
        function, fields unpacked once: calls would take a third of the time of an answer."""
        wire, ident, flags, _, _, name, qtype, _, question_end, edns, _, _, _ = query
        if qtype in _CAREFUL:
            return None
        if edns is None:
            opt = b""
            limit = 512
            dnssec_ok = additional = 0
            cacheable = True
        else:
            if edns.version:
                return None
            dnssec_ok = edns.flags & 0x8000
            limit = edns.udp_size if edns.udp_size < self._size else self._size
            additional = 1
            opt = b""
            cacheable = edns.cookie is None or not self._options.depends_on_client(edns)
        zone = self._served.at(name)
        if zone is None:
            return None
        apex = zone.apex
        key = key_of(name, apex)
        node = zone.node(key)
        answers = 0
        authorities = 0
        rcode = 0
        scope = 0
        if node is None:
            if dnssec_ok and zone.signed:
                return None
            _, node = closest_encloser(zone, key)
            if node[0] & _NOT_MISSING:
                return None
            rcode = 3
        else:
            kind = node[0]
            if kind & _UNUSUAL:
                return None
            position = 4 + (node[2] << 8 | node[3])
            start = base = position + 8 * node[1]
            while position < base:
                found, count, end = _ENTRY(node, position)
                if found == qtype:
                    answers = count
                    end += base
                    break
                start = base + end
                position += 8
            if kind & HAS_LUA:
                made = (
                    None if answers else self._execute(zone, key, node, query, client, tcp, local)
                )
                if made is None:
                    return None
                cacheable = False
                answers, body, ttl, rdatas = made
                if edns is not None and edns.client_subnet is not None:
                    scope = edns.client_subnet.source
                if dnssec_ok and zone.signed:
                    answers += self._add_signatures(zone, name, qtype, ttl, rdatas, now, body)
                content = b"".join(body)
            elif answers:
                content = node[start:end]
                if dnssec_ok and zone.signed:
                    signed = self._signed.get((zone.zone_id, key, qtype))
                    if signed is None or now >= self._signed_until:
                        signed = self._sign(zone, key, name, qtype, node[start:end], now)
                    answers += signed[0]
                    content += signed[1]
        if not answers:
            if dnssec_ok and zone.signed:
                return None
            authorities = 1
            content = zone.negative_soa(12 + len(name) - len(apex))
        if edns is not None:
            if edns.options:
                opt = self._options.opt(edns, client, now, scope=scope)
            else:
                opt = self._options.plain_dnssec_ok if dnssec_ok else self._options.plain
        response = b"".join(
            (
                _HEADER(
                    ident,
                    _ANSWER | flags & _COPIED | rcode,
                    1,
                    answers,
                    authorities,
                    additional,
                ),
                wire[12:question_end],
                content,
                opt,
            )
        )
        if len(response) > (65535 if tcp else limit):
            return None
        return Response(response, cacheable)

    def _execute(
        self,
        zone: ServedZone,
        key: bytes,
        node: bytes,
        query: Query,
        client: bytes,
        tcp: bool,
        local: bytes,
    ) -> tuple[int, list[bytes], int, list[bytes]] | None:
        """The RRs that LUA records give for the type asked: how many, in wire format, their TTL and
        RDATA. `None` when none covers it, a LUA CNAME may, or all gave an empty list."""
        lua = self._lua.at(zone, key, node)
        qtype = query.qtype
        snippets = lua.get(qtype)
        if snippets is None or rrtype.CNAME in lua:
            return None
        edns = query.edns
        asker = (
            Asker(client, None, local, tcp, False, 0, query.flags, query.id)
            if edns is None
            else Asker(
                client,
                self._options.subnet(edns),
                local,
                tcp,
                edns.flags & 0x8000 != 0,
                edns.udp_size,
                query.flags,
                query.id,
            )
        )
        rdatas = self._lua.run(zone, query.qname, qtype, snippets, asker)
        if not rdatas:
            return None
        head = _RR_HEAD(0xC00C, qtype, 1, snippets.ttl)
        body = [b"".join((head, len(rdata).to_bytes(2, "big"), rdata)) for rdata in rdatas]
        return len(rdatas), body, snippets.ttl, rdatas

    def _add_signatures(
        self,
        zone: ServedZone,
        name: bytes,
        qtype: int,
        ttl: int,
        rdatas: list[bytes],
        now: float,
        body: list[bytes],
    ) -> int:
        """Append the RRSIGs over an RRset at the QNAME in wire format; returns how many."""
        made = zone.signatures(name, RRset(name, qtype, ttl, tuple(rdatas)), now)
        head = _RRSIG_HEAD + ttl.to_bytes(4, "big")
        for rdata in made:
            body.append(head + len(rdata).to_bytes(2, "big") + rdata)
        return len(made)

    def _sign(
        self, zone: ServedZone, key: bytes, name: bytes, qtype: int, blob: bytes, now: float
    ) -> tuple[int, bytes]:
        """The RRSIGs over a static RRset in wire format, kept for the next time."""
        if now >= self._signed_until or len(self._signed) >= MAX_SIGNATURES:
            self._signed.clear()
            self._signed_until = min(now + SIGNATURES_KEPT, window(now).valid_until)
        ttl = int.from_bytes(blob[6:10], "big")
        body: list[bytes] = []
        count = self._add_signatures(zone, name, qtype, ttl, nodes.rdatas(blob), now, body)
        signed = self._signed[zone.zone_id, key, qtype] = (count, b"".join(body))
        return signed

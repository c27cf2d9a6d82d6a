"""Query octets in, answer octets out: where the server and ``lzc query`` come in."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from typing import Final, NamedTuple

from lzc.answer.amplification import Answered, CookieLimit, Quick
from lzc.answer.exchange import Exchange
from lzc.answer.fast import FastLane
from lzc.answer.lookup import AnswerLookup
from lzc.answer.lua_answer import CpuMeter, LuaAnswers, LuaEvaluator, Plans
from lzc.answer.options import OptBuilder
from lzc.answer.planned import Choice
from lzc.answer.refusal import Report, untold
from lzc.answer.settings import ResponderSettings
from lzc.answer.transfer_kinds import SentReport, unsent
from lzc.answer.unfinished import Begin
from lzc.answer.zone import ServedZones
from lzc.bundle.reader import Bundle
from lzc.dnssec.signing.signer import ZoneSigner
from lzc.lua.plan import Planner
from lzc.wire.message import FormatError, parse_query


class Parts(NamedTuple):
    """What a responder is put together from. Who watches how an answer is made gives subclasses of
    these, so that nothing on the path of a query asks whether it is watched."""

    zones: Callable[..., ServedZones] = ServedZones
    lua: Callable[..., LuaAnswers] = LuaAnswers
    lookup: Callable[..., AnswerLookup] = AnswerLookup


UNWATCHED: Final = Parts()


class Response(NamedTuple):
    """An answer. ``cacheable`` tells that it depends on the transport and on the query's octets
    after the ID, and on nothing else: not on the client, nor on a LUA record. A signed one is so
    until the window of signatures moves (`lzc.dnssec.signing.cache.window`) or the zone's keys
    change. For as long a `Choice` gives the answer to the next query with the same octets."""

    wire: bytes
    cacheable: bool | Choice


class Responder:
    """Answers queries from one bundle.

    ``signers`` are by apex; ``engine`` is `None` where LUA is off. ``report`` is told of every
    SERVFAIL: the QNAME and what went wrong. ``planner`` answers LUA records that have a plan;
    without one all are run. ``quick`` answers the commonest queries: a caller that is in a hurry
    asks it first, and `any_query` when it has no answer; `respond` does both. ``begin`` is like it,
    and may leave out a signature (`lzc.answer.unfinished`). ``out`` are zones that are out of
    service (`lzc.answer.zone.ServedZones`), and ``forget`` is to be told which came or went.
    ``refused`` is told which secondaries were turned away, and why, and ``sent`` what others got by
    IXFR over UDP, and who asked for an SOA with TSIG. ``parts`` are what it is put together from.
    ``counts`` is what happened so far. Not thread-safe; use one per process.
    """

    __slots__ = ("_exchange", "_limit", "begin", "counts", "forget", "quick")

    def __init__(
        self,
        bundle: Bundle,
        settings: ResponderSettings,
        signers: Mapping[bytes, ZoneSigner],
        engine: LuaEvaluator | None,
        report: Callable[[bytes, Exception], None] | None = None,
        planner: Planner | None = None,
        meter: CpuMeter | None = None,
        out: Container[bytes] = (),
        refused: Report | None = None,
        parts: Parts = UNWATCHED,
        sent: SentReport = unsent,
    ) -> None:
        zones = parts.zones(bundle, signers, out)
        self.forget = zones.forget
        plans = Plans(planner, bundle.plan) if planner is not None else None
        lua = parts.lua(engine, plans, meter)
        self.counts = lua.counts
        options = OptBuilder(settings)
        look_up = parts.lookup
        refused = refused or untold
        self._exchange = Exchange(zones, lua, options, settings, report, refused, look_up, sent)
        lane = FastLane(zones, lua, options, settings.udp_payload_size, self._fail)
        self.quick: Quick = lane.answer
        self.begin: Begin = lane.begin
        self._limit: CookieLimit | None = None
        if settings.require_cookie:
            self._limit = CookieLimit(settings, options)
            self.begin = self.quick = self._limit.over(lane.answer)

    def respond(
        self, query: bytes, client: bytes, now: float, *, tcp: bool, local: bytes = b""
    ) -> Response | None:
        """The answer to one message; `None` for silence.

        ``client`` and ``local`` (the address it came to, if known) are packed addresses, ``now`` is
        in seconds since the epoch. Never raises for anything that the message or the bundle holds.
        Over UDP the answer has at most 512 octets or, with EDNS, what both sides allow.
        """
        found = self.quick(query, client, now, tcp, local)
        if found is None:
            found = self.any_query(query, client, now, tcp, local)
        return None if found is None else Response(*found)

    def any_query(
        self,
        query: bytes,
        client: bytes,
        now: float,
        tcp: bool = False,
        local: bytes = b"",
        pad: bool = False,
    ) -> Answered:
        """What `respond` gives, for a query that `quick` has no answer to. With ``pad`` it is
        padded where the query was (RFC 7830), which is for TLS alone."""
        try:
            asked = parse_query(query)
        except FormatError as error:
            self.counts.malformed += 1
            reply = error.reply()
            return None if reply is None else (reply, False)
        wire, cacheable = self._exchange.answer(asked, client, now, tcp, local, pad)
        if tcp or self._limit is None:
            return wire, cacheable
        return self._limit.limit(asked, wire, cacheable, client, now)

    def _fail(self, query: bytes, client: bytes, now: float, error: Exception) -> Answered:
        try:
            asked = parse_query(query)
        except FormatError as malformed:
            reply = malformed.reply()
            # Who is silent here is asked again, in `any_query`.
            self.counts.malformed += reply is not None
            return None if reply is None else (reply, False)
        return self._exchange.fail(asked, client, now, error), False

"""LUA records: which of them answer a query, and what their results say as RDATA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from lzc.answer.counts import AnswerCounts
from lzc.answer.planned import Kept, Planned
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.lua.engine.execution import LuaFailure, QueryContext
from lzc.lua.plan import Planner, plan_key
from lzc.powerdns_versions import Version
from lzc.wire import name as wire_name
from lzc.wire import rdata as wire_rdata
from lzc.wire import rrtype
from lzc.wire.message import RRset

MAX_NODES: Final = 32768
"""Nodes whose LUA records are kept joined; beyond, all are dropped and joined again on demand."""
MAX_OCTETS: Final = 2**25
"""Octets of these nodes at most; their plans take about ten times as many."""
MAX_KEPT: Final = 512
"""Octets of a result that is kept with what it is on the wire; a record may make up any number."""
FEW: Final = 16
"""Results of at most `MAX_KEPT` octets that are soon read."""

T = TypeVar("T")


class LuaEvaluator(Protocol):
    """What is asked of `lzc.lua.engine.engine.Engine`."""

    def evaluate(
        self, code: bytes, query: QueryContext, include: Callable[[bytes], bytes | None]
    ) -> list[bytes]:
        """Presentation-form contents; raises `LuaFailure`."""


class CpuMeter(Protocol):
    """Runs work that the code of a zone (by its apex) is charged for."""

    def __call__(self, code: bytes, zone: bytes, work: Callable[[], T], /) -> T:
        """What ``work`` gives."""


class Snippets(NamedTuple):
    """The codes that answer for one type at one name, and the TTL of what they give; how many
    labels that name has, the asterisk of a wildcard not counted; the plan that gives the same, if
    there is one."""

    ttl: int
    codes: tuple[bytes, ...]
    encloser: int
    planned: Planned | None = None


class Plans:
    """The plans of a bundle, which ``find`` gives as octets by `lzc.lua.plan.plan_key`. Records
    with the same code and TTL share one."""

    __slots__ = ("_find", "_kept", "_known", "_planner")

    def __init__(self, planner: Planner, find: Callable[[bytes], bytes | None]) -> None:
        self._planner = planner
        self._find = find
        self._kept = Kept()
        self._known: dict[tuple[bytes, int], Planned | None] = {}

    def of(
        self, code: bytes, covered: int, apex: bytes, ttl: int, version: Version, encloser: int
    ) -> Planned | None:
        """The plan of a record's joined code in a zone that answers as a version of PowerDNS;
        ``encloser`` as in `QueryContext`. Raises `ValueError` for a damaged one."""
        key = plan_key(code, covered, apex, version, encloser)
        if (key, ttl) not in self._known:
            encoded = self._find(key)
            if len(self._known) >= MAX_NODES:
                self.clear()
            plan = None if encoded is None else self._planner.load(encoded)
            if plan is not None and plan.covered != covered:
                raise ValueError("the plan of a record of another type")
            self._known[key, ttl] = None if plan is None else Planned(plan, ttl, self._kept)
        return self._known[key, ttl]

    def clear(self) -> None:
        """Forget all plans, and what is kept of their outcomes."""
        self._known.clear()
        self._kept.clear()


@dataclass(slots=True, eq=False)
class LuaAnswers:
    """Answers from the LUA records of a bundle: by ``plans`` where there are any, by running them
    otherwise. ``engine`` is `None` where LUA is off altogether. ``meter`` is told of results that
    take long to read; ``counts`` of what happens."""

    _engine: LuaEvaluator | None
    _plans: Plans | None = None
    _meter: CpuMeter | None = None
    _octets: int = 0
    _joined: dict[tuple[int, bytes], dict[int, Snippets]] = field(default_factory=dict)
    _includes: dict[int, Callable[[bytes], bytes | None]] = field(default_factory=dict)
    counts: AnswerCounts = field(default_factory=AnswerCounts)

    def at(self, zone: ServedZone, key: bytes, node: bytes) -> dict[int, Snippets]:
        """The LUA records of a node by the type they cover; none where LUA is off for the zone.
        Those that cover LUA are only ever included, so they are left out; so is SOA at the apex."""
        found = self._joined.get((zone.zone_id, key))
        if found is None:
            on = zone.info.lua and self._engine is not None
            found = self._join(zone, key, node) if on else {}
            found.pop(rrtype.LUA, None)
            if not key:
                # The zone has an SOA record, and as on PowerDNS no other is asked for.
                found.pop(rrtype.SOA, None)
            self._octets += len(node)
            if len(self._joined) >= MAX_NODES or self._octets > MAX_OCTETS:
                self._joined.clear()
                self._octets = len(node)
                if self._plans is not None:
                    self._plans.clear()
            self._joined[zone.zone_id, key] = found
        return found

    def _join(self, zone: ServedZone, key: bytes, node: bytes) -> dict[int, Snippets]:
        codes: dict[int, list[bytes]] = {}
        ttls: dict[int, int] = {}
        for record in nodes.lua_records(node):
            codes.setdefault(record.covered, []).append(record.join(zone.info.blanks))
            ttls[record.covered] = min(record.ttl, ttls.get(record.covered, record.ttl))
        labels = len(wire_name.labels_of(wire_name.relative_of_key(key) + zone.apex))
        encloser = labels - wire_name.is_wildcard_key(key)
        joined = {}
        for covered, found in codes.items():
            ttl, planned = ttls[covered], None
            if self._plans is not None and len(found) == 1:
                planned = self._plans.of(found[0], covered, zone.apex, ttl, zone.powerdns, encloser)
            joined[covered] = Snippets(ttl, tuple(found), encloser, planned)
        return joined

    def _include(self, zone: ServedZone) -> Callable[[bytes], bytes | None]:
        """What `include` asks in a zone: the code of the LUA record covering LUA at a name."""
        found = self._includes.get(zone.zone_id)
        if found is not None:
            return found

        def include(name: bytes) -> bytes | None:
            if not wire_name.is_subdomain(name, zone.apex):
                return None
            key = wire_name.key_of(name, zone.apex)
            node = zone.node(key)
            snippets = self._join(zone, key, node).get(rrtype.LUA) if node else None
            # Several records at the name are one chunk after the other.
            return b"\n".join(snippets.codes) if snippets else None

        if len(self._includes) >= MAX_NODES:
            self._includes.clear()
        self._includes[zone.zone_id] = include
        return include

    def contents(
        self, zone: ServedZone, snippets: Snippets, context: tuple[Any, ...]
    ) -> list[bytes]:
        """What the codes give, in presentation form (of TXT without the quotes around it).
        ``context`` has the fields of `lzc.lua.engine.execution.QueryContext`. Raises
        `LuaFailure`."""
        engine = self._engine
        if engine is None:
            return []
        # The constructor of a named tuple takes three times as long.
        query = tuple.__new__(QueryContext, context)
        include = self._includes.get(zone.zone_id) or self._include(zone)
        codes = snippets.codes
        if len(codes) == 1:
            return engine.evaluate(codes[0], query, include)
        evaluate = engine.evaluate

        def all_of_them() -> list[bytes]:
            return [text for code in codes for text in evaluate(code, query, include)]

        # What is fast alone may be slow together.
        if self._meter is None:
            return all_of_them()
        return self._meter(codes[0], zone.apex, all_of_them)

    def read(
        self,
        zone: ServedZone,
        snippets: Snippets,
        texts: list[bytes],
        work: Callable[..., T],
        *arguments: Any,
    ) -> T:
        """What ``work`` makes of results. A record decides how large they are, and so how long
        that takes: tenths of a second at worst, which are its own."""
        try:
            if self._meter is None or are_small(texts):
                return work(*arguments)
            return self._meter(snippets.codes[0], zone.apex, lambda: work(*arguments))
        except LuaFailure:
            self.counts.unreadable[zone.apex] += 1
            raise

    def rrset(
        self, zone: ServedZone, qname: bytes, covered: int, snippets: Snippets, asker: QueryContext
    ) -> RRset | None:
        """What the records give for ``qname`` (a wire name, as asked), owned by that in lower case,
        duplicates left out (RFC 2181 §5); `None` for NODATA, when every record gave an empty list.
        ``asker`` is who asks: its name and its zone do not matter.
        Raises `LuaFailure` for errors, limits, and results that are no presentation format of the
        type."""
        planned = snippets.planned
        outcome = None
        if planned is not None:
            who = asker.subnet[0] if asker.subnet is not None else asker.who
            outcome = planned.select(who, qname, zone.apex)
        if planned is not None and outcome is not None:
            self.counts.plans += 1
            rdatas = planned.rdatas(outcome)
        else:
            of_zone = zone.zone_id, snippets.encloser, zone.powerdns
            texts = self.contents(zone, snippets, (qname, zone.apex, *asker[2:-3], *of_zone))
            rdatas = self.read(zone, snippets, texts, rdatas_of, covered, texts, zone.powerdns)
        return RRset(qname.lower(), covered, snippets.ttl, tuple(rdatas)) if rdatas else None


def are_small(texts: list[bytes]) -> bool:
    """Whether results are read in no time."""
    if len(texts) == 1:
        return len(texts[0]) <= MAX_KEPT
    return len(texts) <= FEW and max(map(len, texts), default=0) <= MAX_KEPT


def rdatas_of(covered: int, texts: Sequence[bytes], version: Version) -> list[bytes]:
    """The RDATA that results of LUA records are in a version of PowerDNS, each once. Raises
    `LuaFailure`."""
    try:
        read = wire_rdata.from_result
        found = list(dict.fromkeys([read(covered, text, version) for text in texts]))
    except wire_rdata.InvalidRdata as error:
        raise LuaFailure("result", str(error)) from error
    # One name has one CNAME (RFC 2181 §10.1); a resolver would refuse a second.
    return found[:1] if covered == rrtype.CNAME else found


def lua_rrs(covered: int, ttl: int, texts: list[bytes], version: Version) -> tuple[int, bytes]:
    """Results of LUA records as RRs at the QNAME: how many, and their wire format. Raises
    `LuaFailure`."""
    if len(texts) == 1 and len(texts[0]) <= MAX_KEPT:
        return _kept_rrs(version, covered, ttl, texts[0])
    return _rrs(version, covered, ttl, *texts)


def _rrs(version: Version, covered: int, ttl: int, *texts: bytes) -> tuple[int, bytes]:
    found = rdatas_of(covered, texts, version)
    return len(found), nodes.blob(covered, ttl, found)


_kept_rrs: Final = lru_cache(maxsize=8192)(_rrs)

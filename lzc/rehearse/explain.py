"""Why an answer is what it is, found by watching the look-up from outside.

The look-up runs once more with everything it asks being written down: zones and nodes, LUA records,
health checks, places, includes. The path of the server's own answers knows nothing of this.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from dataclasses import dataclass, field

from lzc.answer.exchange import DAMAGE
from lzc.answer.lookup import Lookup
from lzc.answer.lua_answer import Asker, LuaAnswers, Snippets
from lzc.answer.match import Kind, Match, match
from lzc.answer.sections import Sections
from lzc.answer.zone import ServedZone, ServedZones, SigningFailure
from lzc.bundle import node as nodes
from lzc.bundle.node import DELEGATION, ENT, WILDCARD_CHILD
from lzc.health_check import Check
from lzc.lua.engine.engine import Engine, GeoView, Include, LuaFailure, QueryContext
from lzc.lua.engine.geo import GeoFields
from lzc.lua.health.reach import Refusal
from lzc.rehearse.assumed import AssumedHealth, Circumstances, RefusalOf
from lzc.rehearse.rehearsal import IDLE_RUNS, MAX_RUNS, Staging, draws, place_of, seed_of
from lzc.wire import name as wire_name
from lzc.wire import rrtype
from lzc.wire.edns import UDP_SIZE
from lzc.wire.message import RRset
from lzc.wire.name import wildcard_of


@dataclass(slots=True)
class Step:
    """One name that was looked up. Names are in presentation format.

    ``kind`` is how it was matched, and ``node`` the owner of the node that decides: the name
    itself, a wildcard, a delegation point, the owner of a DNAME, or the closest encloser of a name
    that does not exist. ``types`` are the RR types there, LUA as itself; ``covered`` those that LUA
    records answer for. ``is_ent``: an empty non-terminal. ``blocked``: a wildcard further up that
    does not reach this far (RFC 4592 §3.3.1), or empty. ``target``: where an alias leads, or empty.
    """

    name: str
    zone: str
    kind: Kind
    node: str
    types: tuple[str, ...]
    covered: tuple[str, ...]
    is_ent: bool
    blocked: str = ""
    target: str = ""


@dataclass(frozen=True, slots=True)
class IncludedRecord:
    """An ``include()``: the owner of the record, and its code or `None` where there is none."""

    name: str
    code: bytes | None


@dataclass(slots=True)
class Execution:
    """One run of a LUA record.

    ``owner`` is where the record stands, ``qname`` the name it answered for; ``code`` is joined as
    it ran. ``results`` are what it returned, in presentation form; ``failure`` why it did not, with
    the ``line`` of the code (0: unknown). ``checks`` are those it asked for, with the status it got
    (`None`: not known yet); ``places`` the addresses it had located. ``instructions`` of ``limit``
    are `None` where they are not counted. ``outcomes`` are all results that came, and how often, in
    ``runs`` runs with different random numbers; one run where it draws none. ``refused`` are those
    of ``checks`` that a server does not make.
    """

    owner: str
    qname: str
    covered: str
    ttl: int
    code: bytes
    results: tuple[str, ...] = ()
    failure: str = ""
    line: int = 0
    checks: dict[Check, bool | None] = field(default_factory=dict)
    places: dict[str, GeoFields] = field(default_factory=dict)
    includes: list[IncludedRecord] = field(default_factory=list)
    instructions: int | None = None
    limit: int = 0
    runs: int = 1
    outcomes: Counter[tuple[str, ...]] = field(default_factory=Counter)
    refused: dict[Check, Refusal] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Explanation:
    """What was found: ``zone`` is the one asked first, `None` where the name is in none of them;
    ``serial`` that zone's; ``lua`` whether LUA is on for it. ``failure`` is why the look-up ended
    with SERVFAIL, or empty."""

    qname: str
    qtype: str
    zone: str | None
    serial: int
    lua: bool
    signed: bool
    steps: tuple[Step, ...]
    executions: tuple[Execution, ...]
    failure: str


def explain(
    staging: Staging, circumstances: Circumstances, qname: bytes, qtype: int, seed: int, tcp: bool
) -> Explanation:
    """Look a name (wire format) up once more, as for the answer that had this seed and transport,
    and say what happened on the way."""
    zones = ServedZones(staging.bundle, staging.signers if circumstances.dnssec else {})
    watch = _Watch(staging, circumstances, seed)
    lua = LuaAnswers(watch if staging.lua is not None else None, staging.settings.insert_whitespace)
    sections = Sections(circumstances.dnssec, circumstances.now)
    asker = _asker(circumstances, staging.settings.edns_client_subnet, tcp)
    failure = ""
    try:
        WatchedLookup(zones, lua, qtype, asker, sections, watch).run(qname)
    except LuaFailure as error:
        failure = place_of(error)[0]
    except SigningFailure as error:
        failure = f"no usable key for zone {wire_name.to_text(error.args[0])}"
    except DAMAGE as error:
        failure = f"the bundle is damaged: {error}"
    first = zones.for_type(qname.lower(), qtype)
    return Explanation(
        wire_name.to_text(qname),
        rrtype.to_text(qtype),
        None if first is None else wire_name.to_text(first.apex),
        0 if first is None else first.info.serial,
        first is not None and first.info.lua and staging.lua is not None,
        first is not None and first.signed,
        tuple(watch.steps),
        tuple(watch.executions),
        failure,
    )


def _asker(circumstances: Circumstances, use_subnet: bool, tcp: bool) -> Asker:
    subnet = circumstances.subnet if use_subnet else None
    return Asker(
        circumstances.client.packed,
        None if subnet is None else (subnet.network_address.packed, subnet.prefixlen),
        b"",
        tcp,
        circumstances.dnssec,
        UDP_SIZE,
    )


class WatchedLookup(Lookup):
    """A look-up that tells of each name and of each LUA record before it goes on."""

    __slots__ = ("_watch",)

    def __init__(
        self,
        zones: ServedZones,
        lua: LuaAnswers,
        qtype: int,
        asker: Asker,
        sections: Sections,
        watch: _Watch,
    ) -> None:
        super().__init__(zones, lua, qtype, asker, sections)
        self._watch = watch

    def _step(self, zone: ServedZone, qname: bytes, name: bytes) -> bytes | None:
        step = _step_of(zone, name, match(zone, wire_name.key_of(name, zone.apex)))
        self._watch.steps.append(step)
        target = super()._step(zone, qname, name)
        if target is not None:
            step.target = wire_name.to_text(target)
        return target

    def _execute(
        self, zone: ServedZone, qname: bytes, covered: int, snippets: Snippets
    ) -> RRset | None:
        self._watch.record = (covered, snippets.ttl)
        return super()._execute(zone, qname, covered, snippets)


def _step_of(zone: ServedZone, name: bytes, found: Match) -> Step:
    node = found.node
    return Step(
        wire_name.to_text(name),
        wire_name.to_text(zone.apex),
        found.kind,
        wire_name.to_text(wire_name.relative_of_key(found.key) + zone.apex),
        tuple(rrtype.to_text(kind) for kind in nodes.types(node)),
        tuple(dict.fromkeys(rrtype.to_text(record.covered) for record in nodes.lua_records(node))),
        bool(node[0] & ENT),
        _blocked_wildcard(zone, found.key) if found.kind is Kind.MISSING else "",
    )


def _blocked_wildcard(zone: ServedZone, encloser: bytes) -> str:
    """The nearest wildcard above a closest encloser, or nothing."""
    key = encloser
    while key:
        key = key.rpartition(b"\x00")[0]
        node = zone.node(key) if key else zone.apex_node
        if node is not None and node[0] & WILDCARD_CHILD and not node[0] & DELEGATION:
            return wire_name.to_text(wire_name.relative_of_key(wildcard_of(key)) + zone.apex)
    return ""


class _Watch:
    """Stands in for the engine, health and geo databases, and writes down what is asked of them.

    Each execution has an engine of its own, so that nothing it asks was remembered from another.
    """

    def __init__(self, staging: Staging, circumstances: Circumstances, seed: int) -> None:
        self._staging = staging
        self._circumstances = circumstances
        self._seed = seed
        self.steps: list[Step] = []
        self.executions: list[Execution] = []
        self.record = (0, 0)

    def evaluate(self, code: bytes, query: QueryContext, include: Include) -> list[bytes]:
        """As `Engine.evaluate`."""
        covered, ttl = self.record
        execution = Execution(
            self.steps[-1].node,
            wire_name.to_text(query.qname),
            rrtype.to_text(covered),
            ttl,
            code,
        )
        seed = seed_of(self._seed, len(self.executions))
        self.executions.append(execution)
        refusal = self._staging.refusal
        assumed = AssumedHealth(dict(self._circumstances.health), refusal)
        health = _WatchedHealth(assumed, refusal, execution)
        geo = _WatchedGeo(self._staging.places(self._circumstances), execution)
        engine = self._staging.engine(self._circumstances, geo, health, None)
        assert engine is not None and self._staging.lua is not None
        execution.limit = self._staging.lua.exec_limit

        def watched_include(name: bytes) -> bytes | None:
            found = include(name)
            execution.includes.append(IncludedRecord(wire_name.to_text(name), found))
            return found

        try:
            engine.reseed(seed)
            found = engine.evaluate(code, query, watched_include)
            execution.results = texts_of(found)
            return found
        except LuaFailure as error:
            execution.failure, execution.line = place_of(error)
            raise
        finally:
            execution.instructions = engine.instructions
            self._try_chance(execution, engine, query, include, seed)

    def _try_chance(
        self,
        execution: Execution,
        engine: Engine,
        query: QueryContext,
        include: Include,
        seed: int,
    ) -> None:
        """Find what else the record could have returned to this client."""
        outcomes = execution.outcomes
        outcomes[_outcome(execution)] += 1
        if not draws(engine, query, seed):
            return
        idle = 0
        while execution.runs < MAX_RUNS and idle < IDLE_RUNS:
            engine.reseed((seed + execution.runs) % 2**32)
            execution.runs += 1
            try:
                outcome = texts_of(engine.evaluate(execution.code, query, include))
            except LuaFailure as error:
                outcome = (f"SERVFAIL: {place_of(error)[0]}",)
            idle = idle + 1 if outcome in outcomes else 0
            outcomes[outcome] += 1


def _outcome(execution: Execution) -> tuple[str, ...]:
    return (f"SERVFAIL: {execution.failure}",) if execution.failure else execution.results


def texts_of(contents: list[bytes]) -> tuple[str, ...]:
    """What a record returned, octets that are no UTF-8 being escaped."""
    return tuple(content.decode("utf-8", "backslashreplace") for content in contents)


class _WatchedHealth:
    def __init__(self, health: AssumedHealth, refusal: RefusalOf, execution: Execution) -> None:
        self._health = health
        self._refusal = refusal
        self._execution = execution

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        status = self._health.status(check, zone)
        if not self._execution.outcomes:
            self._execution.checks[check] = status
            refusal = self._refusal(check, zone)
            if refusal is not None:
                self._execution.refused[check] = refusal
        return status

    def weight(self, check: Check) -> int:
        return self._health.weight(check)

    def generation(self) -> int:
        return 0


class _WatchedGeo:
    def __init__(self, geo: GeoView | None, execution: Execution) -> None:
        self._geo = geo
        self._execution = execution

    def lookup(self, address: bytes) -> GeoFields:
        fields = self._geo.lookup(address) if self._geo is not None else {}
        if not self._execution.outcomes:
            self._execution.places[str(ipaddress.ip_address(address))] = fields
        return fields

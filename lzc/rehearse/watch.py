"""What is written down while an answer is made: see `lzc.rehearse.watched` for how."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

from lzc.answer.lua_answer import Snippets
from lzc.answer.zone import ServedZone
from lzc.bundle.reader import ZoneInfo
from lzc.health_check import Check
from lzc.lua.engine.engine import Engines
from lzc.lua.engine.execution import Include, LuaFailure, QueryContext
from lzc.lua.engine.geo import GeoFields
from lzc.lua.plan import Plan
from lzc.lua.plan.format import Outcome
from lzc.rehearse.assumed import RefusalOf
from lzc.rehearse.execution import Execution, IncludedRecord, place_of, text_of_rdata
from lzc.wire import name as wire_name
from lzc.wire import rrtype


@dataclass(slots=True)
class Visit:
    """A name (lower-case, wire format) that a zone was asked for. ``target`` is where its alias
    leads, or `None`."""

    zone: ServedZone
    name: bytes
    target: bytes | None = None


class Watch:
    """What one query causes: ``visits`` are the names that were looked up, ``executions`` the LUA
    records that were asked, in order; ``first`` is the zone that was asked first, be it in service
    or not, ``served`` the last that is in service; ``records`` the LUA records at hand, by the type
    they cover, with their zone and the key of their node.

    ``refusal`` says which health checks a server does not make, ``limit`` how many instructions a
    record may take.
    """

    def __init__(self, refusal: RefusalOf, limit: int) -> None:
        self._refusal = refusal
        self._limit = limit
        self.begin()

    def begin(self) -> None:
        """The query comes, or is looked at once more: what was written down is void."""
        self.first: ZoneInfo | None = None
        self.visits: list[Visit] = []
        self.executions: list[Execution] = []
        self.served: ServedZone | None = None
        self.records: tuple[ServedZone, bytes, dict[int, Snippets]] | None = None
        self._running = 0
        self._asked: Execution | None = None
        self._left: Execution | None = None

    def answered_at_once(self, qname: bytes) -> None:
        """There was an answer without a look-up."""
        if self.served is not None:
            self.visits.append(Visit(self.served, qname.lower()))

    def _execution(self, qname: bytes, covered: int, code: bytes) -> Execution:
        """The record covering a type, of those at hand, is asked."""
        assert self.records is not None
        zone, key, found = self.records
        execution = Execution(
            wire_name.to_text(wire_name.relative_of_key(key) + zone.apex),
            wire_name.to_text(qname),
            rrtype.to_text(covered),
            found[covered].ttl,
            code,
            limit=self._limit,
        )
        self.executions.append(execution)
        self._asked = execution
        return execution

    def choose(
        self, plan: Plan, operation: str, choose: Callable[[], Outcome | None], qname: bytes
    ) -> Outcome | None:
        """What a plan chooses for a QNAME."""
        assert self.records is not None
        (code,) = self.records[2][plan.covered].codes
        execution = self._execution(qname, plan.covered, code)
        execution.plan = operation
        try:
            outcome = choose()
        finally:
            self._asked = None
        if outcome is None:
            # Its code is run next, which is the same record.
            self._left = self.executions.pop()
            return None
        execution.results = tuple(
            text_of_rdata(plan.covered, item if isinstance(item, bytes) else plan.rdatas[item])
            for item in outcome
        )
        return outcome

    def run(
        self, engine: Engines, code: bytes, query: QueryContext, include: Include
    ) -> list[bytes]:
        """What an engine gives for a record, as `Engine.evaluate`."""
        execution, self._left = self._left, None
        if execution is None:
            execution = self._execution(query.qname, self._running, code)
        else:
            self.executions.append(execution)
        self._asked = execution
        execution.ran = True

        def watched_include(name: bytes) -> bytes | None:
            found = include(name)
            execution.includes.append(IncludedRecord(wire_name.to_text(name), found))
            return found

        try:
            found = engine.evaluate(code, query, watched_include)
            execution.results = tuple(one.decode("utf-8", "backslashreplace") for one in found)
            return found
        except LuaFailure as error:
            execution.failure, execution.line = place_of(error)
            raise
        finally:
            execution.instructions = engine.instructions
            self._asked = None

    def run_records(self, snippets: Snippets) -> None:
        """The code of records is about to be run."""
        assert self.records is not None
        self._running = next(
            covered for covered, found in self.records[2].items() if found is snippets
        )

    def draw(self) -> None:
        """The record that was asked last drew a random number."""
        self.executions[-1].chance = True

    def checked(self, check: Check, zone: bytes, status: bool | None) -> None:
        """The status of a check was asked for."""
        if self._asked is not None:
            self._asked.checks[check] = status
            refusal = self._refusal(check, zone)
            if refusal is not None:
                self._asked.refused[check] = refusal

    def located(self, address: bytes, fields: GeoFields) -> None:
        """The place of an address was asked for."""
        if self._asked is not None:
            self._asked.places[str(ipaddress.ip_address(address))] = fields

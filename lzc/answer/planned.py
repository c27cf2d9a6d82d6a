"""LUA records that have a plan: their results in wire format, and answers that are chosen anew for
every query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from lzc.bundle import node as nodes
from lzc.lua.outcome import Outcome, Select
from lzc.lua.plan import Plan

MAX_OUTCOMES: Final = 64
"""Outcomes that are kept in wire format, of one record and of one query's answers, at most."""

Choose = Callable[[bytes, float], bytes]
"""Takes a packed client address and the time; gives an answer without its ID, or nothing when that
takes more than to choose."""


class Choice(NamedTuple):
    """Says that an answer is one of several to the same query: ``choose`` gives the answer to the
    next one, as long as a cacheable answer would be good. ``octets`` it may come to take."""

    choose: Choose
    octets: int


class Planned:
    """A plan at a record: with its TTL. ``select``, ``fixed`` and ``widest`` are the plan's;
    ``outcomes`` says how many there may be, up to `MAX_OUTCOMES`."""

    __slots__ = ("_wires", "covered", "fixed", "outcomes", "plan", "select", "ttl", "widest")

    def __init__(self, plan: Plan, ttl: int) -> None:
        self.plan = plan
        self.covered = plan.covered
        self.select: Select = plan.select
        self.widest = plan.widest
        self.fixed = plan.fixed
        self.outcomes = MAX_OUTCOMES if plan.is_open else min(len(plan.rdatas), MAX_OUTCOMES)
        self.ttl = ttl
        self._wires: dict[Outcome, tuple[int, bytes]] = {}

    def rdatas(self, outcome: Outcome) -> list[bytes]:
        """The RDATA of an outcome."""
        rdatas = self.plan.rdatas
        return [entry if isinstance(entry, bytes) else rdatas[entry] for entry in outcome]

    def wire(self, outcome: Outcome) -> tuple[int, bytes]:
        """An outcome as RRs at the QNAME: how many, and their wire format."""
        found = self._wires.get(outcome)
        if found is None:
            found = len(outcome), nodes.blob(self.covered, self.ttl, self.rdatas(outcome))
            if len(self._wires) >= MAX_OUTCOMES:
                self._wires.clear()
            self._wires[outcome] = found
        return found


def choice(
    planned: Planned,
    asked: tuple[bytes | None, bytes, bytes],
    make: Callable[[Outcome, float], bytes],
    first: Outcome,
    wire: bytes,
) -> Choice:
    """The answers to one query. ``asked`` has the address in its ECS option, its QNAME and the
    zone's apex; ``make`` gives the answer with an outcome (nothing where it is no plain one);
    ``wire`` is the one with ``first``, all without ID."""
    select = planned.select
    network, qname, apex = asked
    known = {first: wire}

    def choose(client: bytes, now: float) -> bytes:
        try:
            outcome = select(network or client, qname, apex)
            if not outcome:
                return b""
            found = known.get(outcome)
            if found is None:
                found = make(outcome, now)
                if len(known) >= MAX_OUTCOMES:
                    known.clear()
                known[outcome] = found
        except Exception:  # whatever it is, the answer is made again where faults are reported
            return b""
        return found

    return Choice(choose, len(wire) * planned.outcomes)

"""LUA records that have a plan: their results in wire format, and answers that are chosen anew for
every query."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from lzc.bundle import node as nodes
from lzc.lua.plan import Plan
from lzc.lua.plan.format import Outcome, Select

MAX_OUTCOMES: Final = 64
"""Outcomes that are kept in wire format, of one record and of one query's answers, at most."""

OUTCOMES_OCTETS: Final = 2**25
"""Octets that the outcomes of all records may take in wire format."""
_OVERHEAD: Final = 250
"""Octets that CPython takes for an outcome besides: its key, and the headers of objects."""
_ITEM: Final = 40

Choose = Callable[[bytes, float], bytes]
"""Takes a packed client address and the time; gives an answer without its ID, or nothing when that
takes more than to choose."""


class Choice(NamedTuple):
    """Says that an answer is one of several to the same query: ``choose`` gives the answer to the
    next one, as long as a cacheable answer would be good. ``octets`` it may come to take."""

    choose: Choose
    octets: int


class Kept:
    """Counts the octets of outcomes that the records of a bundle keep; of more than
    `OUTCOMES_OCTETS` all let go. A sample of a long list is hardly ever the same twice, and there
    may be such a list at each of thousands of names."""

    __slots__ = ("_holders", "_octets")

    def __init__(self) -> None:
        self._octets = 0
        self._holders: list[Planned] = []

    def add(self, holder: Planned, octets: int) -> None:
        """An outcome of so many octets is about to be kept by ``holder``, which has kept none when
        it is a new one."""
        if self._octets + octets > OUTCOMES_OCTETS:
            self.clear()
        if not holder.octets:
            self._holders.append(holder)
        self._octets += octets
        holder.octets += octets

    def clear(self) -> None:
        """All let go of what they keep."""
        for one in self._holders:
            one.let_go()
        self._holders.clear()
        self._octets = 0

    def remove(self, octets: int) -> None:
        """So many octets are kept no longer."""
        self._octets -= octets


class Planned:
    """A plan at a record: with its TTL. ``select``, ``fixed`` and ``widest`` are the plan's;
    ``outcomes`` says how many there may be, up to `MAX_OUTCOMES`; ``octets`` what those take that
    are kept, as ``kept`` counts."""

    __slots__ = (
        *("_kept", "_wires", "covered", "fixed", "octets", "outcomes", "plan", "select", "ttl"),
        "widest",
    )

    def __init__(self, plan: Plan, ttl: int, kept: Kept) -> None:
        self.plan = plan
        self.covered = plan.covered
        self.select: Select = plan.select
        self.widest = plan.widest
        self.fixed = plan.fixed
        self.outcomes = MAX_OUTCOMES if plan.is_open else min(len(plan.rdatas), MAX_OUTCOMES)
        self.ttl = ttl
        self.octets = 0
        self._kept = kept
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
                self._kept.remove(self.octets)
                # Not 0, as it is counted among the holders.
                self.octets = 1
            self._kept.add(self, len(found[1]) + _ITEM * len(outcome) + _OVERHEAD)
            self._wires[outcome] = found
        return found

    def let_go(self) -> None:
        """Keep no outcome any more."""
        self._wires.clear()
        self.octets = 0


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

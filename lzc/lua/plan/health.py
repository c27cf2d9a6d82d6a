"""Plans that choose among what is up."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

from lzc.health_check import HealthView
from lzc.lua.plan.format import Candidates, Checked, Outcome, Select
from lzc.lua.plan.lookup2 import client_hash

_KEPT: Final = 256
"""Candidates of all choices of one record that are kept: where there are many, states that were
there before hardly come back."""

Among = Callable[[str, Candidates], Select]
"""Gives what chooses among candidates by a selector."""


@dataclass(slots=True, eq=False)
class SelectCache:
    """What a record selects by in one state of its targets: made once for each that was seen."""

    _among: Among
    _made: dict[Any, Select] = field(default_factory=dict)

    def of(self, selector: str, candidates: Sequence[Checked]) -> Select:
        """By a selector, among some of the candidates."""
        found = tuple([entry.candidate for entry in candidates])
        return self._keep((selector, found), len(found), lambda: self._among(selector, found))

    def weighted(self, weights: tuple[int, ...], candidates: Sequence[Checked]) -> Select:
        """By the client's hash and weights, of which one is not 0."""
        return self._keep(weights, len(weights), lambda: _by_weight(weights, candidates))

    def _keep(self, key: Any, size: int, make: Callable[[], Select]) -> Select:
        found = self._made.get(key)
        if found is None:
            if len(self._made) * size >= _KEPT:
                self._made.clear()
            found = self._made[key] = make()
        return found


def up(
    health: HealthView,
    cache: SelectCache,
    selector: str,
    backup: str,
    sets: list[list[Checked]],
    spare: list[Checked],
    strict: bool,
) -> Select:
    """Those that are up of the first set with any, or else what is to ``spare`` by the ``backup``
    selector; with ``strict`` it is left to Lua to fail where no check has completed."""

    def choice(apex: bytes) -> Select:
        completed = False
        for entries in sets:
            states = [health.status(entry.check, apex) for entry in entries]
            found = [entry for entry, state in zip(entries, states, strict=True) if state]
            if found:
                return cache.of(selector, found)
            completed = completed or False in states
        return _left_to_lua if strict and not completed else cache.of(backup, spare)

    return _renewed(health, choice)


def weights(
    health: HealthView,
    cache: SelectCache,
    candidates: list[Checked],
) -> Select:
    """By the weights that checks found; where there are none, it is left to Lua to fail."""

    def choice(apex: bytes) -> Select:
        states = [health.status(entry.check, apex) for entry in candidates]
        found = tuple(
            health.weight(entry.check) if state else 0
            for entry, state in zip(candidates, states, strict=True)
        )
        return cache.weighted(found, candidates) if any(found) else _left_to_lua

    return _renewed(health, choice)


def _left_to_lua(who: bytes, qname: bytes, apex: bytes) -> Outcome | None:
    return None


def _by_weight(weights: tuple[int, ...], candidates: Sequence[Checked]) -> Select:
    sums = list(accumulate(weights))
    total = sums[-1]
    singles = [entry.candidate[0] for entry in candidates]
    return lambda who, qname, apex: singles[bisect_right(sums, client_hash(who) % total)]


def _renewed(health: HealthView, choice: Callable[[bytes], Select]) -> Select:
    """A choice that is made anew whenever a status may have changed. Statuses are asked for when
    the first query comes, as a record does, for the zone with this apex: a plan is of one."""
    generation = 0
    current: Select | None = None

    def select(who: bytes, qname: bytes, apex: bytes) -> Outcome | None:
        nonlocal generation, current
        newest = health.generation()
        if newest != generation or current is None:
            current = choice(apex)
            generation = newest
        return current(who, qname, apex)

    return select

"""The way of a zone from the serial that secondaries have to another one: which steps are left, and
who is not where the next of them can be taken.

A step is a build of the zone with the serial that is next. From the first one on the zone is on
its way (`lzc.bundle.serial_store.Move`), which is all that has to be remembered: what is left
follows from the serial that it has by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from lzc.bundle import current, found_serials, serial_store
from lzc.bundle.serial_store import Move
from lzc.compiler import pipeline, serials
from lzc.compiler.inputs import selection, sources
from lzc.compiler.inputs.sources import ConfigFile, ZoneSource
from lzc.compiler.pipeline import BuildResult, Step
from lzc.config import Config, SecondarySection
from lzc.faults import InputError
from lzc.zone.serial import MODULUS, ROOM, Policy, greater, way

POLICIES: Final = ("date", "increment", "unixtime")
"""What a plan may lead to besides a serial."""


@dataclass(frozen=True, slots=True)
class Plan:
    """``serial`` is the last that the zone was given, ``target`` a serial or the name of a policy,
    ``goal`` the serial that stands for it, and ``steps`` are left to there. ``move`` is where the
    zone is on its way to, if it is; with ``by_source`` serials are what its file says, and no build
    changes them."""

    config: Config
    file: Path | None
    source: ZoneSource
    serial: int
    target: str
    goal: int
    steps: tuple[int, ...]
    move: Move | None
    by_source: bool

    @property
    def name(self) -> str:
        """The zone's, without final dot."""
        return self.source.name.rstrip(".") or "."

    @property
    def next(self) -> int | None:
        """The next step, if any is left."""
        return self.steps[0] if self.steps else None

    def secondaries(self) -> list[SecondarySection]:
        """Those that get the zone."""
        return [one for one in self.config.secondary if one.takes(self.source.name)]

    def holds(self, theirs: int | None) -> bool:
        """Whether a secondary with this serial is not where it has to be: it has less than the zone
        has by now, or would not take the next step. Of `None` nobody knows."""
        if theirs is None:
            return True
        if theirs != self.serial and not greater(theirs, self.serial):
            return True
        return self.next is not None and not greater(self.next, theirs)

    def beside(self, theirs: Iterable[int]) -> Plan:
        """The plan that has steps for secondaries with these serials, too, some of which may be
        ahead of the zone's."""
        start = self.serial
        for one in theirs:
            if greater(one, start):
                start = one
        if start == self.serial:
            return self
        first = (start + 1) % MODULUS
        steps = tuple(way(start, self.goal)) or (first,)
        if steps == (first,) and first != self.goal and self.goal == start:
            # They have it already, with what content nobody knows.
            return replace(self, steps=steps, goal=first)
        if not greater(steps[0], self.serial):
            steps = (first, *way(first, self.goal))
        return replace(self, steps=steps)


def find(config: Config, file: Path | None, word: str, to: str | None, now: float) -> Plan:
    """The plan for the zone that ``word`` names, to a serial or policy; by default where it is on
    its way to, or else to its policy of ``lzc.toml``. ``now`` is in seconds since the epoch. Raises
    `InputError`, and `lzc.compiler.inputs.selection.UnknownZone`."""
    found, _ = sources.find(config, ConfigFile.of(config, file), {})
    chosen = selection.choose([word], found, [], config)
    source = next(one for one in found if one.apex in chosen)
    store = serial_store.load(config.output)
    found_serials.gather(config.output, store)
    last, move = store.get(source.apex), store.move(source.apex)
    name = source.name.rstrip(".") or "."
    if last is None:
        raise InputError.at(
            config.output,
            "serial-unknown",
            f"{name} was never given a serial here",
            "where it is to lead to depends on what secondaries have",
            "lzc build, and then this again; where serials are kept elsewhere, as in CI, there",
        )
    by_source = source.policy == "keep"
    target = to or (move.target if move is not None else source.policy)
    if target == "keep":
        raise InputError.at(
            source.shown_as,
            "serial-kept",
            f"the serials of {name} are those of its source, which may be any",
            "a policy says by itself what a serial is to be, this one does not",
            "say with --to which serial it is to have",
        )
    goal, left = _left(target, last.serial, now, moving=move is not None and move.target == target)
    return Plan(config, file, source, last.serial, target, goal, tuple(left), move, by_source)


def read_target(text: str) -> str:
    """A serial in digits, or the name of a policy. Raises `ValueError`."""
    if text in POLICIES:
        return text
    if not (text.isascii() and text.isdigit()) or int(text) >= MODULUS:
        raise ValueError(f"{text} is neither date, increment, unixtime nor a serial below 2^32")
    return str(int(text))


def take_step(plan: Plan, now: float) -> BuildResult:
    """Build the zone with the serial of the next step. Raises `InputError`."""
    if plan.next is None:
        raise ValueError("no step is left")
    if plan.by_source:
        raise InputError.at(
            plan.source.shown_as,
            "serial-kept",
            f"the serials of {plan.name} are those of its source, which no build changes",
            fix=f"set the serial of the SOA record to {plan.next} and build; without --apply, this"
            " says what is next then",
        )
    begun = plan.move if plan.move is not None and plan.move.target == plan.target else None
    move = begun or Move(plan.serial, plan.target, int(now))
    step = Step(plan.source.apex, plan.next, move)
    return pipeline.build(plan.config, config_path=plan.file, now=now, step=step)


def finish(plan: Plan) -> None:
    """The zone is where it was to lead to: builds go by its policy again. Raises `InputError`."""
    if plan.move is None:
        return
    output = plan.config.output
    try:
        with current.locked(output):
            store = serial_store.load(output)
            found_serials.gather(output, store)
            store.set_move(plan.source.apex, None)
            store.save(output)
    except current.OutputBusy as error:
        raise InputError.at(
            output,
            "output-busy",
            "a build is writing to this folder",
            fix="run this again once it has finished",
        ) from error


def _left(target: str, last: int, now: float, *, moving: bool) -> tuple[int, Sequence[int]]:
    """The serial that a target stands for, and the steps to there."""
    if target in POLICIES:
        policy: Policy = target  # type: ignore[assignment]
        goal = serials.aim(policy, now)
        return goal, [] if serials.fits(policy, last, now) else way(last, goal)
    goal = int(target)
    # Builds may have counted on from there, and it has been there.
    arrived = moving and (last - goal) % MODULUS < ROOM
    return goal, [] if arrived else way(last, goal)

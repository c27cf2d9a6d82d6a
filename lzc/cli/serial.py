"""``lzc serial``: lead a zone's serial to where no single step leads."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from lzc import config
from lzc.cli.build import change_lines
from lzc.cli.faults import fault_as_dict, show_faults
from lzc.cli.options import ReadParam, config_option, format_option
from lzc.cli.screen import echo, echo_json
from lzc.cli.zone_names import complete_zones, known_zones
from lzc.compiler import pipeline, serial_plan
from lzc.compiler.pipeline import BuildResult
from lzc.compiler.serial_plan import Plan
from lzc.config import Config, SecondarySection
from lzc.foreign_text import shown
from lzc.serve.notify.asking import Told, ask_serial
from lzc.serve.worker.keyring import read_tsig

ON_ITS_WAY: Final = 3
"""The exit code while something is left to do."""
_TRY: Final = 2.0
_PAUSE: Final = 1.0
"""Seconds."""
_UNITS: Final = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _time(text: str) -> float:
    found = re.fullmatch(r"([0-9]{1,6})(s|m|min|h|d)", text)
    if not found:
        raise ValueError(f"{text} is not a time such as 90s, 10m or 2h")
    return float(int(found[1]) * _UNITS[found[2]])


@dataclass(frozen=True, slots=True)
class _Standing:
    """What was found of a secondary; ``holds``: the next step has to wait for it."""

    section: SecondarySection
    told: Told
    holds: bool
    seen: bool

    def to_document(self) -> dict[str, Any]:
        return {
            "name": self.section.name,
            "address": self.section.address,
            "serial": self.told.serial,
            "transport": self.told.transport,
            "problem": self.told.problem,
            "holds": self.holds,
            "seen": self.seen,
        }


@dataclass(slots=True)
class _Report:
    """What was found, and what was done."""

    plan: Plan
    secondaries: list[_Standing]
    taken: list[BuildResult] = field(default_factory=list)
    serials: list[int] = field(default_factory=list)

    @property
    def holding(self) -> list[_Standing]:
        return [one for one in self.secondaries if one.holds]

    @property
    def done(self) -> bool:
        return not self.plan.steps and not self.holding


@click.group("serial")
def command() -> None:
    """Lead a zone's serial to where no single step leads."""


@command.command("plan")
@click.argument("zone", shell_complete=complete_zones, help="Its name, or its file.")
@config_option
@click.option(
    "--to",
    "target",
    type=ReadParam("TARGET", serial_plan.read_target),
    metavar="date|increment|unixtime|SERIAL",
    help="Where to.  [default: where it is on its way to, or else serial of lzc.toml]",
)
@click.option("--apply", is_flag=True, help="Take the next step, where nobody holds it back.")
@click.option(
    "--wait",
    "length",
    type=ReadParam("TIME", _time),
    metavar="TIME",
    help="Wait so long, such as 10m, for secondaries; with --apply take all steps.",
)
@click.option(
    "--seen",
    multiple=True,
    metavar="NAME",
    help="This secondary need not be asked: you have seen that it has the serial. May be given"
    " several times, and counts for one step.",
)
@format_option
@click.pass_context
def plan(
    ctx: click.Context,
    zone: str,
    config_path: Path,
    target: str | None,
    apply: bool,
    length: float | None,
    seen: tuple[str, ...],
    output_format: str,
) -> None:
    """Show the steps from a zone's serial to another one, and with --apply take the next.

    Secondaries take a serial for newer that is less than 2^31 ahead (RFC 1982), so a smaller one
    takes several steps: the serial goes up, round at 2^32, and up to there. Before each, every
    secondary that gets the zone is asked whether it has the one before. A step is a build of the
    zone alone. Run it again until the exit code is 0: it is 3 while something is left. Until then
    builds count on from the serial that the zone has by then.
    """
    settings = config.load(config_path)
    unknown = set(seen) - {one.name for one in settings.secondary}
    if unknown:
        names = ", ".join(sorted(unknown))
        raise click.BadParameter(f"no [[secondary]] is called {names}", param_hint="--seen")
    end = time.monotonic() + (length or 0.0)
    report = _look(settings, config_path, zone, target, seen)
    while not report.done:
        held = bool(report.holding)
        if (held and time.monotonic() >= end) or not (held or apply):
            break
        if held:
            time.sleep(_PAUSE)
        else:
            assert report.plan.next is not None
            report.serials.append(report.plan.next)
            report.taken.append(serial_plan.take_step(report.plan, pipeline.build_time()))
            seen = ()
        fresh = _look(settings, config_path, zone, target, seen)
        report.plan, report.secondaries = fresh.plan, fresh.secondaries
        if report.taken and not report.secondaries:
            # Where nobody is asked, somebody has to look before the next.
            break
    if report.done:
        serial_plan.finish(report.plan)
    if output_format == "json":
        echo_json(_document(report))
    else:
        _show(report)
    if not report.done:
        ctx.exit(ON_ITS_WAY)


def _look(
    settings: Config, config_path: Path, zone: str, target: str | None, seen: Sequence[str]
) -> _Report:
    """The plan as it is now, and where secondaries are."""

    def find() -> Plan:
        return serial_plan.find(settings, config_path, zone, target, pipeline.build_time())

    found = known_zones(find, "ZONE")
    keys, _ = read_tsig(settings)
    sections = found.secondaries()

    def ask(section: SecondarySection) -> Told:
        if section.name in seen:
            return Told(None, "", "")
        return ask_serial(section, keys, found.source.apex, _TRY)

    with ThreadPoolExecutor(max(1, min(len(sections), 32))) as pool:
        told = list(pool.map(ask, sections))
    found = found.beside(one.serial for one in told if one.serial is not None)
    standings = [
        _Standing(
            section,
            one,
            section.name not in seen and found.holds(one.serial),
            section.name in seen,
        )
        for section, one in zip(sections, told, strict=True)
    ]
    return _Report(found, standings)


def _document(report: _Report) -> dict[str, Any]:
    plan = report.plan
    warnings = [fault for made in report.taken for fault in made.warnings]
    return {
        "zone": plan.source.name,
        "serial": plan.serial,
        "policy": plan.source.policy,
        "target": plan.target,
        "goal": plan.goal,
        "steps": list(plan.steps),
        "taken": report.serials,
        "bundle": report.taken[-1].id if report.taken else None,
        "secondaries": [one.to_document() for one in report.secondaries],
        "done": report.done,
        "next": _next(report),
        "faults": [fault_as_dict(fault) for fault in warnings],
    }


def _next(report: _Report) -> str:
    """What to do, empty where nothing is left."""
    plan = report.plan
    if report.done:
        return ""
    again = f"lzc serial plan {plan.name} --to {plan.target}"
    if report.holding:
        names = ", ".join(shown(one.section.name) for one in report.holding)
        has = plan.serial if plan.next is not None or report.serials else plan.goal
        return (
            f"once {names} {'has' if len(report.holding) == 1 else 'have'} {has}:"
            f" {again}{' --apply' if plan.steps and not plan.by_source else ''};"
            " lzc ctl secondaries says why a secondary has not"
        )
    if plan.by_source:
        return (
            f"set the serial of the SOA record in {plan.source.shown_as} to {plan.next}, build,"
            f" and then {again}"
        )
    unasked = "" if report.secondaries else "once all who have the zone have its serial: "
    return f"{unasked}{again} --apply"


def _show(report: _Report) -> None:
    plan = report.plan
    for made in report.taken:
        if made.warnings:
            show_faults(made.warnings, "text")
        for line in change_lines(made.changes):
            echo(line)
    policy = f" ({plan.target})" if plan.target in serial_plan.POLICIES else ""
    if plan.steps:
        steps = ", then ".join(map(str, plan.steps))
        many = "1 step" if len(plan.steps) == 1 else f"{len(plan.steps)} steps"
        echo(f"{plan.name}  serial {plan.serial} to {plan.goal}{policy}: {many} left, {steps}")
    else:
        echo(f"{plan.name}  serial {plan.serial}, which is where it is to be{policy}: no step left")
    for one in report.secondaries:
        echo(f"secondary   {shown(one.section.name)} ({one.section.address}): {_standing(one)}")
    if not report.secondaries:
        echo("secondary   none is configured that gets the zone, so none was asked")
    if plan.target in serial_plan.POLICIES and plan.target != plan.source.policy:
        echo(
            f'policy      set serial = "{plan.target}" in lzc.toml before this ends: it says'
            f" {plan.source.policy}"
        )
    told = _next(report)
    if told:
        echo(f"next        {told}")
    if report.taken:
        echo(f"built {report.taken[-1].id}")


def _standing(one: _Standing) -> str:
    if one.seen:
        return "not asked, as you have seen it"
    has = f"has {one.told.serial}" if one.told.serial is not None else shown(one.told.problem)
    return f"HOLDS IT BACK: {has}" if one.holds else has

"""All zones of a project: those that changed are built, of the others it is known what they are.

The steps are sources, keys, live serials, and zones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import astuple, dataclass, replace
from operator import attrgetter
from typing import Any, Final

from lzc import foreign_json
from lzc.bundle import shards
from lzc.bundle.writer import Base, CompiledZone
from lzc.compiler.checks.secondaries import check_secondaries
from lzc.compiler.checks.secrets import check_secrets
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import PATH, SIGNED, BuiltZone, Memory
from lzc.compiler.incremental.survey import Survey
from lzc.compiler.inputs import sources
from lzc.compiler.inputs.sources import ConfigFile
from lzc.compiler.job import ZoneJob, ZoneResult
from lzc.compiler.lua.stored import found_in
from lzc.config import Config
from lzc.faults import Fault, FaultList, InputError, Place, Severity
from lzc.health_check import MOST_CHECKS, Check
from lzc.lua.health.constants import Constants
from lzc.source.limits import KINDS, Counts
from lzc.wire.name import to_text

_LOOKED_UP: Final = 3
"""Times that a zone is built again for what is looked up elsewhere, which may lead on."""

Progress = Callable[[str, int, int], None]
"""Told the step under way, how much of it is done, and out of how much."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A whole project: what is to be remembered of it; those of its zones that were ``made``, as
    the others are in the live bundle; and warnings."""

    memory: Memory
    made: Mapping[bytes, CompiledZone]
    warnings: list[Fault]

    @property
    def zones(self) -> list[CompiledZone]:
        """The zones that were made, by apex: all, where nothing was remembered."""
        return list(self.made.values())

    @property
    def checks(self) -> list[Check]:
        """The health checks, in the order of their texts."""
        return [Check.from_json(text) for text in sorted(self.memory.checks)]

    @property
    def constants(self) -> dict[bytes, Constants]:
        """What checks are made of that only queries ask for, by apex."""
        return {
            apex: Constants.from_document(foreign_json.parse(text))
            for apex, text in self.memory.constants.items()
        }

    @property
    def records(self) -> int:
        """Records of all zones, each SOA once."""
        return sum(map(attrgetter("records"), self.memory.zones.values()))

    def beside(self, live: LiveBundle) -> tuple[Base | None, list[CompiledZone]]:
        """What the next bundle has of the live one, and the zones of its other shards by id."""
        count = shards.count(len(self.memory.zones))
        changed = frozenset(range(count))
        if live.folder is not None and live.shards == count and live.memory.zones:
            come_or_gone = self.memory.zones.keys() ^ live.memory.zones.keys()
            changed = frozenset(
                shards.shard_of(apex, count) for apex in {*self.made, *come_or_gone}
            )
        zones = [] if not changed else self._zones_of(changed, count, live)
        taken = frozenset(range(count)) - changed
        if live.folder is None or not taken:
            return None, zones
        ours, theirs = self.memory, live.memory
        same_checks = ours.checks == theirs.checks and ours.constants == theirs.constants
        return Base(live.folder, live.manifest, taken, same_checks), zones

    def _zones_of(self, numbers: Set[int], count: int, live: LiveBundle) -> list[CompiledZone]:
        ids = shards.ids(self.memory.zones, count, numbers)
        return [self.made.get(apex) or live.zone(apex, number) for apex, number in ids.items()]


def compile_project(
    config: Config,
    file: ConfigFile,
    live: LiveBundle,
    now: float,
    report: Progress,
    faults: Sequence[Fault] = (),
    *,
    any_serial: bool = False,
) -> Compiled:
    """Build the zones that are not as ``live`` remembers them. Raises `InputError` with every fault
    found, and those given; what is given and found may be warnings, too. With ``any_serial``,
    faults of serials are among these."""
    survey = Survey(config, file, live, now)
    found_by = sources.fingerprint(config)
    if found_by != live.memory.found_by or not survey.recall():
        survey.find()
    survey.look()
    found = FaultList()
    found.add([*survey.found_faults, *faults, *survey.faults])
    known = survey.known
    jobs = [replace(job, any_serial=any_serial) for job in survey.jobs]
    results = _build_all(jobs, known, live, report)
    made: dict[bytes, CompiledZone] = {}
    for apex, one in known.items():
        result = results.get(apex)
        if result is None:
            if one.warnings:
                found.add(map(_warning, one.warnings))
            continue
        found.add(result.faults)
        if result.zone is not None:
            made[apex] = result.zone
            known[apex] = _built(one, result.zone, result)
    if config.secondary:
        signed = [to_text(apex) for apex, one in known.items() if one.settings[SIGNED]]
        needs = {to_text(apex): one.needs for apex, one in known.items() if one.needs}
        found.add(check_secondaries(config, file, signed, needs))
    if config.tsig or config.serve.cookie_secret_file is not None:
        found.add(check_secrets(config, file))
    memory = Memory("", found_by, known, survey.keystore)
    checks = len(memory.checks)
    if checks > MOST_CHECKS:
        found.add([_too_many(checks, known.values())])
    told = found.told()
    if any(fault.severity is Severity.ERROR for fault in told):
        raise InputError(told)
    return Compiled(memory, made, told)


def _build_all(
    jobs: Sequence[ZoneJob],
    known: Mapping[bytes, BuiltZone],
    live: LiveBundle,
    report: Progress,
) -> dict[bytes, ZoneResult]:
    """Build zones, and those once more whose code looks up what other zones have: which health
    checks it asks for may depend on that."""
    results = _build(jobs, known, report)

    def zone_of(apex: bytes) -> CompiledZone | None:
        return results[apex].zone if apex in results else live.zone(apex, 0)

    for _ in range(_LOOKED_UP):
        again = []
        for job in jobs:
            missed = results[job.source.apex].missed
            elsewhere = found_in(missed, known, zone_of) if missed else {}
            if elsewhere != job.elsewhere:
                again.append(replace(job, elsewhere=elsewhere))
        if not again:
            break
        results |= _build(again, known, report)
        fresh = {job.source.apex: job for job in again}
        jobs = [fresh.get(job.source.apex, job) for job in jobs]
    return results


def _build(
    jobs: Sequence[ZoneJob], known: Mapping[bytes, BuiltZone], report: Progress
) -> dict[bytes, ZoneResult]:
    total = len(known)
    done = total - len(jobs)
    report("zones", done, total)
    results: dict[bytes, ZoneResult] = {}
    if not jobs:
        return results
    # Where there is nothing to build, it need not be imported what builds.
    from lzc.compiler.workers import build_zones

    for job, result in zip(jobs, build_zones(jobs, _used(known)), strict=True):
        results[job.source.apex] = result
        report("zones", done + len(results), total)
    return results


def _used(known: Mapping[bytes, BuiltZone]) -> Counts:
    """What the zones that need not be built took of the limits."""
    kinds = range(len(KINDS))
    return tuple([sum(one.used[kind] for one in known.values()) for kind in kinds])


def _built(begun: BuiltZone, zone: CompiledZone, result: ZoneResult) -> BuiltZone:
    return BuiltZone(
        begun.settings,
        [(one.path, one.real, one.sha256, one.mark) for one in result.inputs],
        bytes.fromhex(zone.info.digest),
        zone.info.records,
        tuple(
            (*astuple(one.place), one.rule, one.message, one.why, one.fix) for one in result.faults
        ),
        tuple(sorted(check.to_json() for check in result.checks)),
        result.constants.to_json(),
        tuple(zone.plans),
        result.steady,
        begun.keys,
        result.used,
        result.needs,
    )


def _warning(plain: tuple[Any, ...]) -> Fault:
    """The inverse of what is remembered of one; a zone with errors is not."""
    file, line, column, rule, message, why, fix = plain
    return Fault(Place(file, line, column), rule, message, why, fix, Severity.WARNING)


def _too_many(checks: int, known: Collection[BuiltZone]) -> Fault:
    most = max(known, key=lambda one: len(one.checks))
    return Fault(
        Place(most.settings[PATH]),
        "too-many-checks",
        f"the LUA records ask for {checks} different health checks, and a server makes"
        f" {MOST_CHECKS} at most; {len(most.checks)} of them are of this zone",
        why="the others would never be made, and their targets be taken for down",
        fix="have records that check the same target do so with the same options, or put zones"
        " on several servers",
    )

"""All zones of a project: those that changed are built, of the others it is known what they are.

The steps are sources, keys, live serials, and zones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import astuple, dataclass
from operator import attrgetter
from typing import Any

from lzc import foreign_json
from lzc.bundle import shards
from lzc.bundle.writer import Base, CompiledZone
from lzc.compiler.checks.secondaries import ZoneTraits, check_secondaries
from lzc.compiler.checks.secrets import check_secrets
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import PATH, SIGNED, BuiltZone, Memory
from lzc.compiler.incremental.survey import Survey
from lzc.compiler.inputs import sources
from lzc.compiler.inputs.sources import ConfigFile
from lzc.compiler.job import ZoneJob, ZoneResult
from lzc.config import Config
from lzc.faults import Fault, FaultList, InputError, Place, Severity
from lzc.health_check import MOST_CHECKS, Check
from lzc.lua.health.constants import Constants
from lzc.source.limits import KINDS, Counts
from lzc.wire.name import to_text

Progress = Callable[[str, int, int], None]
"""Told the step under way, how much of it is done, and out of how much."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A whole project: what is to be remembered of its zones, by their apex and in its order, by
    what they were found, and the mark of the keystore; those of them that were ``made``, as the
    others are in the live bundle; the health checks that all ask for, as JSON texts; and
    warnings."""

    entries: Mapping[bytes, BuiltZone]
    found_by: bytes
    keystore: tuple[int, ...]
    made: Mapping[bytes, CompiledZone]
    check_texts: frozenset[str]
    warnings: list[Fault]

    @property
    def zones(self) -> list[CompiledZone]:
        """The zones that were made, by apex: all, where nothing was remembered."""
        return list(self.made.values())

    @property
    def checks(self) -> list[Check]:
        """The health checks, in the order of their texts."""
        return [Check.from_json(text) for text in sorted(self.check_texts)]

    @property
    def constants(self) -> dict[bytes, Constants]:
        """What checks are made of that only queries ask for, by apex."""
        texts = constant_texts(self.entries)
        return {
            apex: Constants.from_document(foreign_json.parse(text)) for apex, text in texts.items()
        }

    @property
    def records(self) -> int:
        """Records of all zones, each SOA once."""
        return sum(map(attrgetter("records"), self.entries.values()))

    def memory(self, bundle: str) -> Memory:
        """What to remember of the bundle with this id."""
        return Memory(bundle, self.found_by, dict(self.entries), self.keystore)

    def beside(self, live: LiveBundle) -> tuple[Base | None, list[CompiledZone]]:
        """What the next bundle has of the live one, and the zones of its other shards by id."""
        count = shards.count(len(self.entries))
        changed = frozenset(range(count))
        if live.folder is not None and live.shards == count and live.entries:
            come_or_gone = self.entries.keys() ^ live.entries.keys()
            changed = frozenset(
                shards.shard_of(apex, count) for apex in {*self.made, *come_or_gone}
            )
        zones = [] if not changed else self._zones_of(changed, count, live)
        taken = frozenset(range(count)) - changed
        if live.folder is None or not taken:
            return None, zones
        same_checks = check_texts(live.entries.values()) == self.check_texts and constant_texts(
            live.entries
        ) == constant_texts(self.entries)
        return Base(live.folder, live.manifest, taken, same_checks), zones

    def _zones_of(self, numbers: Set[int], count: int, live: LiveBundle) -> list[CompiledZone]:
        ids = shards.ids(self.entries, count, numbers)
        return [self.made.get(apex) or live.zone(apex, number) for apex, number in ids.items()]


def compile_project(
    config: Config,
    file: ConfigFile,
    live: LiveBundle,
    now: float,
    report: Progress,
    faults: Sequence[Fault] = (),
) -> Compiled:
    """Build the zones that are not as ``live`` remembers them. Raises `InputError` with every fault
    found, and those given; what is given and found may be warnings, too."""
    survey = Survey(config, file, live, now)
    found_by = sources.fingerprint(config)
    if found_by != live.found_by or not survey.recall():
        survey.find()
    survey.look()
    found = FaultList()
    found.add([*survey.found_faults, *faults, *survey.faults])
    entries = survey.entries
    results = _build(survey.jobs, entries, report)
    made: dict[bytes, CompiledZone] = {}
    for apex, entry in entries.items():
        result = results.get(apex)
        if result is None:
            if entry.warnings:
                found.add(map(_warning, entry.warnings))
            continue
        found.add(result.faults)
        if result.zone is not None:
            made[apex] = result.zone
            entries[apex] = _entry(entry, result.zone, result)
    if config.secondary:
        traits = [ZoneTraits(to_text(apex), one.settings[SIGNED]) for apex, one in entries.items()]
        found.add(check_secondaries(config, file, traits))
    if config.tsig or config.serve.cookie_secret_file is not None:
        found.add(check_secrets(config, file))
    texts = check_texts(entries.values())
    if len(texts) > MOST_CHECKS:
        found.add([_too_many(len(texts), entries.values())])
    told = found.told()
    if any(fault.severity is Severity.ERROR for fault in told):
        raise InputError(told)
    return Compiled(entries, found_by, survey.keystore, made, texts, told)


def _build(
    jobs: Sequence[ZoneJob], entries: Mapping[bytes, BuiltZone], report: Progress
) -> dict[bytes, ZoneResult]:
    total = len(entries)
    done = total - len(jobs)
    report("zones", done, total)
    results: dict[bytes, ZoneResult] = {}
    if not jobs:
        return results
    # Where there is nothing to build, it need not be imported what builds.
    from lzc.compiler.workers import build_zones

    for job, result in zip(jobs, build_zones(jobs, _used(entries)), strict=True):
        results[job.source.apex] = result
        report("zones", done + len(results), total)
    return results


def _used(entries: Mapping[bytes, BuiltZone]) -> Counts:
    """What the zones that need not be built took of the limits."""
    kinds = range(len(KINDS))
    return tuple([sum(entry.used[kind] for entry in entries.values()) for kind in kinds])


def check_texts(entries: Collection[BuiltZone]) -> frozenset[str]:
    """The health checks of zones, as JSON texts."""
    return frozenset().union(*(entry.checks for entry in entries if entry.checks))


def constant_texts(entries: Mapping[bytes, BuiltZone]) -> dict[bytes, str]:
    """What checks are made of that only queries ask for, as JSON texts, of zones with such."""
    return {apex: entry.constants for apex, entry in entries.items() if entry.constants}


def _entry(begun: BuiltZone, zone: CompiledZone, result: ZoneResult) -> BuiltZone:
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
    )


def _warning(plain: tuple[Any, ...]) -> Fault:
    """The inverse of what an entry keeps of one; a zone with errors has no entry."""
    file, line, column, rule, message, why, fix = plain
    return Fault(Place(file, line, column), rule, message, why, fix, Severity.WARNING)


def _too_many(checks: int, entries: Collection[BuiltZone]) -> Fault:
    most = max(entries, key=lambda entry: len(entry.checks))
    return Fault(
        Place(most.settings[PATH]),
        "too-many-checks",
        f"the LUA records ask for {checks} different health checks, and a server makes"
        f" {MOST_CHECKS} at most; {len(most.checks)} of them are of this zone",
        why="the others would never be made, and their targets be taken for down",
        fix="have records that check the same target do so with the same options, or put zones"
        " on several servers",
    )

"""All zones of a project: those that changed are built, of the others it is known what they are.

The steps are sources, keys, live serials, and zones.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import astuple, dataclass, field, replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

from lzc import foreign_json
from lzc.bundle import shards
from lzc.bundle.manifest import KEPT, Base
from lzc.compiler import serials
from lzc.compiler.incremental.changes import Changes, ZoneChange, changes
from lzc.compiler.incremental.kept import Kept, has_errors
from lzc.compiler.incremental.known_signatures import KnownSignatures
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import (
    DENIAL,
    PATH,
    POLICY,
    SHOWN_AS,
    SIGNED,
    BuiltZone,
    Memory,
)
from lzc.compiler.incremental.survey import Survey
from lzc.compiler.inputs import sources
from lzc.compiler.inputs.sources import NO_ZONE, SUFFIX, ConfigFile, is_named_by
from lzc.config import Config
from lzc.dnssec.signing.denial import NSEC_CHAIN, Denial
from lzc.faults import Fault, FaultList, InputError, Place, Severity
from lzc.source.limits import KINDS, Counts
from lzc.wire.name import from_text, to_text

if TYPE_CHECKING:
    # Where there is nothing to build, it need not be imported what builds.
    from lzc.bundle.writer import CompiledZone
    from lzc.compiler.job import ZoneJob, ZoneResult
    from lzc.health_check import Check
    from lzc.lua.health.constants import Constants

_LOOKED_UP: Final = 3
"""Times that a zone is built again for what is looked up elsewhere, which may lead on."""

Progress = Callable[[str, int, int], None]
"""Told the step under way, how much of it is done, and out of how much."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which zones are built: those that ``words`` name, or all without any. The others are as they
    are live with ``beside_live``, and not there otherwise. With ``keep``, a zone that fails is as
    it is live, or left out where it never was. ``stated`` are the serials that zones are to have,
    by their apex; ``known_signatures`` are those of the builds before."""

    words: Sequence[str] = ()
    beside_live: bool = False
    keep: bool = False
    stated: Mapping[bytes, int] = field(default_factory=dict)
    known_signatures: KnownSignatures | None = None


WHOLE: Final = Scope()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A whole project: what is to be remembered of it; those of its zones that were ``made``, as
    the others are in the live bundle; warnings; the zones that were ``kept``, and what is wrong
    with these; ``still_kept``, what the live bundle says of zones that were kept before, and not
    built now; what is otherwise than in the live bundle; and what secondaries get in other
    ``forms`` than as it is."""

    memory: Memory
    made: Mapping[bytes, CompiledZone]
    warnings: list[Fault]
    kept: list[Kept] = field(default_factory=list)
    failures: list[Fault] = field(default_factory=list)
    still_kept: list[Any] = field(default_factory=list)
    changes: Changes = field(default_factory=Changes)
    forms: list[str] = field(default_factory=list)

    @property
    def zones(self) -> list[CompiledZone]:
        """The zones that were made, by apex: all, where nothing was remembered."""
        return list(self.made.values())

    @property
    def checks(self) -> list[Check]:
        """The health checks, in the order of their texts."""
        from lzc.health_check import Check

        return [Check.from_json(text) for text in sorted(self.memory.checks)]

    @property
    def constants(self) -> dict[bytes, Constants]:
        """What checks are made of that only queries ask for, by apex."""
        from lzc.lua.health.constants import Constants

        return {
            apex: Constants.from_document(foreign_json.parse(text))
            for apex, text in self.memory.constants.items()
        }

    @property
    def records(self) -> int:
        """Records of all zones, each SOA once."""
        return sum(map(attrgetter("records"), self.memory.zones.values()))

    @property
    def named_by_file(self) -> list[str]:
        """The files that a zone has its name from though they do not end in ``.zone``."""
        return [
            f"{to_text(apex)} ({one.settings[SHOWN_AS]})"
            for apex, one in self.memory.zones.items()
            if one.settings
            and not one.settings[PATH].endswith(SUFFIX)
            and is_named_by(apex, one.settings[PATH])
        ]

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
        from lzc.bundle.carried import renumbered

        ids = shards.ids(self.memory.zones, count, numbers)
        made = self.made
        return [
            renumbered(made[apex], number) if apex in made else live.zone(apex, number)
            for apex, number in ids.items()
        ]


def compile_project(
    config: Config,
    file: ConfigFile,
    live: LiveBundle,
    now: float,
    report: Progress,
    faults: Sequence[Fault] = (),
    *,
    any_serial: bool = False,
    scope: Scope = WHOLE,
) -> Compiled:
    """Build the zones of ``scope`` that are not as ``live`` remembers them. Raises `InputError`
    with every fault found, and those given; what is given and found may be warnings, too. With
    ``any_serial``, faults of serials are among these. Raises
    `lzc.compiler.inputs.selection.UnknownZone` for words that name no zone."""
    survey = Survey(config, file, live, now, scope.stated)
    found_by = sources.fingerprint(config)
    chosen: frozenset[bytes] | None = None
    if scope.words:
        chosen = survey.choose(scope.words, among_live=scope.beside_live)
    elif found_by != live.memory.found_by or not survey.recall():
        survey.find()
    survey.look()
    found = FaultList()
    found.add([*survey.found_faults, *faults])
    known = survey.known
    before = None if scope.known_signatures is None else scope.known_signatures.of
    jobs = [replace(job, any_serial=any_serial, right_before=before) for job in survey.jobs]
    results = _build_all(jobs, known, live, report)
    if scope.known_signatures is not None:
        # Whatever else may be wrong: minutes of mathematics are not done again for it.
        scope.known_signatures.save(
            {apex: result.right for apex, result in results.items() if result.right}
        )
    made: dict[bytes, CompiledZone] = {}
    failed: dict[bytes, list[Fault]] = {}
    for apex in [NO_ZONE, *known, *(survey.of_zones.keys() - known.keys())]:
        told = survey.of_zones.get(apex, [])
        one, result = known.get(apex), results.get(apex)
        if result is not None:
            told = [*told, *result.faults]
        elif one is not None and (chosen is None or apex in chosen):
            told = [*told, *map(_warning, one.warnings)]
        if scope.keep and has_errors(told) and not live.is_unusable:
            failed[apex] = told
            continue
        found.add(told)
        if one is not None and result is not None and result.zone is not None:
            made[apex] = result.zone
            known[apex] = _built(one, result.zone, result)
        if scope.keep and has_errors(told):
            found.add([_not_kept(file)])
    failures = FaultList()
    kept: list[Kept] = []
    for apex, told in failed.items():
        failures.add(told)
        kept += _keep(apex, told, known, live)
    if not known:
        found.add(failures.told())
    known = dict(sorted(known.items())) if failed else known
    forms: list[str] = []
    if (config.catalog or live.has_catalogs) and (scope.beside_live or not scope.words):
        from lzc.compiler.catalogs import add_catalogs

        add_catalogs(config, file, live, now, known, made, found, scope.stated)
    if config.secondary:
        from lzc.compiler.checks.forms import ZoneFacts, check_forms, chosen_forms
        from lzc.compiler.checks.secondary_settings import check_settings

        # Of zones in none of which there is anything to choose, nothing need be said.
        facts = {
            to_text(apex): ZoneFacts(one.lua_records > 0, bool(one.settings[SIGNED]))
            for apex, one in known.items()
            if one.lua_records or one.settings[SIGNED]
        }
        forms = chosen_forms(config, facts)
        needs = {to_text(apex): one.needs for apex, one in known.items() if one.needs}
        found.add([*check_forms(config, file, facts), *check_settings(config, file, needs)])
    denials = _denials(known)
    if denials:
        from lzc.compiler.checks.denial import check_denial

        found.add(check_denial(config, file, denials))
    if config.tsig or config.serve.cookie_secret_file is not None:
        from lzc.compiler.checks.secrets import check_secrets

        found.add(check_secrets(config, file))
    if config.serve.tls_listen:
        from lzc.compiler.checks.tls import check_tls_files

        found.add(check_tls_files(config, file))
    # What else the same paths lead to is to be found out, if this is not all.
    memory = Memory("", b"" if failed or chosen else found_by, known, survey.keystore)
    if memory.checks:
        found.add(_check_number(len(memory.checks), known.values()))
    told = found.told()
    if any(fault.severity is Severity.ERROR for fault in told):
        raise InputError([*failures.told(), *told] if known else told)
    compared = _noted(changes(known, made, live), known, live, now)
    still = _still_kept(live, chosen) if chosen is not None and scope.beside_live else []
    return Compiled(memory, made, told, kept, failures.told(), still, compared, forms)


def _noted(
    found: Changes, known: Mapping[bytes, BuiltZone], live: LiveBundle, now: float
) -> Changes:
    """With what is to be said of serials."""

    def note(one: ZoneChange) -> str:
        apex = from_text(one.name).lower()
        if one.before is None or one.after is None or live.serials.move(apex) is not None:
            return ""
        return serials.note(known[apex].settings[POLICY], one.before, one.after, now)

    return replace(found, changed=[replace(one, note=note(one)) for one in found.changed])


def _denials(known: Mapping[bytes, BuiltZone]) -> dict[str, Denial]:
    """How signed zones deny, but for those that do so as is usual, by their names."""
    usual = str(NSEC_CHAIN)
    return {
        to_text(apex): Denial.from_text(one.settings[DENIAL])
        for apex, one in known.items()
        if len(one.settings) > DENIAL and one.settings[DENIAL] != usual
    }


def _not_kept(file: ConfigFile) -> Fault:
    return Fault(
        file.place("keep-last-good", "[build]"),
        "live-bundle-needed",
        "zones that failed cannot stay as they are live: the live bundle cannot be used",
        "a bundle without them would have no answers for them at all",
        "correct what is wrong with them",
    )


def _still_kept(live: LiveBundle, chosen: frozenset[bytes]) -> list[Any]:
    if live.folder is None:
        return []
    built = set(map(to_text, chosen))
    before = live.manifest.inputs.get(KEPT, [])
    return [one for one in before if isinstance(one, dict) and one.get("zone") not in built]


def _keep(
    apex: bytes, told: list[Fault], known: dict[bytes, BuiltZone], live: LiveBundle
) -> list[Kept]:
    """Have a zone that failed as it is live among those ``known``, or not at all."""
    if apex == NO_ZONE:
        return [Kept.of(fault.place.file, None, [fault]) for fault in told]
    begun, name = known.pop(apex, None), to_text(apex)
    before = live.built(apex)
    if before is None:
        return [Kept.of(name, None, told)]
    if begun is not None and begun.settings:
        before = before._replace(settings=begun.settings, keys=begun.keys)
    # It is built anew until that succeeds.
    known[apex] = before._replace(steady=False, warnings=())
    info = live.info(apex)
    return [Kept.of(name, None if info is None else info.serial, told)]


def _build_all(
    jobs: Sequence[ZoneJob],
    known: Mapping[bytes, BuiltZone],
    live: LiveBundle,
    report: Progress,
) -> dict[bytes, ZoneResult]:
    """Build zones, and those once more whose code looks up what other zones have: which health
    checks it asks for may depend on that."""
    results = _build(jobs, known, report)
    if not jobs:
        return results
    from lzc.compiler.lua.stored import found_in

    def zone_of(apex: bytes) -> CompiledZone | None:
        if apex in results:
            return results[apex].zone
        return live.zone(apex, 0) if live.info(apex) is not None else None

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
        result.times,
        result.lua_records,
    )


def _warning(plain: tuple[Any, ...]) -> Fault:
    """The inverse of what is remembered of one; a zone with errors is not."""
    file, line, column, rule, message, why, fix = plain
    return Fault(Place(file, line, column), rule, message, why, fix, Severity.WARNING)


def _check_number(checks: int, known: Collection[BuiltZone]) -> list[Fault]:
    from lzc.health_check import MOST_CHECKS

    if checks <= MOST_CHECKS:
        return []
    most = max(known, key=lambda one: len(one.checks))
    fault = Fault(
        Place(most.settings[PATH]),
        "too-many-checks",
        f"the LUA records ask for {checks} different health checks, and a server makes"
        f" {MOST_CHECKS} at most; {len(most.checks)} of them are of this zone",
        why="the others would never be made, and their targets be taken for down",
        fix="have records that check the same target do so with the same options, or put zones"
        " on several servers",
    )
    return [fault]

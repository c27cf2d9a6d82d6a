"""All zones of a project: those that changed are built, of the others it is known what they are.

The steps are sources, keys, live serials, and zones.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import astuple, dataclass
from operator import attrgetter
from typing import Any

from lzc.build import sources
from lzc.build.memory import Entry, Memory, Settings
from lzc.build.past import Past
from lzc.build.secondary_checks import Takers, ZoneTraits, check_secondaries, takers
from lzc.build.sources import ConfigFile, ZoneSource
from lzc.build.workers import Progress, build_zones
from lzc.build.zone_job import ZoneJob, ZoneResult
from lzc.bundle import shards
from lzc.bundle.writer import Base, CompiledZone
from lzc.bundle.zone_info import ZoneKey
from lzc.config import Config
from lzc.dnssec.keystore import Keystore
from lzc.lua.health import MOST_CHECKS, Check
from lzc.source.inputs import Files
from lzc.zone.place import Fault, InputError, Place, Severity

_NOBODY = Takers()


@dataclass(frozen=True, slots=True)
class Compiled:
    """A whole project: the ids of its zones and what is to be remembered of them, both by apex and
    in its order; those of them that were ``made``, as the others are in the live bundle; the health
    checks that all ask for, as JSON texts; and warnings."""

    ids: Mapping[bytes, int]
    entries: Mapping[bytes, Entry]
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
    def records(self) -> int:
        """Records of all zones, each SOA once."""
        return sum(map(attrgetter("records"), self.entries.values()))

    def memory(self, bundle: str) -> Memory:
        """What to remember of the bundle with this id."""
        return Memory(bundle, dict(self.entries))

    def beside(self, past: Past) -> tuple[Base | None, list[CompiledZone]]:
        """What the next bundle has of the live one, and the zones of its other shards by id."""
        count = shards.count(len(self.ids))
        changed = set(range(count))
        if past.folder is not None and past.shards == count and past.entries:
            come_or_gone = self.ids.keys() ^ past.entries.keys()
            changed = {shards.shard_of(apex, count) for apex in {*self.made, *come_or_gone}}
        wanted = sorted(
            (zone_id, apex)
            for apex, zone_id in self.ids.items()
            if shards.of_zone_id(zone_id) in changed
        )
        zones = [self.made.get(apex) or past.zone(apex, zone_id) for zone_id, apex in wanted]
        taken = frozenset(range(count)) - changed
        if past.folder is None or not taken:
            return None, zones
        same_checks = check_texts(past.entries.values()) == self.check_texts
        return Base(past.folder, past.manifest, taken, same_checks), zones


def compile_project(
    config: Config,
    file: ConfigFile,
    past: Past,
    now: float,
    report: Progress,
    faults: Sequence[Fault] = (),
) -> Compiled:
    """Build the zones that are not as ``past`` remembers them. Raises `InputError` with every fault
    found, and those given; what is given and found may be warnings, too."""
    zones, found = sources.find(config, file)
    found += faults
    ids = shards.zone_ids(map(attrgetter("apex"), zones), shards.count(len(zones)))
    survey = _Survey(config, file, past, now)
    for zone_id, source in zip(ids, zones, strict=True):
        survey.look_at(zone_id, source)
    found += survey.faults
    results = survey.build(report)
    entries = survey.entries
    made: dict[bytes, CompiledZone] = {}
    for source in zones:
        result = results.get(source.apex)
        if result is None:
            found += [_warning(one) for one in entries[source.apex].warnings]
            continue
        found += result.faults
        if result.zone is not None:
            made[source.apex] = result.zone
            entries[source.apex] = _entry(survey.settings[source.apex], result.zone, result)
    if config.secondary:
        traits = [ZoneTraits(source.name, source.signed) for source in zones]
        found += check_secondaries(config, file, traits)
    texts = check_texts(entries.values())
    found += _too_many(texts, zones, entries)
    # Zones and records that share a .lua file each find the same in it.
    found = list(dict.fromkeys(found))
    if any(fault.severity is Severity.ERROR for fault in found):
        raise InputError(found)
    by_apex = {source.apex: zone_id for zone_id, source in zip(ids, zones, strict=True)}
    return Compiled(by_apex, entries, made, texts, found)


def check_texts(entries: Collection[Entry]) -> frozenset[str]:
    """The health checks of zones, as JSON texts."""
    return frozenset().union(*(entry.checks for entry in entries if entry.checks))


class _Survey:
    """Sorts the zones: into ``entries`` what is known of those that did not change, and jobs for
    the others, which have the place of their entry kept."""

    def __init__(self, config: Config, file: ConfigFile, past: Past, now: float) -> None:
        self._config = config
        self._file = file
        self._past = past
        self._now = now
        self._keystore = Keystore(config.keystore)
        self._files = Files()
        self._jobs: list[ZoneJob] = []
        self.entries: dict[bytes, Entry] = {}
        self.settings: dict[bytes, Settings] = {}
        self.faults: list[Fault] = []

    def look_at(self, zone_id: int, source: ZoneSource) -> None:
        config = self._config
        keys: tuple[ZoneKey, ...] = ()
        if source.signed:
            keys, faults = _keys(self._keystore, source, config, self._file, self._now)
            self.faults += faults
        taken_by = takers(config, source.name) if config.secondary else _NOBODY
        settings = (
            str(source.path),
            source.shown_as,
            source.signed,
            source.lua,
            source.policy,
            tuple(map(astuple, keys)),
            "" if taken_by is _NOBODY else repr(taken_by),
        )
        entry = self._past.entries.get(source.apex)
        if entry is not None and entry.settings == settings:
            inputs = self._files.still(entry.inputs)
            if inputs is not None:
                fresh = entry if inputs is entry.inputs else entry._replace(inputs=inputs)
                self.entries[source.apex] = fresh
                return
        self.entries[source.apex] = _UNKNOWN
        self.settings[source.apex] = settings
        self._jobs.append(
            ZoneJob(
                zone_id,
                source,
                config.folder,
                keys,
                self._past.live(source.apex),
                config.lua,
                self._now,
                taken_by,
            )
        )

    def build(self, report: Progress) -> dict[bytes, ZoneResult]:
        """What became of the zones that were not known."""
        total = len(self.entries)
        done = total - len(self._jobs)
        report("zones", done, total)
        results: dict[bytes, ZoneResult] = {}
        for job, result in zip(self._jobs, build_zones(self._jobs), strict=True):
            results[job.source.apex] = result
            report("zones", done + len(results), total)
        return results


_UNKNOWN = Entry((), (), "", 0)


def _entry(settings: Settings, zone: CompiledZone, result: ZoneResult) -> Entry:
    return Entry(
        settings if result.steady else (),
        [(one.path, one.real, one.sha256, one.mark) for one in result.inputs],
        zone.info.digest,
        zone.info.records,
        tuple(
            (*astuple(one.place), one.rule, one.message, one.why, one.fix) for one in result.faults
        ),
        tuple(sorted(check.to_json() for check in result.checks)),
        tuple(zone.plans),
    )


def _warning(plain: tuple[Any, ...]) -> Fault:
    """The inverse of what an entry keeps of one; a zone with errors has no entry."""
    file, line, column, rule, message, why, fix = plain
    return Fault(Place(file, line, column), rule, message, why, fix, Severity.WARNING)


def _too_many(
    texts: Collection[str], zones: Sequence[ZoneSource], entries: Mapping[bytes, Entry]
) -> list[Fault]:
    """A fault where there are more health checks than a server makes."""
    if len(texts) <= MOST_CHECKS:
        return []
    most = max(zones, key=lambda source: len(entries[source.apex].checks))
    return [
        Fault(
            Place(str(most.path)),
            "too-many-checks",
            f"the LUA records ask for {len(texts)} different health checks, and a server makes"
            f" {MOST_CHECKS} at most; {len(entries[most.apex].checks)} of them are of this zone",
            why="the others would never be made, and their targets be taken for down",
            fix="have records that check the same target do so with the same options, or put zones"
            " on several servers",
        )
    ]


def _keys(
    keystore: Keystore, source: ZoneSource, config: Config, file: ConfigFile, now: float
) -> tuple[tuple[ZoneKey, ...], list[Fault]]:
    try:
        keys = keystore.load(source.apex)
    except InputError as error:
        return (), list(error.faults)
    name = source.name.rstrip(".") or "."
    if not keys:
        return (), [
            Fault(
                file.place(f'[zone."{name}"]', name),
                "keys-missing",
                f"zone {name} is to be signed, but has no keys in {config.dnssec.keystore}",
                fix=f"lzc keys generate -c {file.shown_as} {name}",
            )
        ]
    if not any(key.timing.is_active(now) for key in keys):
        return (), [
            Fault(
                file.place(f'[zone."{name}"]', name),
                "keys-inactive",
                f"zone {name} is to be signed, but none of its {len(keys)} key(s) is active now",
                why="its answers would carry no signatures, which is bogus below a DS",
                fix=f"lzc keys generate -c {file.shown_as} {name}, or correct the keys' times",
            )
        ]
    return tuple(
        ZoneKey(key.tag, key.algorithm, key.flags, key.dnskey)
        for key in keys
        if key.is_published(now)
    ), []

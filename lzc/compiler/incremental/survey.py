"""Which zones of a project have to be built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lzc.bundle import shards
from lzc.compiler.incremental.live_bundle import LiveBundle
from lzc.compiler.incremental.memory import OF_SOURCE, SIGNED, ApexRecords, BuiltZone, Keys
from lzc.compiler.incremental.zone_keys import ZoneKeys
from lzc.compiler.inputs import sources
from lzc.compiler.inputs.reading import limits_of, reach_of
from lzc.compiler.inputs.sources import ConfigFile, ZoneSource
from lzc.config import Config
from lzc.faults import Fault
from lzc.powerdns_versions import KNOWN, Version
from lzc.source.inputs import Files

if TYPE_CHECKING:
    from lzc.bundle.zone_info import ZoneKey
    from lzc.compiler.job import ZoneJob

_OF_SOURCE: Final = attrgetter(
    *("shown_as", "signed", "lua", "policy", "strip", "powerdns", "blanks", "as_powerdns"),
    *("denial", "presigned"),
)
_UNKNOWN: Final = BuiltZone((), (), b"", 0)


class Survey:
    """Sorts the zones: into ``known`` goes what is known of those that did not change; of the
    others, for which there are jobs, the settings alone. ``of_zones`` has the faults of single
    zones, by their apex, and those of files that give none by `sources.NO_ZONE`;
    ``found_faults`` are of the project. Call `find`, `choose` or `recall`, then `look`."""

    def __init__(
        self,
        config: Config,
        file: ConfigFile,
        live: LiveBundle,
        now: float,
        stated: Mapping[bytes, int] | None = None,
    ) -> None:
        """``stated`` are serials that zones are to have, by their apex, whether or not anything of
        them changed."""
        self._config = config
        self._stated = stated or {}
        self._file = file
        self._live = live
        self._now = now
        self._files = Files()
        self._zone_keys = ZoneKeys(config, file, now, live.memory.keystore, self._files)
        self._waiting: list[ZoneSource] = []
        self._reach = reach_of(config)
        self._limits = limits_of(config)
        self.jobs: list[ZoneJob] = []
        self.known: dict[bytes, BuiltZone] = {}
        self.found_faults: list[Fault] = []
        self.of_zones: dict[bytes, list[Fault]] = {}

    @property
    def keystore(self) -> tuple[int, ...]:
        """The mark of the keystore, where keys were looked for."""
        return self._zone_keys.mark

    def find(self) -> None:
        """Find the zones; they may be any."""
        self._waiting, self.found_faults = sources.find(self._config, self._file, self.of_zones)
        self.known = {source.apex: _UNKNOWN for source in self._waiting}

    def choose(self, words: Sequence[str], *, among_live: bool) -> frozenset[bytes]:
        """Find the zones, and have only those built that operators name, by their names or files;
        with ``among_live``, all others are as they are live. Gives their apexes. Raises
        `lzc.compiler.inputs.selection.UnknownZone`, and `BundleError`."""
        from lzc.compiler.inputs import selection

        self.find()
        others = self._live.apexes() if among_live else []
        gone = [apex for apex in self.of_zones if apex]
        chosen = selection.choose(words, self._waiting, [*gone, *others], self._config)
        self._waiting = [source for source in self._waiting if source.apex in chosen]
        self.of_zones = {apex: told for apex, told in self.of_zones.items() if apex in chosen}
        # One that is named, and has no source any more, goes.
        staying = [apex for apex in others if apex not in chosen or apex in self.of_zones]
        known = {apex: self._live.built(apex) or _UNKNOWN for apex in staying}
        known |= {source.apex: _UNKNOWN for source in self._waiting}
        self.known = dict(sorted(known.items()))
        return chosen

    def recall(self) -> bool:
        """Take the zones for those remembered, as they would be found by the same; false where what
        their paths lead to is not what it was, so that others might be found."""
        untouched, in_place = self._files.untouched, self._files.in_place
        waiting = []
        for apex, one in self._live.memory.zones.items():
            steady = one.is_steady(self._now) and not one.settings[SIGNED]
            if steady and untouched(one.inputs):
                continue
            if not one.inputs or not in_place(one.inputs[0]):
                return False
            path, *others = one.settings[:OF_SOURCE]
            waiting.append(ZoneSource(apex, Path(path), *others))
        self._waiting = waiting
        self.known = dict(self._live.memory.zones)
        return True

    def look(self) -> None:
        """Sort the zones that were found, or could not be known at once."""
        jobs = [job for source in self._waiting if (job := self._look_at(source)) is not None]
        if not jobs:
            return
        count = shards.count(len(self.known))
        wanted = {shards.shard_of(job.source.apex, count) for job in jobs}
        ids = shards.ids(self.known, count, wanted)
        self.jobs = [replace(job, zone_id=ids[job.source.apex]) for job in jobs]

    def _before(self, source: ZoneSource) -> Version | None:
        """The version whose answers were given until now, where nobody said which: what differs is
        told with the first bundle that says it."""
        section = self._config.zone_section(source.name)
        said = self._config.lua.powerdns or (section is not None and section.powerdns)
        return None if said or not self._live.is_older else KNOWN[0]

    def _look_at(self, source: ZoneSource) -> ZoneJob | None:
        """The job of a zone that changed, its id yet to be filled in."""
        config = self._config
        last = self._live.memory.zones.get(source.apex)
        keys: tuple[ZoneKey, ...] = ()
        all_keys: Keys = ()
        asked: ApexRecords = ()
        foreign: ApexRecords = ()
        key_ttl = config.key_policy(source.name).dnskey_ttl if source.signed else None
        if source.signed:
            found = self._zone_keys.of(source, last)
            keys, all_keys = found.published, found.remembered
            asked, foreign = found.asked, found.foreign
            if found.faults:
                self.of_zones.setdefault(source.apex, []).extend(found.faults)
        taken_by = None
        if config.secondary:
            from lzc.compiler.checks.secondaries import takers

            taken_by = takers(config, source.name)
        settings = (
            str(source.path),
            *_OF_SOURCE(source),
            tuple(map(astuple, keys)),
            "" if taken_by is None else repr(taken_by),
            asked,
            key_ttl,
            foreign,
        )
        stated = self._stated.get(source.apex)
        steady = last is not None and last.is_steady(self._now)
        if last is not None and steady and last.settings == settings and stated is None:
            inputs = self._files.still(last.inputs)
            if inputs is not None:
                if inputs is not last.inputs or all_keys != last.keys:
                    last = last._replace(inputs=inputs, keys=all_keys)
                self.known[source.apex] = last
                return None
        self.known[source.apex] = _UNKNOWN._replace(settings=settings, keys=all_keys)
        # Where nothing changed, it need not be imported what builds.
        from lzc.compiler.checks.secondaries import Takers
        from lzc.compiler.job import ZoneJob

        return ZoneJob(
            0,
            source,
            self._reach,
            self._limits,
            keys,
            self._live.serials.get(source.apex),
            config.lua,
            self._now,
            taken_by or Takers(),
            config.health,
            lost=self._live.lost,
            against=config.against or self._before(source),
            asked=asked,
            foreign=foreign,
            key_ttl=key_ttl,
            moving=self._live.serials.move(source.apex) is not None,
            stated=stated,
        )

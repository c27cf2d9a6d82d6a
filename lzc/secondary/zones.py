"""The zones of a project as other servers are set up for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lzc.compiler import pipeline
from lzc.compiler.incremental.memory import CATALOG, DENIAL, PRESIGNED, SIGNED, BuiltZone
from lzc.config import Config, SecondarySection
from lzc.dnssec.signing.denial import Denial
from lzc.faults import Fault
from lzc.wire import name as wire_name


@dataclass(frozen=True, slots=True)
class ServedZone:
    """A zone: its apex (lower-case wire name) and its name without final dot; whether lzc signs it,
    or its source has the signatures; whether it has LUA records, or is a catalog; what is needed of
    secondaries for it (`lzc.compiler.checks.secondary_settings`), and how it denies."""

    apex: bytes
    name: str
    signed: bool
    presigned: bool
    lua: bool
    catalog: bool
    needs: frozenset[str]
    denial: Denial

    @classmethod
    def of(cls, apex: bytes, built: BuiltZone) -> ServedZone:
        """A zone as the compiler knows it."""
        settings = built.settings
        return cls(
            apex,
            wire_name.to_text(apex).rstrip(".") or ".",
            bool(settings[SIGNED]),
            bool(settings[PRESIGNED]),
            built.lua_records > 0,
            settings[-1] == CATALOG,
            frozenset(built.needs),
            Denial.from_text(settings[DENIAL]),
        )


@dataclass(frozen=True, slots=True)
class Zones:
    """All zones of a project, by the octets of their apex, and warnings about them."""

    zones: Sequence[ServedZone]
    warnings: Sequence[Fault] = ()

    @classmethod
    def of(cls, config: Config, config_path: Path) -> Zones:
        """The zones as they would be built now; those that did not change since are not read.
        Raises `InputError`."""
        compiled = pipeline.check(config, config_path=config_path, remembered=True)
        found = [ServedZone.of(apex, built) for apex, built in compiled.memory.zones.items()]
        return cls(found, compiled.warnings)

    def of_secondary(self, section: SecondarySection) -> list[ServedZone]:
        """The zones that it takes, catalogs left out."""
        return [one for one in self.zones if not one.catalog and section.takes(one.name)]

    def catalogs_of(self, section: SecondarySection) -> list[ServedZone]:
        """The catalogs that it takes."""
        return [one for one in self.zones if one.catalog and section.takes(one.name)]

    def arriving_at(self, config: Config, section: SecondarySection) -> Zones:
        """The catalogs that a secondary takes, and the zones that come to it by these alone."""
        catalogs = self.catalogs_of(section)
        arriving = by_catalog(config, self.of_secondary(section), catalogs)
        return Zones([one for one in self.zones if one in catalogs or one.apex in arriving])


def by_catalog(
    config: Config, zones: Sequence[ServedZone], catalogs: Sequence[ServedZone]
) -> set[bytes]:
    """The apexes of the zones that come by one of the catalogs."""
    taken = {one.apex for one in catalogs}
    found: set[bytes] = set()
    for name, section in config.catalog.items():
        if wire_name.from_text(name, wire_name.ROOT).lower() in taken:
            found |= {one.apex for one in zones if section.has(one.name)}
    return found

"""What the secondaries of a project cannot do with its zones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from lzc.build.sources import ConfigFile
from lzc.config import Config, SecondarySection
from lzc.zone.place import Fault, Severity

_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ZoneTraits:
    """What matters to a secondary: the zone's name (final dot included), whether it is signed, and
    whether it has LUA records."""

    name: str
    signed: bool
    has_lua: bool


def takes(secondary: SecondarySection, name: str) -> bool:
    """True when a secondary lists the zone; names with or without final dot, in any case."""
    bare = name.rstrip(".").lower()
    return any(fnmatchcase(bare, zone.rstrip(".").lower()) for zone in secondary.zones)


def check_secondaries(config: Config, file: ConfigFile, zones: Sequence[ZoneTraits]) -> list[Fault]:
    """Warnings about zones that a secondary would serve wrongly. Zones are handed out unsigned, and
    only PowerDNS signs them live and runs LUA records."""
    faults: list[Fault] = []
    for secondary in config.secondary:
        if secondary.software.startswith("powerdns-"):
            continue
        taken = [zone for zone in zones if takes(secondary, zone.name)]
        place = file.place(f'name = "{secondary.name}"', f'"{secondary.name}"')
        signed = [zone.name for zone in taken if zone.signed]
        if signed:
            faults.append(
                Fault(
                    place,
                    "secondary-cannot-sign",
                    f"secondary {secondary.name} ({secondary.software}) gets signed zones:"
                    f" {_list(signed)}",
                    why="it would serve them without signatures, which is bogus below a DS",
                    fix="use PowerDNS with the same keys there, or take the zones off its list",
                    severity=Severity.WARNING,
                )
            )
        lua = [zone.name for zone in taken if zone.has_lua]
        if lua:
            faults.append(
                Fault(
                    place,
                    "secondary-runs-no-lua",
                    f"secondary {secondary.name} ({secondary.software}) gets zones with LUA"
                    f" records: {_list(lua)}",
                    why="it answers those names without data, and hands out the code as TYPE65402",
                    fix="use PowerDNS there, or take the zones off its list",
                    severity=Severity.WARNING,
                )
            )
    return faults


def _list(names: list[str]) -> str:
    if len(names) <= _SHOWN:
        return ", ".join(names)
    return ", ".join(names[:_SHOWN]) + f" and {len(names) - _SHOWN} more"

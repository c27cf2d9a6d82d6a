"""Which secondaries run the LUA records of a zone."""

from __future__ import annotations

from dataclasses import dataclass

from lzc.config import Config
from lzc.powerdns_versions import Secondary, parse_version


@dataclass(frozen=True, slots=True)
class Takers:
    """The secondaries that take a zone and run PowerDNS, and whether there are others."""

    powerdns: tuple[Secondary, ...] = ()
    others: bool = False


def takers(config: Config, name: str) -> Takers:
    """Who takes the zone."""
    powerdns: list[Secondary] = []
    others = False
    for secondary in config.secondary:
        if not secondary.takes(name):
            continue
        version = parse_version(secondary.software)
        if version is not None:
            powerdns.append(Secondary(secondary.name, version, secondary.exec_limit))
        others |= version is None
    return Takers(tuple(powerdns), others)

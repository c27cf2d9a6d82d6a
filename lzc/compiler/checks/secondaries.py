"""What the secondaries of a project cannot do with its zones."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from lzc.compiler.checks.secondary_settings import check_settings, in_short
from lzc.compiler.inputs.sources import ConfigFile
from lzc.config import Config
from lzc.faults import Fault, Severity
from lzc.powerdns_versions import Secondary, parse_version


@dataclass(frozen=True, slots=True)
class Takers:
    """The secondaries that take a zone: those that run PowerDNS, and the name and the software of
    the others."""

    powerdns: tuple[Secondary, ...] = ()
    others: tuple[tuple[str, str], ...] = ()


def takers(config: Config, name: str) -> Takers:
    """Who takes the zone."""
    powerdns: list[Secondary] = []
    others: list[tuple[str, str]] = []
    for secondary in config.secondary:
        if not secondary.takes(name):
            continue
        version = parse_version(secondary.software)
        if version is None:
            others.append((secondary.name, secondary.software))
        else:
            powerdns.append(Secondary(secondary.name, version, secondary.exec_limit))
    return Takers(tuple(powerdns), tuple(others))


def check_secondaries(
    config: Config,
    file: ConfigFile,
    signed: Sequence[str],
    needs: Mapping[str, Collection[str]],
) -> list[Fault]:
    """Warnings about zones that a secondary would serve wrongly: ``signed`` ones, for zones are
    handed out unsigned, and only PowerDNS signs them live; and those that need some of its
    settings, as ``needs`` has them by zone. (`lzc.compiler.lua.lint` tells who gets LUA
    records.)"""
    faults = list(check_settings(config, file, needs))
    for secondary in config.secondary:
        if secondary.software.startswith("powerdns-"):
            continue
        taken = [name for name in signed if secondary.takes(name)]
        if taken:
            faults.append(
                Fault(
                    file.place(f'name = "{secondary.name}"', f'"{secondary.name}"'),
                    "secondary-cannot-sign",
                    f"secondary {secondary.name} ({secondary.software}) gets signed zones:"
                    f" {in_short(taken)}",
                    why="it would serve them without signatures, which is bogus below a DS",
                    fix="use PowerDNS with the same keys there, or take the zones off its list",
                    severity=Severity.WARNING,
                )
            )
    return faults

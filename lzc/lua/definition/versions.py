"""Since when PowerDNS has what LUA records use, and which secondary is too old for it."""

from __future__ import annotations

from dataclasses import dataclass

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Secondary:
    """A PowerDNS secondary that takes the zone: its name in ``[[secondary]]``, its version, and
    its limit of instructions (0: none)."""

    name: str
    version: Version
    exec_limit: int = 1000


def parse_version(software: str) -> Version | None:
    """The X and Y of ``powerdns-X.Y``; `None` for other software."""
    product, _, number = software.partition("-")
    if product != "powerdns":
        return None
    major, _, minor = number.partition(".")
    return int(major), int(minor)


def shown(version: Version) -> str:
    """As it is written: ``4.9``."""
    return f"{version[0]}.{version[1]}"

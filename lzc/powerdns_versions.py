"""The versions of PowerDNS that answers are given as, and what of them an answer depends on.

A difference between versions is data where it belongs: a value by the version since which it holds
(`since`), in a function's description and, spelled likewise, in its Lua.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

Version = tuple[int, int]
"""Major and minor number."""

KNOWN: Final[tuple[Version, ...]] = ((4, 7), (4, 9), (5, 0), (5, 1))
"""Those whose answers are known. 4.7, 4.9 and 5.1 were asked; of 5.0, which Debian never had, only
what its documentation says is known, and all else is as in 4.9."""

LATEST: Final = KNOWN[-1]

BLANKS: Final[Mapping[Version, bool]] = {KNOWN[0]: True, (5, 0): False}
"""Whether blanks stand between the strings of a LUA record when it is run (in 4.9 from 4.9.1 on:
where lua-records-insert-whitespace has not another value)."""

LUA_UPDATES: Final[Version] = (5, 1)
"""Since when a secondary refuses zones with LUA records where no setting allows them."""

LIMITED_SINCE: Final[Version] = (5, 0)
"""Since when lua-records-exec-limit ends anything; 4.7 and 4.9 read it alone."""

T = TypeVar("T")


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
    return version_of(number) if product == "powerdns" else None


def version_of(text: str) -> Version:
    """The version that is written so: ``4.9``. Raises `ValueError`."""
    major, _, minor = text.partition(".")
    return int(major), int(minor)


def shown(version: Version) -> str:
    """As it is written: ``4.9``."""
    return f"{version[0]}.{version[1]}"


def nearest(version: Version) -> Version:
    """The newest of the `KNOWN` ones that is no newer, or the oldest of them."""
    return max((one for one in KNOWN if one <= version), default=KNOWN[0])


def shared_by(versions: Iterable[Version]) -> Version:
    """The one that they all are; the `LATEST` where they are several, or none."""
    found = {nearest(version) for version in versions}
    return found.pop() if len(found) == 1 else LATEST


def since(version: Version, forms: Mapping[Version, T]) -> T:
    """What holds in a version, of what holds since some. Raises `ValueError` before the first."""
    return forms[max(one for one in forms if one <= version)]

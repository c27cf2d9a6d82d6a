"""The options of health checks that LUA records give: one table for all who read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lzc.powerdns_versions import KNOWN, Version


class Takes(StrEnum):
    """What an option takes, as messages have it."""

    SELECTOR = "'random', 'all', 'hashed' or 'pickclosest'"
    SECONDS = "a whole number of seconds"
    COUNT = "a whole number"
    ADDRESS = "an address"
    TEXT = "a string"
    TRUTH = "'true' or 'false', in quotes"
    HEADERS = "a table from name to value"


@dataclass(frozen=True, slots=True)
class Option:
    """``field`` is that of `lzc.health_check.Check` which it sets, empty for what says how to
    choose; ``since`` the first PowerDNS that has it (`None`: all that are in use); ``http``: only
    of checks over HTTP."""

    name: str
    takes: Takes
    field: str = ""
    since: Version | None = None
    http: bool = False

    def is_in(self, version: Version) -> bool:
        """Whether a version of PowerDNS has it; the others do as if it were not given."""
        return self.since is None or self.since <= version


_TABLE: Final = (
    Option("selector", Takes.SELECTOR),
    Option("backupSelector", Takes.SELECTOR),
    Option("source", Takes.ADDRESS, "source"),
    Option("timeout", Takes.SECONDS, "timeout"),
    Option("interval", Takes.SECONDS, "interval", since=(5, 0)),
    Option("minimumFailures", Takes.COUNT, "minimum_failures", since=(5, 0)),
    Option("failOnIncompleteCheck", Takes.TRUTH, since=(5, 0)),
    Option("stringmatch", Takes.TEXT, "stringmatch", http=True),
    Option("useragent", Takes.TEXT, "useragent", http=True),
    Option("byteslimit", Takes.COUNT, "byteslimit", http=True),
    Option("httpcode", Takes.COUNT, "httpcode", since=(5, 0), http=True),
    Option("headers", Takes.HEADERS, "headers", since=(5, 0), http=True),
)
OPTIONS: Final[Mapping[str, Option]] = {option.name: option for option in _TABLE}
"""Every option by its name."""

OF_CHECKS: Final = tuple(option for option in _TABLE if option.field)
"""Those that a check consists of; the others say what to do with its result."""

OF_CHECKS_IN: Final[Mapping[Version, tuple[Option, ...]]] = {
    version: tuple(option for option in OF_CHECKS if option.is_in(version)) for version in KNOWN
}
"""Those among them that a version of PowerDNS has."""

SELECTORS: Final = ("random", "all", "hashed", "pickclosest", "empty")
EMPTY_SINCE: Final = (5, 1)
"""Since when the last of them says what it says; before, what is none of the others means the
first."""

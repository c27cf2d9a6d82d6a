"""The options of health checks that LUA records give: one table for all who read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from enum import StrEnum
from typing import Any, Final

from lzc.health_check import Check
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

_TAKES: Final = {option.field: option.takes for option in OF_CHECKS}
_DEFAULTS: Final = {
    field.name: field.default for field in fields(Check) if field.default is not MISSING
}


def check_of(kind: bytes, target: Any, candidate: bytes, settings: Mapping[str, Any]) -> Check:
    """The check that a call of ifportup (``kind`` ``b"port "``, ``target`` the port), ifurlup or
    pickselfweighted (``b"url "`` and ``b"weight "``, the URL) asks about a candidate; or of
    ifurlextup (``b"ext "``), which asks nothing about one: the host of the URL is looked up.

    ``settings`` are the values of `OF_CHECKS` by field, as Lua gives them, `None` for one that is
    not given; text that is no number leaves the default. Headers are lines ``name: value``; as a
    name without quotes has none, a hyphen may be written as an underscore there. Raises
    `ValueError` or `TypeError` for what is neither."""
    # Few are given, of a check that a query waits for.
    found = {
        field: _value(_TAKES[field], given, _DEFAULTS[field])
        for field, given in settings.items()
        if given is not None
    }
    if "minimum_failures" in found:
        found["minimum_failures"] = max(found["minimum_failures"], 1)
    return Check(
        address="" if kind == b"ext " else candidate.decode("ascii"),
        port=int(target) if kind == b"port " else 0,
        url="" if kind == b"port " else _text(target),
        **found,
    )


def _value(takes: Takes, given: Any, default: Any) -> Any:
    if takes in (Takes.SECONDS, Takes.COUNT):
        return _number(given, default)
    return _headers(_text(given)) if takes is Takes.HEADERS else _text(given)


def _number(value: Any, default: int) -> int:
    if isinstance(value, bytes):
        digits = re.match(rb"\s*\d{1,9}", value)
        return int(digits[0]) if digits else default
    return default if value is None else int(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _headers(lines: str) -> tuple[tuple[str, str], ...]:
    found = []
    for line in lines.splitlines():
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise ValueError(f"{line!r} is no header; write 'name: value'")
        found.append((name.strip().replace("_", "-"), value.strip()))
    return tuple(found)

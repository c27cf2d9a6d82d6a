"""How a run of a health check ends, and what any way to run one sends and reads."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from lzc.lua.health import Check

USER_AGENT: Final = "PowerDNS Authoritative Server"
"""Sent where the record names none, as web servers know it from PowerDNS."""
TIMED_OUT: Final = "timed out"
BODY_LIMIT: Final = 2**20
"""Octets of a body that are read where the record sets no limit."""

_NUMBER: Final = re.compile(rb"\s*\+?([0-9]{1,9})(?![0-9])")
_OURS: Final = frozenset({"host", "connection", "content-length", "transfer-encoding"})
"""Headers that a record does not set, as the request would no longer be one."""


class Outcome(NamedTuple):
    """How a run ended: up or not, the seconds it took, what went wrong or nothing; ``weight`` is
    the number that the body began with, 1 where it had none."""

    up: bool
    latency: float
    problem: str
    weight: int = 1


def say(error: BaseException) -> str:
    """An error in a few words."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    return str(error) or type(error).__name__


def headers_of(check: Check, host: str) -> list[tuple[str, str]]:
    """The headers of a request: the record's take the place of ours."""
    given = [one for one in check.headers if one[0].lower() not in _OURS]
    named = {name.lower() for name, _ in given}
    usual = (("User-Agent", check.useragent or USER_AGENT), ("Accept", "*/*"))
    return [("Host", host), *(one for one in usual if one[0].lower() not in named), *given]


def weight_of(body: bytes) -> int:
    """The number at the beginning of a body, 1 where there is none."""
    found = _NUMBER.match(body)
    return int(found[1]) if found else 1

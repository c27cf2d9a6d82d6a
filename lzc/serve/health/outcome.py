"""How a run of a health check ends, and what any way to run one sends and reads."""

from __future__ import annotations

import errno
import os
import re
import ssl
from typing import Final, NamedTuple

from lzc.health_check import Check

USER_AGENT: Final = "PowerDNS Authoritative Server"
"""Sent where the record names none, as web servers know it from PowerDNS."""
TIMED_OUT: Final = "timed out"
BODY_LIMIT: Final = 2**20
"""Octets of a body that are read where the record sets no limit."""

_NUMBER: Final = re.compile(rb"\s*\+?([0-9]{1,9})(?![0-9])")
_USER: Final = re.compile(r"(?<=//)[^/?#]*@")
_OURS: Final = frozenset({"connection", "content-length", "transfer-encoding"})
"""Headers that a record does not set, as the request would no longer be one."""


_SHORTAGES: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})


class CheckResult(NamedTuple):
    """How a run ended: up or not, the seconds it took, what went wrong or nothing; ``weight`` is
    the number that the body began with, 1 where it had none. ``ours`` when it is this machine that
    could not look, such as for want of open files: that says nothing of the target."""

    up: bool
    latency: float
    problem: str
    weight: int = 1
    ours: bool = False


def say(error: BaseException) -> str:
    """An error in a few words."""
    if isinstance(error, ssl.SSLError):
        # OpenSSL's own words, without the line of C that they come from.
        return f"TLS: {(error.reason or 'failed').replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.errno is not None and error.errno in errno.errorcode:
        # Not what libraries make of it, such as "Connect call failed" without a reason.
        return os.strerror(error.errno)
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, TimeoutError):
        return TIMED_OUT
    return str(error) or type(error).__name__


def is_ours(error: BaseException) -> bool:
    """True when this machine ran short of something."""
    return isinstance(error, OSError) and error.errno in _SHORTAGES


def as_written(text: str) -> str:
    """A text of a record as its author sees it: a `Check` has its octets one for one, which are
    UTF-8 as a rule."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text


def without_password(url: str) -> str:
    """A URL as its author sees it, but for its user and password: it is to be shown and logged."""
    return _USER.sub("***@", as_written(url))


def wanted_in(check: Check) -> bytes:
    """The octets that a body must hold. Those of a record are in its text one for one."""
    try:
        return check.stringmatch.encode("latin-1")
    except UnicodeEncodeError:
        return check.stringmatch.encode()


def headers_of(check: Check, host: str) -> list[tuple[str, str]]:
    """The headers of a request: the record's replace ours, which stand in front. But for Host,
    those without a value are not sent."""
    given = [one for one in check.headers if one[0].lower() not in _OURS]
    named = {name.lower(): value for name, value in given}
    usual = (("User-Agent", check.useragent or USER_AGENT), ("Accept", "*/*"))
    ours = [one for one in usual if one[0].lower() not in named]
    theirs = [one for one in given if one[1] and one[0].lower() != "host"]
    return [("Host", named.get("host", host)), *ours, *theirs]


def weight_of(body: bytes) -> int:
    """The number at the beginning of a body, 1 where there is none, or 0."""
    found = _NUMBER.match(body)
    return max(int(found[1]), 1) if found else 1


def not_asked(url: str) -> str:
    """Why a URL is not asked for, as PowerDNS does not: its targets are down. Empty for others."""
    if _USER.search(url):
        return "a URL with a user is not asked for"
    return "a blank in the URL" if " " in url else ""

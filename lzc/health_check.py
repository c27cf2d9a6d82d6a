"""Health checks as values: what a LUA record wants to know about an address.

The engine asks a `HealthView`; who checks, and when, is not its business. One check exists per
distinct `Check`, however many records, answers or worker processes use it.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import urlsplit

from lzc import foreign_json

MOST_CHECKS: Final = 1 << 16
"""Checks that a server makes at most."""


class Endpoint(NamedTuple):
    """An address, or a name that has to be looked up, and a TCP port; `None` where a URL does not
    tell."""

    host: str
    port: int | None


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to check: a TCP connection (``url`` empty) or an HTTP request.

    ``address`` is a textual IPv4 or IPv6 address; ``port`` the TCP port (for HTTP the URL decides);
    ``timeout`` whole seconds as on PowerDNS; ``interval`` seconds, 0 for the configured default;
    ``source`` the local address to connect from, or empty; ``stringmatch`` must occur in the body
    when not empty; ``httpcode`` is the status that counts as up; ``byteslimit`` octets of the body
    read at most, 0 for no limit; ``minimum_failures`` in a row make an address that was up down;
    ``headers`` (name, value) are sent besides the usual ones. Without an address, the host of the
    URL is looked up.
    """

    address: str
    port: int = 0
    url: str = ""
    timeout: int = 2
    interval: int = 0
    source: str = ""
    stringmatch: str = ""
    useragent: str = ""
    httpcode: int = 200
    byteslimit: int = 0
    minimum_failures: int = 1
    headers: tuple[tuple[str, str], ...] = ()

    def to_json(self) -> str:
        """Canonical JSON: the same check always gives the same text."""
        return json.dumps(self.to_document(), sort_keys=True, separators=(",", ":"))

    def to_document(self) -> dict[str, Any]:
        """The check as a JSON object. Options that came later are left out where they are as they
        were before, so that a check's key, by which its status is kept, stays the same."""
        return {
            name: value
            for name, usual in _FIELDS
            if (value := getattr(self, name)) != usual or name not in _LATER
        }

    @classmethod
    def from_json(cls, text: str) -> Check:
        """The inverse of `to_json`. Raises `ValueError` or `TypeError` for anything else."""
        return cls.from_document(foreign_json.parse(text))

    @classmethod
    def from_document(cls, document: Any) -> Check:
        """A check from its JSON object. Raises `ValueError` or `TypeError` for anything else."""
        if not isinstance(document, dict):
            raise TypeError("a health check must be an object")
        headers = tuple((str(name), str(value)) for name, value in document.get("headers", ()))
        check = cls(**{**document, "headers": headers})
        for name, kind in _KINDS:
            if type(getattr(check, name)) is not kind:
                raise TypeError(f"{name} of a health check must be {kind.__name__}")
        return check

    @classmethod
    def of_call(
        cls, kind: bytes, target: Any, candidate: bytes, settings: Mapping[str, Any]
    ) -> Check:
        """The check that a call of ifportup (``kind`` ``b"port "``, ``target`` the port), ifurlup
        or pickselfweighted (``b"url "`` and ``b"weight "``, the URL) asks about a candidate; or of
        ifurlextup (``b"ext "``), which asks nothing about one: the host of the URL is looked up.

        ``settings`` are fields of a check that options of a call set, as Lua gives them, `None` for
        one that is not given; text that is no number leaves the default. Headers are lines
        ``name: value``; as a name without quotes has none, a hyphen may be written as an underscore
        there. Raises `ValueError` or `TypeError` for what is neither."""
        # Few are given, of a check that a query waits for.
        found = {
            field: _value(given, _USUAL[field])
            for field, given in settings.items()
            if given is not None
        }
        if "minimum_failures" in found:
            found["minimum_failures"] = max(found["minimum_failures"], 1)
        return cls(
            address="" if kind == b"ext " else candidate.decode("ascii"),
            port=int(target) if kind == b"port " else 0,
            url="" if kind == b"port " else _text(target),
            **found,
        )

    def key(self) -> bytes:
        """16 octets that identify this check in shared memory and on the command line (as hex)."""
        return hashlib.blake2b(self.to_json().encode(), digest_size=16).digest()

    def endpoint(self) -> Endpoint:
        """What is connected to. Of a URL, the port is its own or that of its scheme."""
        if not self.url:
            return Endpoint(self.address, self.port)
        host, port = self.address, None
        # Either may be malformed.
        with suppress(ValueError):
            parts = urlsplit(self.url)
            host = host or parts.hostname or ""
            usual = 443 if parts.scheme == "https" else 80
            port = (usual if parts.port is None else parts.port) if parts.hostname else None
        return Endpoint(host, port)

    def known_address(self) -> str:
        """The address that is connected to, that of a URL in its own notation; empty where a name
        has to be looked up for that."""
        host = self.endpoint().host
        return host if is_address(host) else self.address


def is_address(host: str) -> bool:
    """True for what is no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _value(given: Any, usual: Any) -> Any:
    """What Lua gives, as a value of the kind that a field usually has."""
    if isinstance(usual, int):
        return _number(given, usual)
    return _headers(_text(given)) if isinstance(usual, tuple) else _text(given)


def _number(value: Any, usual: int) -> int:
    if isinstance(value, bytes):
        digits = re.match(rb"\s*\d{1,9}", value)
        return int(digits[0]) if digits else usual
    return usual if value is None else int(value)


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


_FIELDS: Final = [(field.name, field.default) for field in fields(Check)]
_USUAL: Final = {name: usual for name, usual in _FIELDS if usual is not MISSING}
_LATER: Final = frozenset(("minimum_failures", "headers"))
_KINDS: Final = [(name, str if usual is MISSING else type(usual)) for name, usual in _FIELDS]


class HealthView(Protocol):
    """What the engine may ask. Must not block: it reads what a checker found earlier."""

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        """True: up. False: down. None: not yet known (the implementation takes note of the check,
        so that it is known soon, if that may be made). ``zone`` is the apex of the zone whose code
        asks."""

    def weight(self, check: Check) -> int:
        """Of a check that is up: the number in the body that was fetched, 1 where there is none."""

    def generation(self) -> int:
        """A number that changes whenever any status or weight may have changed; lets callers
        cache."""

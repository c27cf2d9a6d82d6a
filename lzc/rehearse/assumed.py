"""The world as an operator says it is: who asks, from where, when, and what is up.

What would be answered in it is for `lzc.rehearse.rehearsal` to find out.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from struct import pack
from typing import Final, NamedTuple

from lzc.config import parse_endpoint
from lzc.health_check import Check
from lzc.lua.engine.geo import GeoFields, GeoView
from lzc.lua.health.reach import Refusal
from lzc.wire import edns

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

LOOPBACK: Final = ipaddress.IPv4Address("127.0.0.1")
LOOPBACK_6: Final = ipaddress.IPv6Address("::1")

LAST: Final = datetime(2106, 1, 1, tzinfo=UTC).timestamp()
"""Seconds since the epoch at which no time begins that may be assumed."""

PLACE_FIELDS: Final = {
    "country": "country",
    "continent": "continent",
    "region": "region",
    "city": "city",
    "lat": "latitude",
    "lon": "longitude",
    "asn": "asn",
}
"""The parts of a place as operators name them -> as geo databases have them."""


STATUS: Final = {True: "up", False: "down", None: "unknown"}
"""The words for a health status."""


class Target(NamedTuple):
    """What a health status is assumed of: a port of an address; with port 0 all of its ports;
    without an address everything."""

    address: Address | None
    port: int = 0

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``IP``, ``IP:PORT``, ``[IP]:PORT`` or ``all``. Raises `ValueError`."""
        if text == "all":
            return cls(None)
        with suppress(ValueError):
            return cls(ipaddress.ip_address(text))
        with suppress(ValueError):
            address, port = parse_endpoint(text)
            if port:
                return cls(ipaddress.ip_address(address), port)
        raise ValueError(f"{text} is neither an address nor ADDRESS:PORT nor all")

    def __str__(self) -> str:
        if self.address is None:
            return "all"
        if not self.port:
            return str(self.address)
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)
        return f"{host}:{self.port}"


RefusalOf = Callable[[Check, bytes], Refusal | None]
"""Why a check that the code of a zone (its apex) asks for is not made, or `None`."""


class AssumedHealth:
    """All checks are up, but for those told otherwise: `False` is down, `None` not known yet. Where
    several targets match, the closest one counts: a port, before its address, before ``all``. Of
    those that a server does not make, as ``refusal`` says, nothing is ever known."""

    def __init__(
        self,
        statuses: Mapping[Target, bool | None],
        refusal: RefusalOf = lambda _check, _zone: None,
    ) -> None:
        self._statuses = statuses
        self._refusal = refusal

    def status(self, check: Check, zone: bytes = b"") -> bool | None:
        """What is assumed. The port of a URL without one is that of its scheme; a check without an
        address has that of its URL, if a name does not stand there."""
        if self._refusal(check, zone) is not None:
            return None
        known = check.known_address()
        address = ipaddress.ip_address(known) if known else None
        for target in (Target(address, check.endpoint().port or 0), Target(address), Target(None)):
            if target in self._statuses:
                return self._statuses[target]
        return True

    def weight(self, check: Check) -> int:
        """All that is up weighs the same."""
        return 1

    def generation(self) -> int:
        """Nothing ever changes."""
        return 0


class AssumedPlace:
    """One address is where an operator says; of all others the databases are asked."""

    def __init__(self, known: GeoView | None, address: bytes, fields: GeoFields) -> None:
        self._known = known
        self._address = address
        self._fields = fields

    def lookup(self, address: bytes) -> GeoFields:
        """All that is known of a packed address."""
        if address == self._address:
            return self._fields
        return self._known.lookup(address) if self._known is not None else {}


def parse_place(text: str) -> GeoFields:
    """Read ``country=DE,continent=EU,region=HE,city=…,lat=50.1,lon=8.7,asn=64497``, each of them
    optional. Raises `ValueError`."""
    fields: GeoFields = {}
    for part in text.split(","):
        key, equals, value = part.partition("=")
        name = PLACE_FIELDS.get(key.strip())
        if name is None or not equals or not value.strip():
            known = ", ".join(f"{each}=…" for each in PLACE_FIELDS)
            raise ValueError(f"{part.strip()!r} is none of {known}")
        fields[name] = _field(name, value.strip())
    return check_place(fields)


def _field(name: str, value: str) -> str | float | int:
    if name in ("latitude", "longitude"):
        return float(value)
    return int(value.upper().removeprefix("AS")) if name == "asn" else value


def check_place(fields: GeoFields) -> GeoFields:
    """The same fields. Raises `ValueError` for coordinates off the map, or only one of the two."""
    for name, limit in (("latitude", 90), ("longitude", 180)):
        if not -limit <= float(fields.get(name, 0)) <= limit:
            raise ValueError(f"{name} is from -{limit} to {limit} degrees")
    if ("latitude" in fields) != ("longitude" in fields):
        raise ValueError("lat and lon go together")
    return fields


def check_moment(moment: datetime) -> datetime:
    """The same time. Raises `ValueError` where no signature has it: their times have 32 bits."""
    if not 0 <= moment.timestamp() < LAST:
        raise ValueError("a time is from 1970 to 2105")
    return moment


def parse_moment(text: str) -> float:
    """Seconds since the epoch, of a time as ISO 8601 has it; UTC unless it says otherwise. Raises
    `ValueError`."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text} is not a time such as 2026-12-24T18:00 or 2026-12-24") from None
    return check_moment(moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def place_text(fields: GeoFields) -> str:
    """The inverse of `parse_place`."""
    return ",".join(f"{key}={fields[name]}" for key, name in PLACE_FIELDS.items() if name in fields)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Who asks, and how the world is.

    ``subnet`` is the client subnet (ECS) sent along; ``health`` what is assumed of targets (`True`
    up, `False` down, `None` not known yet), all others being up; ``place`` where the client is,
    instead of what the databases say; ``now`` in seconds since the epoch; ``clock_set`` tells that
    LUA records see ``now`` too, and not the clock; ``dnssec`` the DO bit; ``local`` is the address
    that it asks, of its own family, `None` for one that the server listens on.
    """

    now: float
    client: Address = LOOPBACK
    subnet: Network | None = None
    health: tuple[tuple[Target, bool | None], ...] = ()
    place: GeoFields | None = None
    clock_set: bool = False
    dnssec: bool = False
    tcp: bool = False
    local: Address | None = None

    def reached(self, listen: Sequence[Address]) -> bytes:
        """The packed address that the query comes to: the first of those of the client's family
        that a server listens on, or loopback where that stands for all (0.0.0.0, ::). Nothing for a
        client that reaches none."""
        if self.local is not None:
            return self.local.packed
        mine = [address for address in listen if address.version == self.client.version]
        named = [address for address in mine if not address.is_unspecified]
        if mine and not named:
            return (LOOPBACK if self.client.version == 4 else LOOPBACK_6).packed
        return named[0].packed if named else b""

    def located(self, use_subnet: bool) -> bytes:
        """The packed address that decides about the place: PowerDNS's ``bestwho``."""
        if use_subnet and self.subnet is not None:
            return self.subnet.network_address.packed
        return self.client.packed

    def message(self, qname: bytes, qtype: int) -> bytes:
        """The query of such a client in wire format, with ID 0, for a wire name."""
        options = []
        if self.subnet is not None:
            family = 1 if self.subnet.version == 4 else 2
            network = self.subnet.network_address.packed
            subnet = edns.ClientSubnet(family, self.subnet.prefixlen, 0, network)
            options.append(subnet.to_option(0))
        header, question = bytes.fromhex("000000000001000000000001"), qname + pack(">HH", qtype, 1)
        # Whoever understands signatures is taken to understand compact denial.
        flags = edns.DO | edns.CO if self.dnssec else 0
        opt = edns.build(edns.UDP_SIZE, flags=flags, options=options)
        return header + question + opt


def statuses(
    down: Sequence[Target], up: Sequence[Target], unknown: Sequence[Target]
) -> tuple[tuple[Target, bool | None], ...]:
    """What lists of targets assume. Raises `ValueError` for a target in two of them."""
    found: dict[Target, bool | None] = {}
    for targets, status in ((down, False), (up, True), (unknown, None)):
        for target in targets:
            if found.setdefault(target, status) is not status:
                raise ValueError(f"{target} cannot be in two states at once")
    return tuple(found.items())

"""Where clients are, for plans: what is found is kept, in one memory for all plans each, so that
thousands of plans take no more than one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from lzc.lua.engine.geo import GeoView


class Location(NamedTuple):
    """What is known of an address: codes, degrees, the number of the AS and the organisation that
    holds it (``name``), and whether the latitude is known. Texts are in lower case."""

    country: bytes | None
    continent: bytes | None
    region: bytes | None
    latitude: float
    longitude: float
    asnum: Any
    city: bytes | None
    name: bytes | None
    is_located: bool


FIELDS: Final = {
    field: Location._fields.index(field) for field in ("country", "continent", "region", "asnum")
}
"""What conditions ask for, and where it is."""

UNKNOWN: Final = b"--"
"""What countryCode and its like give for no code."""

_LOCATIONS: Final = 32_768
_DECISIONS: Final = 65_536

Condition = Callable[[bytes], bool]


@dataclass(slots=True, eq=False)
class Contest:
    """Candidates and their addresses; compared by identity, as what memories are kept by."""

    candidates: Sequence[tuple[Any, bytes]]


@dataclass(slots=True, eq=False)
class Decision:
    """Conditions, tried in order; compared by identity."""

    conditions: list[Condition]


class Geolocator:
    """What geo databases know of addresses, and what follows from it.

    ``locate`` gives the `Location` of a packed address; ``nearest`` the candidates of a `Contest`
    that are nearest to one; ``branch`` which condition of a `Decision` is the first to hold for
    one, or their number for none. So many ``locations``, and so many ``decisions`` of either kind
    are kept.
    """

    def __init__(
        self, geo: GeoView | None, locations: int = _LOCATIONS, decisions: int = _DECISIONS
    ) -> None:
        self._geo = geo
        self.locate = lru_cache(locations)(self._read)
        self.nearest = lru_cache(decisions)(self._find_nearest)
        self.branch = lru_cache(decisions)(self._find_branch)

    def condition(self, name: str, *arguments: Any) -> Condition:
        """A condition as plans have it. Raises `ValueError` or `TypeError` for what is none."""
        if name == "netmask":
            return is_within(*arguments)
        if name == "not":
            (inner,) = arguments
            holds = self.condition(*inner)
            return lambda who: not holds(who)
        if name in ("every", "some"):
            (inner,) = arguments
            found = [self.condition(*condition) for condition in inner]
            combine = all if name == "every" else any
            return lambda who: combine(holds(who) for holds in found)
        if name == "octets":
            (octets,) = arguments
            return lambda who: len(who) == octets
        locate = self.locate
        if name == "code":
            field, code = FIELDS[arguments[0]], arguments[1].encode()
            return lambda who: (locate(who)[field] or UNKNOWN) == code
        field, (wanted,) = FIELDS[name], arguments
        codes = frozenset(value.encode() if isinstance(value, str) else value for value in wanted)
        return lambda who: locate(who)[field] in codes

    def _find_branch(self, decision: Decision, who: bytes) -> int:
        conditions = decision.conditions
        for number, holds in enumerate(conditions):
            if holds(who):
                return number
        return len(conditions)

    def _find_nearest(self, contest: Contest, who: bytes) -> tuple[Any, ...]:
        here = self.locate(who)
        latitude, longitude = here.latitude, here.longitude
        least = float("inf")
        nearest: list[Any] = []
        for candidate, address in contest.candidates:
            there = self.locate(address)
            dy, dx = latitude - there.latitude, longitude - there.longitude
            # From the east to the west only, as PowerDNS does.
            if dx > 180:
                dx = 360 - dx
            distance = dy * dy + dx * dx
            if distance < least:
                least, nearest = distance, [candidate]
            elif distance == least:
                nearest.append(candidate)
        return tuple(nearest)

    def _read(self, packed: bytes) -> Location:
        fields = self._geo.lookup(packed) if self._geo is not None else {}
        return Location(
            _code(fields.get("country")),
            _code(fields.get("continent")),
            _code(fields.get("region")),
            float(fields.get("latitude", 0)),
            float(fields.get("longitude", 0)),
            fields.get("asn"),
            _code(fields.get("city")),
            _code(fields.get("name")),
            fields.get("latitude") is not None,
        )


def is_within(networks: list[Any]) -> Condition:
    """Whether an address is in one of the networks, which are given in hex with their length."""
    found: dict[int, list[tuple[int, int]]] = {4: [], 16: []}
    for text, bits in networks:
        network = bytes.fromhex(text)
        shift = len(network) * 8 - bits
        found[len(network)].append((int.from_bytes(network, "big") >> shift, shift))

    def contained(who: bytes) -> bool:
        number = int.from_bytes(who, "big")
        return any(number >> shift == base for base, shift in found[len(who)])

    return contained


def _code(value: Any) -> bytes | None:
    return None if value is None else str(value).encode().lower()

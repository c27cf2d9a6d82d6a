"""Where clients are, for plans: what is found is kept, in one memory for all plans each, so that
thousands of plans take no more than one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from lzc.lua.engine.engine import GeoView

Location = tuple[Any, ...]
"""What is known of an address: country, continent, region, latitude, longitude, AS number, city,
organisation of the AS, and whether the latitude is known. Texts are in lower case."""

COUNTRY, CONTINENT, REGION, LATITUDE, LONGITUDE, ASN, CITY, NAME, LOCATED = range(9)

FIELDS: Final = {"country": COUNTRY, "continent": CONTINENT, "region": REGION, "asnum": ASN}

UNKNOWN: Final = b"--"
"""What countryCode and its like give for no code."""

_PLACES: Final = 32_768
_DECISIONS: Final = 65_536

Condition = Callable[[bytes], bool]


class Contest:
    """Candidates and their addresses; compared by identity, as what memories are kept by."""

    __slots__ = ("candidates",)

    def __init__(self, candidates: Sequence[tuple[Any, bytes]]) -> None:
        self.candidates = candidates


class Decision:
    """Conditions, tried in order; compared by identity."""

    __slots__ = ("conditions",)

    def __init__(self, conditions: list[Condition]) -> None:
        self.conditions = conditions


class Places:
    """What geo databases know of addresses, and what follows from it.

    ``place`` gives the `Location` of a packed address; ``nearest`` the candidates of a `Contest`
    that are nearest to one; ``branch`` which condition of a `Decision` is the first to hold for
    one, or their number for none. So many ``places``, and so many ``decisions`` of either kind are
    kept.
    """

    def __init__(
        self, geo: GeoView | None, places: int = _PLACES, decisions: int = _DECISIONS
    ) -> None:
        self._geo = geo
        self.place = lru_cache(places)(self._read)
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
        place = self.place
        if name == "code":
            field, code = FIELDS[arguments[0]], arguments[1].encode()
            return lambda who: (place(who)[field] or UNKNOWN) == code
        field, (wanted,) = FIELDS[name], arguments
        codes = frozenset(value.encode() if isinstance(value, str) else value for value in wanted)
        return lambda who: place(who)[field] in codes

    def _find_branch(self, decision: Decision, who: bytes) -> int:
        conditions = decision.conditions
        for number, holds in enumerate(conditions):
            if holds(who):
                return number
        return len(conditions)

    def _find_nearest(self, contest: Contest, who: bytes) -> tuple[Any, ...]:
        here = self.place(who)
        latitude, longitude = here[LATITUDE], here[LONGITUDE]
        least = float("inf")
        nearest: list[Any] = []
        for candidate, address in contest.candidates:
            place = self.place(address)
            dy, dx = latitude - place[LATITUDE], longitude - place[LONGITUDE]
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
        return (
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

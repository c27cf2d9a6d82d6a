"""What geo databases know of an address.

Databases are maxminddb readers, opened by the caller. Several may be given, such as a city and an
AS database: a field comes from the first that has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from math import isfinite
from typing import Any, Final, Protocol

GeoFields = dict[str, str | float | int]
"""``country``, ``continent`` and ``region`` (ISO codes as the database has them), ``latitude`` and
``longitude`` (degrees), ``city``, ``asn``, and ``name`` of the organisation that holds the AS;
fields not known are left out."""


LONGEST: Final = 1024
"""Characters of a field at most: thousands of places are kept."""


class GeoView(Protocol):
    """What geo functions ask, such as a `Geo`."""

    def lookup(self, address: bytes) -> GeoFields:
        """All that is known of a packed address (4 or 16 octets), by field."""


class GeoReader(Protocol):
    """The part of `maxminddb.Reader` that is used."""

    def get(self, ip_address: IPv4Address | IPv6Address, /) -> Any:
        """The record of an address, or `None`; `ValueError` for IPv6 in an IPv4 database."""


class Geo:
    """Looks addresses up, as a `GeoView`; keeps the last ``size`` answers."""

    def __init__(self, readers: Sequence[GeoReader], size: int = 65_536) -> None:
        self._readers = tuple(readers)
        self.lookup = lru_cache(size)(self._read)

    def _read(self, address: bytes) -> GeoFields:
        fields: GeoFields = {}
        unpacked = IPv4Address(address) if len(address) == 4 else IPv6Address(address)
        for reader in self._readers:
            try:
                record = reader.get(unpacked)
            except ValueError:
                continue
            if isinstance(record, dict):
                for name, value in _fields_of(record):
                    # To PowerDNS, an empty text is as good as none.
                    if value is not None and value != "":
                        fields.setdefault(name, value)
        return fields


def _fields_of(record: dict[str, Any]) -> list[tuple[str, Any]]:
    """The fields of a record; those of another kind than they should be are not known."""

    def part(name: str) -> dict[str, Any]:
        value = record.get(name)
        return value if isinstance(value, dict) else {}

    subdivisions = record.get("subdivisions")
    first = subdivisions[0] if isinstance(subdivisions, list) and subdivisions else {}
    location = part("location")
    if "accuracy_radius" not in location:
        # PowerDNS takes a location without a radius for none; candidates must be ranked alike.
        location = {}
    names = part("city").get("names")
    number = record.get("autonomous_system_number")
    return [
        ("country", _text(part("country").get("iso_code"))),
        ("continent", _text(part("continent").get("code"))),
        ("region", _text(first.get("iso_code") if isinstance(first, dict) else None)),
        ("latitude", _degrees(location.get("latitude"))),
        ("longitude", _degrees(location.get("longitude"))),
        ("city", _text(names.get("en") if isinstance(names, dict) else None)),
        ("asn", number if type(number) is int else None),
        ("name", _text(record.get("autonomous_system_organization"))),
    ]


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and len(value) <= LONGEST else None


def _degrees(value: Any) -> float | None:
    """As PowerDNS takes a coordinate: a double, of which it keeps six decimals."""
    return float(f"{value:f}") if isinstance(value, float) and isfinite(value) else None

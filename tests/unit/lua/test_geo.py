"""Places come from databases given by the caller."""

import ipaddress
from typing import Any

import pytest

from lzc.lua.engine.geo import Geo

CITY = {
    "continent": {"code": "EU"},
    "country": {"iso_code": "NL"},
    "subdivisions": [{"iso_code": "NH"}, {"iso_code": "XX"}],
    "city": {"names": {"en": "Amsterdam", "nl": "Mokum"}},
    "location": {"latitude": 52.0, "longitude": 4.0, "accuracy_radius": 10},
}
ADDRESS = bytes([192, 0, 2, 1])


class Reader:
    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers
        self.asked = 0

    def get(self, ip_address: ipaddress.IPv4Address | ipaddress.IPv6Address, /) -> Any:
        self.asked += 1
        if ip_address.version == 6:
            raise ValueError("an IPv4 database")
        return self.answers.get(str(ip_address))


def test_fields_of_several_databases_are_merged_the_first_wins() -> None:
    city = Reader({"192.0.2.1": CITY})
    system = Reader(
        {"192.0.2.1": {"autonomous_system_number": 64500, "country": {"iso_code": "X"}}}
    )
    assert Geo([city, system]).lookup(ADDRESS) == {
        "country": "NL",
        "continent": "EU",
        "region": "NH",
        "city": "Amsterdam",
        "latitude": 52.0,
        "longitude": 4.0,
        "asn": 64500,
    }


def test_unknown_addresses_and_odd_records_give_no_fields() -> None:
    geo = Geo([Reader({"192.0.2.1": {"country": "NL", "subdivisions": {}, "location": []}})])
    assert geo.lookup(ADDRESS) == {}
    assert geo.lookup(bytes([192, 0, 2, 2])) == {}
    assert geo.lookup(bytes(16)) == {}


IPINFO = {"country": "NL", "continent": "EU", "region": "North Holland", "loc": "52.0,4.0"}
IPINFO_LITE = {"country_code": "NL", "continent_code": "EU", "asn": "AS64500"}
SAPICS = {"country_code": "NL", "city": "Amsterdam", "latitude": 52.0, "longitude": 4.0}


@pytest.mark.parametrize("record", [IPINFO, IPINFO_LITE, SAPICS])
def test_layouts_that_powerdns_does_not_read_say_nothing_here_either(record: object) -> None:
    """A secondary would answer otherwise if they did."""
    assert Geo([Reader({"192.0.2.1": record})]).lookup(ADDRESS) == {}


def test_empty_texts_are_not_known() -> None:
    empty = {
        "country": {"iso_code": ""},
        "continent": {"code": "EU"},
        "subdivisions": [{"iso_code": ""}],
        "city": {"names": {"en": ""}},
        "autonomous_system_organization": "",
    }
    second = Reader({"192.0.2.1": {"country": {"iso_code": "DE"}}})
    geo = Geo([Reader({"192.0.2.1": empty}), second])
    assert geo.lookup(ADDRESS) == {"continent": "EU", "country": "DE"}


def test_a_location_without_accuracy_radius_is_none() -> None:
    geo = Geo([Reader({"192.0.2.1": {"location": {"latitude": 52.0, "longitude": 4.0}}})])
    assert geo.lookup(ADDRESS) == {}


@pytest.mark.difference("D-33")
def test_coordinates_are_doubles_of_which_six_decimals_count() -> None:
    location = {"latitude": 51.9999996, "longitude": -0.0000004, "accuracy_radius": 1}
    found = Geo([Reader({"192.0.2.1": {"location": location}})]).lookup(ADDRESS)
    assert (found["latitude"], str(found["longitude"])) == (52.0, "-0.0")
    whole = Geo([Reader({"192.0.2.1": {"location": {**location, "latitude": 52}}})])
    assert "latitude" not in whole.lookup(ADDRESS)


def test_the_last_answers_are_kept() -> None:
    reader = Reader({})
    geo = Geo([reader], size=2)
    first, second, third = (bytes([192, 0, 2, last]) for last in (1, 2, 3))
    for address in (first, second, first, third, first, second):
        geo.lookup(address)
    assert reader.asked == 4


@pytest.mark.parametrize(
    "odd", [b"DE", 7, 1.5, {"a": 1}, ["DE"], True, "x" * 2000, float("nan"), float("inf")]
)
def test_fields_of_another_kind_are_not_known(odd: object) -> None:
    """A database may be damaged, or made by anybody: what is kept must have an order and a size."""
    record = {
        "country": {"iso_code": odd},
        "continent": {"code": odd},
        "subdivisions": [{"iso_code": odd}],
        "location": {"latitude": odd, "longitude": odd, "accuracy_radius": odd},
        "city": {"names": {"en": odd}},
        "autonomous_system_number": odd,
        "autonomous_system_organization": odd,
    }
    fields = Geo([Reader({"192.0.2.1": record})]).lookup(ADDRESS)
    expected: dict[str, float] = {"asn": 7} if odd == 7 else {}
    if odd == 1.5:
        expected = {"latitude": 1.5, "longitude": 1.5}
    assert fields == expected

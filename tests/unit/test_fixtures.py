"""The example project says what it promises, and its geo database is made from its script."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import maxminddb
import pytest

from lzc import config

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture(scope="module")
def make_geo() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_geo", FIXTURES / "geo" / "make_geo.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_geo_database_is_what_its_script_makes(make_geo: ModuleType, tmp_path: Path) -> None:
    make_geo.make(tmp_path / "made.mmdb")
    made = (tmp_path / "made.mmdb").read_bytes()
    assert made == (FIXTURES / "geo" / "example.mmdb").read_bytes()


@pytest.mark.parametrize(
    ("address", "country", "continent"),
    [
        ("127.1.2.3", "NL", "EU"),
        ("127.2.2.3", "US", "NA"),
        ("192.0.2.1", "NL", "EU"),
        ("192.0.2.200", "ZA", "AF"),
        ("203.0.113.1", "JP", "AS"),
        ("2001:db8:4::1", "AU", "OC"),
        ("2001:200::1", "JP", "AS"),
    ],
)
def test_loopback_and_documentation_addresses_are_on_the_map(
    address: str, country: str, continent: str
) -> None:
    with maxminddb.open_database(FIXTURES / "geo" / "example.mmdb") as reader:
        entry = reader.get(address)
    assert isinstance(entry, dict)
    assert entry["country"] == {"iso_code": country}
    assert entry["continent"] == {"code": continent}


def test_addresses_that_are_nowhere_stay_so() -> None:
    with maxminddb.open_database(FIXTURES / "geo" / "example.mmdb") as reader:
        assert reader.get("127.0.0.1") is None
        assert reader.get("2001:db8:8::1") is None


def test_the_configuration_loads_and_every_zone_it_names_is_there() -> None:
    loaded = config.load(FIXTURES / "lzc.toml")
    zones = {path.stem for path in (FIXTURES / "zones").glob("*.zone")}
    assert len(zones) >= 4
    assert set(loaded.zone) <= zones


def test_lua_records_of_every_kind_are_there() -> None:
    text = "\n".join(path.read_text() for path in sorted((FIXTURES / "zones").glob("*.zone")))
    covered = set(re.findall(r"\bLUA\s+([A-Z]+)", text))
    assert covered >= {"A", "AAAA", "CNAME", "TXT", "PTR", "MX", "SRV", "LUA", "TLSA"}
    for function in (
        *("pickrandom", "pickhashed", "pickwhashed", "pickwrandom", "all", "view", "netmask"),
        *(
            "country",
            "continent",
            "region",
            "pickclosest",
            "latlon",
            "include",
            "ifportup",
            "ifurlup",
        ),
        *("createForward", "createForward6", "createReverse", "createReverse6"),
    ):
        assert f"{function}(" in text, function
    for option in ("selector", "backupSelector", "timeout"):
        assert f"{option}=" in text, option

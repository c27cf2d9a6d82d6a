"""Which settings of a PowerDNS secondary a zone needs, told until ``lzc.toml`` says that they are
set."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from lzc import config
from lzc.compiler.checks.secondary_settings import SETTINGS
from lzc.compiler.pipeline import build, check
from lzc.dnssec.keystore.keystore import Keystore
from lzc.faults import Fault, Severity
from lzc.lua.engine.geo import GeoFields
from lzc.lua.functions import OF_CLIENT
from tests.unit.compiling import wire
from tests.unit.lua_running import Health, Places, Runner, query

NOW = 1_900_000_000.0
LUA_UPDATES, SUBNETS, DNAMES, FOREIGN_KEYS = (setting.name for setting in SETTINGS)
TOP = "$TTL 60\n@ SOA ns h 1 7200 3600 1209600 60\n@ NS ns\nns A 192.0.2.53\n"
KEY = "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="
TOML = """
[build]
sources = ["zones/*.zone"]
[lua]
enable = true
powerdns = "4.7"
[serve]
edns-client-subnet = {subnets}
[tsig."k."]
secret = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
[[secondary]]
name = "ns2"
address = "127.0.0.1:5301"
software = "{software}"
tsig = "k."
settings = [{settings}]
"""


class Operator:
    """Who writes the project in a folder, and builds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "zones").mkdir()
        self.configure()

    def configure(
        self, software: str = "powerdns-5.1", settings: str = "", more: str = "", **switches: bool
    ) -> None:
        subnets = str(switches.get("subnets", True)).lower()
        text = TOML.format(software=software, settings=settings, subnets=subnets) + more
        (self.folder / "lzc.toml").write_text(text)
        (self.folder / "lzc.toml").chmod(0o600)

    def zone(self, name: str, text: str) -> None:
        (self.folder / "zones" / f"{name}.zone").write_text(TOP + text)

    def told(self, *, checks: bool = False) -> list[Fault]:
        path = self.folder / "lzc.toml"
        made = (check if checks else build)(config.load(path), config_path=path, now=NOW)
        return [fault for fault in made.warnings if fault.rule == "secondary-setting"]

    def needed(self) -> list[str]:
        return [fault.message.split(" needs ")[1].split("=")[0] for fault in self.told()]


@pytest.fixture
def operator(tmp_path: Path) -> Operator:
    return Operator(tmp_path)


@pytest.mark.parametrize(
    ("text", "since_5_1", "before"),
    [
        ("www A 192.0.2.1\n", [], []),
        ("www LUA A \"'192.0.2.1'\"\n", [LUA_UPDATES], []),
        ("www LUA A \"ifportup(80, {'192.0.2.1'})\"\n", [LUA_UPDATES], []),
        (
            "www LUA A \"ifportup(80, {'192.0.2.1', '192.0.2.2'}, {selector='hashed'})\"\n",
            [LUA_UPDATES, SUBNETS],
            [SUBNETS],
        ),
        ('www LUA TXT "bestwho:toString()"\n', [LUA_UPDATES, SUBNETS], [SUBNETS]),
        ('www LUA TXT "who:toString()"\n', [LUA_UPDATES], []),
        ("old DNAME example.net.\n", [DNAMES], [DNAMES]),
        # An unsigned zone has them served as they are.
        (f"@ DNSKEY {KEY}\n", [], []),
    ],
)
def test_only_what_a_zone_and_a_version_need_is_told(
    operator: Operator, text: str, since_5_1: list[str], before: list[str]
) -> None:
    operator.zone("example.org", text)
    assert operator.needed() == since_5_1
    for software in ("powerdns-5.0", "powerdns-4.9", "powerdns-4.7"):
        operator.configure(software)
        assert operator.needed() == before
    for software in ("bind", "generic"):
        operator.configure(software)
        assert operator.needed() == []


def test_it_is_told_once_a_setting_with_all_zones_until_it_is_said_to_be_set(
    operator: Operator,
) -> None:
    for number in range(5):
        operator.zone(f"z{number}.example", "old DNAME example.net.\nwww LUA A \"'192.0.2.1'\"\n")
    updates, dnames = operator.told()
    assert updates.severity is dnames.severity is Severity.WARNING
    assert dnames.message.endswith(
        "DNAME records in z0.example., z1.example., z2.example. and 2 more"
    )
    assert str(dnames.place).endswith("lzc.toml:12:1")
    # What is remembered of zones that need not be built again tells as much.
    assert operator.told() == operator.told(checks=True) == [updates, dnames]
    assert updates.fix == dnames.fix
    assert dnames.fix.endswith(f'settings = ["{LUA_UPDATES}", "{DNAMES}"]')
    operator.configure(settings=f'"{DNAMES}"')
    (left,) = operator.told()
    assert left.message == updates.message
    assert left.fix.endswith(f'settings = ["{DNAMES}", "{LUA_UPDATES}"]')
    operator.configure(settings=f'"{DNAMES}", "{LUA_UPDATES}"')
    assert operator.told() == []


def test_a_server_without_client_subnets_wants_none_of_a_secondary(operator: Operator) -> None:
    operator.configure("powerdns-4.9", subnets=False)
    operator.zone("example.org", "www LUA A \"pickhashed({'192.0.2.1', '192.0.2.2'})\"\n")
    assert operator.needed() == []


def test_the_keys_of_the_zone_itself_are_no_foreign_ones(operator: Operator) -> None:
    operator.configure("powerdns-4.9", more='[zone."example.org"]\ndnssec = true\n')
    key = Keystore(operator.folder / "keys").generate(wire("example.org"), 15, [257], NOW)[0]
    own = f"@ DNSKEY {key.flags} 3 15 {base64.b64encode(key.dnskey[4:]).decode()}\n"
    operator.zone("example.org", own)
    assert operator.needed() == []
    operator.zone("example.org", own + f"@ DNSKEY {KEY}\n")
    assert operator.needed() == [FOREIGN_KEYS]


def test_where_lua_is_off_no_code_looks_at_a_client_but_the_records_are_transferred(
    operator: Operator,
) -> None:
    operator.configure(more='[zone."example.org"]\nlua = false\n')
    operator.zone("example.org", "www LUA A \"pickhashed({'192.0.2.1', '192.0.2.2'})\"\n")
    assert operator.needed() == [LUA_UPDATES]


_PLAIN = ", ".join(f"'192.0.2.{number}'" for number in range(1, 33))
_WEIGHTED = ", ".join(f"{{1, '192.0.2.{number}'}}" for number in range(1, 33))
_HERE = "({}) and 'here' or 'elsewhere'"
CALLS = {
    "asnum": _HERE.format("asnum(64500)"),
    "bestwho": "bestwho:toString()",
    "closestMagic": "closestMagic()",
    "continent": _HERE.format("continent('EU')"),
    "continentCode": "continentCode()",
    "country": _HERE.format("country('NL')"),
    "countryCode": "countryCode()",
    "ecswho": "ecswho:toString()",
    "latlon": "latlon()",
    "latlonloc": "latlonloc()",
    "netmask": _HERE.format("netmask({'198.51.100.0/25'})"),
    "pickchashed": f"pickchashed({{{_WEIGHTED}}})",
    "pickclosest": "pickclosest({'198.51.100.1', '198.51.100.129'})",
    "pickhashed": f"pickhashed({{{_PLAIN}}})",
    "pickselfweighted": f"pickselfweighted('http://a.example/', {{{_PLAIN}}})",
    "pickwhashed": f"pickwhashed({{{_WEIGHTED}}})",
    "region": _HERE.format("region('NH')"),
    "regionCode": "regionCode()",
    "view": "view({{{'198.51.100.0/25'}, {'192.0.2.1'}}, {{'0.0.0.0/0'}, {'192.0.2.2'}}})",
}
"""What gives another answer to a client of 198.51.100.0/25 than to one of 198.51.100.128/25."""


def test_what_is_said_to_look_at_the_network_of_the_client_does() -> None:
    near: GeoFields = {"country": "NL", "continent": "EU", "region": "NH", "asn": 64500}
    far: GeoFields = {"country": "US", "continent": "NA"}
    places = Places(
        {
            f"198.51.100.{host}": {**fields, "latitude": float(host), "longitude": float(host)}
            for first, fields in ((0, near), (128, far))
            for host in (first, first + 1)
        }
    )
    run = Runner(places=places, health=Health(otherwise=True))
    assert CALLS.keys() == {name.decode() for name in OF_CLIENT}
    for name, code in CALLS.items():
        qname = "198.51.100.1.198.51.100.129.example.org." if name == "closestMagic" else "a.org."
        answers = [run(code, query(qname, subnet=f"198.51.100.{net}/25")) for net in (0, 128)]
        assert answers[0] != answers[1], name


def test_what_is_not_said_to_gives_one_answer_to_all() -> None:
    run = Runner()
    for code in ("who:toString()", f"picknamehashed({{{_WEIGHTED}}})", "latlonMagic()"):
        first, second = (run(code, query(subnet=f"198.51.100.{net}/25")) for net in (0, 128))
        assert first == second
    assert not {b"who", b"picknamehashed", b"latlonMagic", b"pickrandom"} & set(OF_CLIENT)

"""Which settings PowerDNS needs as a secondary: of each version, with and without, as
`lzc.compiler.checks.secondary_settings` has them."""

from __future__ import annotations

import contextlib
import shlex
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import dns.rcode
import maxminddb
import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from lzc.compiler.checks.secondary_settings import SETTINGS, Setting
from lzc.lua.engine.geo import Geo
from lzc.powerdns_versions import parse_version
from tests.peers._peers.asking import Client, ask
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, Process, free_port, wait_until
from tests.peers._peers.project import TSIG_NAME, Project
from tests.peers._peers.releases import POWERDNS, Release

SIGNED: Final = "signed.example"
LUA: Final = "lua.example"
PLAIN: Final = "plain.example"
TOP: Final = "$TTL 60\n@ SOA ns1 h 1 3600 3600 1209600 60\n@ NS ns1\nns1 A 192.0.2.53\n"
FOREIGN: Final = "257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4="
ZONES: Final = {
    SIGNED: f"@ DNSKEY {FOREIGN}\n@ CDNSKEY {FOREIGN}\n",
    LUA: 'who LUA TXT "bestwho:toString()"\n'
    "where LUA TXT \"countryCode() .. ' ' .. continentCode() .. ' ' .. latlon()\"\n",
    PLAIN: f"@ DNSKEY {FOREIGN}\nold DNAME www\na.www A 192.0.2.1\n",
}
NOTHING: Final = '"-- -- 0.000000 0.000000"'
CLIENT: Final = Client(subnet="198.51.100.0/24")


class Setup:
    """lzc, and a secondary of some version at ``port`` that is set up anew for each question."""

    def __init__(self, folder: Path, release: Release) -> None:
        self.folder, self.release, self.port = folder, release, free_port()
        self.project = Project(folder / "project")
        for file in (self.project.folder / "zones").glob("*.zone"):
            file.unlink()
        for name, text in ZONES.items():
            self.project.zone_file(name).write_text(TOP + text)
        self.project.config.write_text(
            '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
            f'[zone."{SIGNED}"]\ndnssec = true\n'
            f'[serve]\nlisten = ["{LOOPBACK}:{self.project.port}"]\n'
            f'[tsig."{TSIG_NAME}"]\nsecret-file = "keys/transfer.tsig"\n'
            f'[[secondary]]\nname = "ns2"\naddress = "{LOOPBACK}:{self.port}"\n'
            f'software = "{release}"\ntsig = "{TSIG_NAME}"\n'
        )
        self.project.lzc("keys", "generate", "--algorithm", "15", SIGNED)
        self.told = self.project.lzc("build").stderr

    @contextlib.contextmanager
    def secondary(
        self, name: str, switch: str, *zones: str, geo: Path | None = None
    ) -> Iterator[Process]:
        """It runs while the block does, with the setting on or off, and with all zones, of which
        it has these when the block starts."""
        database = geo or self.project.folder / "geo" / "example.mmdb"
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        settings = [f"{name}={switch}"]
        pdns = PowerDns(folder, self.port, self.project.port, database, self.release, settings)
        for zone in ZONES:
            pdns.add_zone(zone)
        exported = ["--format", "powerdns", "-o", str(folder / "exported")]
        for line in self.project.lzc("keys", "export", SIGNED, *exported).stdout.splitlines():
            pdns.pdnsutil(*shlex.split(line)[1:])
        with pdns.run(zones) as process:
            yield process

    def needs(self, setting: Setting) -> bool:
        version = parse_version(str(self.release))
        assert version is not None
        return version >= setting.since

    def answer(self, port: int, name: str, kind: str) -> tuple[str, set[str]]:
        """The response code and all records of the answer."""
        reply = ask(port, name, kind, CLIENT)
        texts = {rdata.to_text() for rrset in reply.answer for rdata in rrset}
        return dns.rcode.to_text(reply.rcode()), texts


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    release: Release = request.param
    release.require()
    made = Setup(tmp_path_factory.mktemp("settings"), release)
    with made.project.serve(zone=PLAIN):
        yield made


def test_a_build_tells_what_this_version_needs(setup: Setup) -> None:
    for setting in SETTINGS:
        assert (f"needs {setting.name}=yes" in setup.told) is setup.needs(setting)


@pytest.mark.parametrize(
    ("name", "question", "without"),
    [
        ("edns-subnet-processing", (f"who.{LUA}", "TXT"), ("NOERROR", {'"127.0.0.1"'})),
        ("dname-processing", (f"a.old.{PLAIN}", "A"), ("NXDOMAIN", set())),
    ],
)
def test_a_setting_that_is_told_makes_the_difference(
    setup: Setup, name: str, question: tuple[str, str], without: tuple[str, set[str]]
) -> None:
    zone = question[0].partition(".")[2].removeprefix("old.")
    ours = setup.answer(setup.project.port, *question)
    with setup.secondary(name, "no", zone):
        assert setup.answer(setup.port, *question) == without != ours
    with setup.secondary(name, "yes", zone):
        assert setup.answer(setup.port, *question) == ours


def test_keys_of_other_signers_are_answered_from_zones_that_powerdns_signs(setup: Setup) -> None:
    """CDNSKEY and CDS are so without the setting, and so are the DNSKEYs of unsigned zones."""
    for switch, count in (("no", 1), ("yes", 2)):
        with setup.secondary("direct-dnskey", switch, SIGNED, PLAIN):
            assert len(setup.answer(setup.port, SIGNED, "DNSKEY")[1]) == count
            for zone, kind in ((SIGNED, "CDNSKEY"), (PLAIN, "DNSKEY")):
                ours = setup.answer(setup.project.port, zone, kind)
                assert setup.answer(setup.port, zone, kind) == ours
    assert len(setup.answer(setup.project.port, SIGNED, "DNSKEY")[1]) == 2


@pytest.mark.parametrize(
    ("layout", "record", "answer"),
    [
        ("maxmind", {"country": {"iso_code": "NL"}}, '"nl -- 0.000000 0.000000"'),
        ("ipinfo", {"country": "NL", "continent": "EU"}, NOTHING),
        ("ipinfo-lite", {"country_code": "NL", "continent_code": "EU"}, NOTHING),
        ("sapics", {"country_code": "NL", "latitude": 52.0, "longitude": 4.0}, NOTHING),
    ],
)
def test_of_a_geo_database_a_secondary_reads_what_lzc_reads(
    setup: Setup, layout: str, record: dict[str, Any], answer: str
) -> None:
    path = setup.folder / f"{layout}.mmdb"
    writer = MMDBWriter(6, layout, ipv4_compatible=True)
    writer.insert_network(IPSet(["198.51.100.0/24"]), record)
    writer.to_db_file(str(path))
    with maxminddb.open_database(path) as reader:
        fields = Geo([reader]).lookup(bytes((198, 51, 100, 0)))
    assert bool(fields) is (answer != NOTHING)
    with setup.secondary("edns-subnet-processing", "yes", LUA, geo=path):
        assert setup.answer(setup.port, f"where.{LUA}", "TXT") == ("NOERROR", {answer})


def test_zones_with_lua_records_are_refused_since_5_1_and_status_names_the_setting(
    setup: Setup,
) -> None:
    name = "enable-lua-record-updates"
    if not setup.needs(SETTINGS[0]):
        # These take them, and do not know the setting.
        with setup.secondary("dname-processing", "no", LUA):
            assert setup.answer(setup.port, f"who.{LUA}", "TXT")[0] == "NOERROR"
        return
    with setup.secondary(name, "no", PLAIN) as process:
        wait_until(
            lambda: f"{name}=yes in its pdns.conf" in setup.project.lzc("ctl", "status").stdout,
            "status names the setting",
        )
        assert "contains Lua record updates" in process.log_text()
        assert setup.answer(setup.port, f"who.{LUA}", "TXT") == ("REFUSED", set())

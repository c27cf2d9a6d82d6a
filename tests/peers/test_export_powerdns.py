"""PowerDNS of three generations, set up from an empty database by ``lzc export powerdns`` alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tests.peers._peers.asking import Client, ask, essence
from tests.peers._peers.process import free_port, serial_at, wait_until
from tests.peers._peers.project import LUA_ZONES, PLAIN_ZONES, SIGNED_ZONES, Project
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.exported import ExportedPowerDns

ZONES = (*PLAIN_ZONES, *LUA_ZONES)
ODD = r"a\"b;\@c.d\032e\\f.example"
ED25519 = 15


class Setup(NamedTuple):
    """lzc, and the server that was set up."""

    project: Project
    server: ExportedPowerDns

    def export(self) -> None:
        """Write the files, secrets too."""
        folder = self.server.exported.parent
        self.project.lzc("export", "powerdns", "--secrets", "-o", str(folder))


@pytest.fixture(scope="module", params=POWERDNS, ids=str)
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    release: Release = request.param
    release.require()
    folder = tmp_path_factory.mktemp("pdns")
    port = free_port()
    project = Project(folder / "project", [("ns 2/'$", port, str(release))])
    text = project.config.read_text()
    project.config.write_text(
        text.replace(
            '[zone."example.net"]\n',
            '[zone."example.net"]\ndenial = "nsec3-narrow"\npublish-cds = "2"\n',
        )
    )
    odd = project.folder / "zones" / "odd.zone"
    odd.write_text(
        "$TTL 60\n@ SOA ns1.example. h.example. 1 3600 600 86400 60\n@ NS ns1.example.\n"
        "x A 192.0.2.1\n"
    )
    with project.config.open("a") as file:
        file.write(f"[zone.'{ODD}']\nsource = 'zones/odd.zone'\ndnssec = true\n")
    project.generate_keys({"example.org": ED25519, "example.net": ED25519})
    project.lzc("keys", "generate", ODD)
    project.build()
    exported = folder / "exported"
    geo = project.folder / "geo" / "example.mmdb"
    server = ExportedPowerDns(folder / "pdns", release, exported / "ns%202%2F%27%24", port, geo)
    made = Setup(project, server)
    made.export()
    server.provision()
    with project.serve(), server.run(ZONES):
        yield made


def test_once_more_it_changes_nothing(setup: Setup) -> None:
    wait_until(lambda: bool(serial_at(setup.server.port, ODD)), "it has the last zone, too")
    before = setup.server.dump()
    assert setup.server.provision() == ""
    assert setup.server.dump() == before


@pytest.mark.parametrize(
    ("name", "rrtype"),
    [
        ("hashed.det.example.org", "A"),
        ("country.det.example.org", "A"),
        ("static.example.org", "TXT"),
        ("nothing.example.org", "A"),
        ("www.example.net", "A"),
        ("nothing.example.net", "A"),
        ("example.net", "CDS"),
        ("x.star.example.net", "A"),
        ("www.example.com", "A"),
    ],
)
def test_it_gives_the_same_answers_and_signatures(setup: Setup, name: str, rrtype: str) -> None:
    for client in (Client("127.1.2.3"), Client(subnet="192.0.2.0/24")):
        ours = ask(setup.project.port, name, rrtype, client, True)
        theirs = ask(setup.server.port, name, rrtype, client, True)
        assert essence(ours) == essence(theirs)


def test_a_zone_with_any_name_is_transferred_and_signed(setup: Setup) -> None:
    answer = ask(setup.server.port, f"x.{ODD}", "A", dnssec=True)
    assert {rrset.rdtype.name for rrset in answer.answer} == {"A", "RRSIG"}


def test_ixfr_is_for_unsigned_zones_alone(setup: Setup) -> None:
    rows = setup.server.select(
        "select name from domains join domainmetadata on domains.id = domain_id"
        " where kind = 'IXFR' order by name"
    )
    signed = {*SIGNED_ZONES}
    assert [name for (name,) in rows] == sorted(zone for zone in ZONES if zone not in signed)


def test_what_changed_is_followed_and_what_is_not_ours_is_told(setup: Setup) -> None:
    project, server = setup
    text = project.config.read_text()
    changed = text.replace('denial = "nsec3-narrow"', 'denial = "nsec3"\nnsec3-salt = "aabb"')
    assert changed != text
    try:
        project.config.write_text(changed)
        project.lzc("keys", "generate", "example.org", "--add", "--algorithm", str(ED25519))
        project.build()
        setup.export()
        said = server.provision()
        assert "set-nsec3 example.net 1 0 0 aabb" in said and "import" in said, said
        # What it has transferred anew comes meanwhile.
        before = server.dump("records", "domains")
        assert server.provision() == ""
        assert server.dump("records", "domains") == before
        foreign = project.folder / "foreign"
        project.lzc("keys", "export", "example.org", "-o", str(foreign))
        (key, *_) = foreign.glob("*.private")
        server.pdnsutil("import-zone-key", "example.com", str(key), "zsk")
        assert "example.com has a key that lzc does not know" in server.provision()
    finally:
        project.config.write_text(text)

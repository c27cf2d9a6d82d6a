"""PowerDNS whose zones come by SQL: three generations with SQLite, and PostgreSQL and MariaDB."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.peers import databases
from tests.peers._peers.asking import Client, ask, essence
from tests.peers._peers.process import Process, free_port, running, wait_for_zone
from tests.peers._peers.project import LUA_ZONES, PLAIN_ZONES, SIGNED_ZONES, Project
from tests.peers._peers.releases import POWERDNS, Release
from tests.peers.databases import Database
from tests.peers.exported import BASE
from tests.peers.test_presigned import ZONE as PRESIGNED_ZONE
from tests.peers.test_presigned import Way, signed

ODD = Path(__file__).with_name("odd_records.zone")
ODD_ZONES = {
    "odd.example": "",
    "nsec.odd.example": 'dnssec = true\ndenial = "nsec"\n',
    "nsec3.odd.example": 'dnssec = true\ndenial = "nsec3"\nnsec3-salt = "aabb"\n',
    "optout.odd.example": 'dnssec = true\ndenial = "nsec3"\nnsec3-opt-out = true\n',
    "narrow.odd.example": 'dnssec = true\ndenial = "nsec3-narrow"\n',
    r"a\"b;\@c.d\032e\\f.odd.example": "dnssec = true\n",
}
PRESIGNED = {PRESIGNED_ZONE.rstrip("."): Way("bind", 15, ("-3", "-"))}
ZONES = (*PRESIGNED, *PLAIN_ZONES, *LUA_ZONES, *ODD_ZONES)
OTHER = "INSERT INTO domains (name, type) VALUES ('other.example', 'NATIVE');"
ED25519, RSA = 15, 8


class Setup(NamedTuple):
    """lzc, and a database of a PowerDNS of this version."""

    project: Project
    release: Release
    database: Database
    port: int
    folder: Path

    def script(self, *options: str) -> str:
        """What the command writes."""
        words = ("--backend", self.database.backend, "--secrets", *options)
        self.project.lzc("export", "sql", *words, "-o", str(self.folder / "exported"))
        file = self.folder / "exported" / "ns2" / f"powerdns-{self.database.backend}.sql"
        assert file.stat().st_mode & 0o777 == 0o600
        return file.read_text()

    def diff(self, *options: str) -> str:
        """What it says of the database."""
        words = ("--backend", self.database.backend, "--secrets", "--diff", self.database.dsn)
        return self.project.lzc("export", "sql", *words, *options).stdout

    @contextlib.contextmanager
    def run(self) -> Iterator[Process]:
        """Run PowerDNS on the database while the block runs, which starts when it has the zones."""
        folder = self.folder / "pdns"
        (folder / "pdns.d").mkdir(parents=True, exist_ok=True)
        lines = BASE.format(
            modules=self.release.origin.library() / "pdns",
            folder=folder,
            address="127.0.0.1",
            port=self.port,
        ).splitlines()
        kept = [line for line in lines if "sqlite3" not in line]
        text = "\n".join([*kept, self.database.settings])
        (folder / "geoip.yaml").write_text("domains: []\n")
        text += f"launch+=geoip\ngeoip-zones-file={folder}/geoip.yaml\n"
        text += f"geoip-database-files={self.project.folder}/geo/example.mmdb\n"
        text += "secondary=yes\nenable-lua-records=no\n8bit-dns=yes\ndname-processing=yes\n"
        text += "edns-subnet-processing=yes\nlua-health-checks-interval=1\n"
        if self.release.at_least(5, 1):
            text += "enable-lua-record-updates=yes\n"
        (folder / "pdns.conf").write_text(text)
        words = [*self.release.command("pdns_server"), f"--config-dir={folder}"]
        with running([*words, "--guardian=no", "--daemon=no"], folder, "pdns_server") as process:
            for zone in ZONES:
                wait_for_zone(process, self.port, zone)
            yield process


BACKENDS = (
    *((release, "gsqlite3") for release in POWERDNS),
    (POWERDNS[0], "gpgsql"),
    (POWERDNS[0], "gmysql"),
)


@pytest.fixture(
    scope="module",
    params=BACKENDS,
    ids=[f"{release}-{backend}" for release, backend in BACKENDS],
)
def setup(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Setup]:
    release, backend = request.param
    release.require()
    folder = tmp_path_factory.mktemp("sql")
    port = free_port()
    project = Project(folder / "project", [("ns2", port, str(release))])
    (project.folder / "zones" / ODD.name).write_text(ODD.read_text())
    with project.config.open("a") as file:
        for zone, settings in ODD_ZONES.items():
            file.write(f"[zone.'{zone}']\nsource = 'zones/{ODD.name}'\n{settings}")
    for name, way in PRESIGNED.items():
        (folder / "signed").mkdir(exist_ok=True)
        text = signed(folder / "signed" / name, way).read_text()
        (project.folder / "zones" / f"{name}.zone").write_text(text)
        with project.config.open("a") as file:
            file.write(f"[zone.'{name}']\nsource = 'zones/{name}.zone'\n")
            file.write('dnssec = "presigned"\n')
    project.generate_keys({"example.org": ED25519, "example.net": ED25519})
    for zone, settings in ODD_ZONES.items():
        if settings:
            project.lzc("keys", "generate", zone, "--algorithm", str(RSA if "3.o" in zone else 13))
    project.build()
    kinds = {"gpgsql": databases.postgresql, "gmysql": databases.mariadb}
    make = kinds.get(backend)
    opened = databases.sqlite(folder, release) if make is None else make(release)
    with opened as database:
        yield Setup(project, release, database, port, folder)


def test_from_empty_it_transfers_and_answers_and_a_zone_by_sql_is_the_same(setup: Setup) -> None:
    database = setup.database
    database.run(OTHER)
    said = setup.diff()
    assert "+ domains example.org SLAVE 127.0.0.1:" in said and "(secret)" in said
    script = setup.script()
    database.run(script)
    before = database.dump()
    assert setup.diff() == "nothing would change\n"
    database.run(script)
    assert database.dump() == before
    assert ("other.example", "NATIVE", None) in before["domains"]
    unsigned = [row[0] for row in before["domainmetadata"] if row[1] == "IXFR"]
    assert not {*unsigned} & {*SIGNED_ZONES}
    with setup.project.serve(), setup.run():
        answers = _answers(setup.port)
        assert _differing(_answers(setup.project.port), answers) == []
        assert setup.diff() == "nothing would change\n"
    transferred = [_as_one_text(row) for row in database.dump()["records"]]
    assert len(transferred) > 300

    # The same zones by SQL alone, over what was transferred: no row is another one.
    script = setup.script("--zones")
    database.run(script)
    imported = database.dump()
    ours, theirs = set(imported["records"]), set(transferred)
    assert ours == theirs, "\n".join(map(repr, sorted(ours ^ theirs, key=repr)))
    assert len(imported["records"]) == len(transferred)
    assert setup.diff("--zones") == "nothing would change\n"
    database.run(script)
    assert database.dump() == imported
    assert {row[1] for row in imported["domains"]} == {"NATIVE"}
    with setup.run():
        assert _differing(answers, _answers(setup.port)) == []


def _as_one_text(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Code that came in several strings is one text by SQL."""
    return (*row[:3], row[3].replace('" "', ""), *row[4:]) if row[2] == "LUA" else row


def _answers(port: int) -> dict[tuple[str, str, Client], object]:
    asked = [
        *(("hashed.det.example.org", "A"), ("country.det.example.org", "A")),
        *(("static.example.org", "TXT"), ("nothing.example.org", "A"), ("www.example.net", "A")),
        *(("www.presigned.example", "A"), ("nothing.presigned.example", "A")),
        *(("nothing.example.net", "A"), ("x.star.example.net", "A"), ("www.example.com", "A")),
    ]
    for zone in ODD_ZONES:
        # Odd names are asked for as PowerDNS and zone files spell them.
        asked += [
            (f"{label}.{zone}", rrtype)
            for label, rrtype in (
                *(("t", "TXT"), ("u", "TXT"), ("any", "A"), ("a.b.ent", "A"), ("n", "NAPTR")),
                *((r"a\.b\\c\"d'e\032f\200\000g", "A"), ("null", "MX"), ("s", "SRV")),
                *(("uri", "URI"), ("uu", "TYPE999"), ("x25", "TYPE19"), ("x.insecure", "A")),
            )
        ]
    signed = ("example.org", "example.net", "presigned.example")
    clients = (Client("127.1.2.3"), Client(subnet="192.0.2.0/24"))
    return {
        (name, rrtype, client): essence(ask(port, name, rrtype, client, name.endswith(signed)))
        for name, rrtype in asked
        for client in clients
    }


def _differing(ours: dict[Any, object], theirs: dict[Any, object]) -> list[object]:
    return [(what, ours[what], theirs[what]) for what in ours if ours[what] != theirs[what]]


def test_what_changes_by_hand_is_told_and_mended(setup: Setup) -> None:
    database = setup.database
    database.run(setup.script("--zones"))
    before = database.dump()
    database.run(
        "UPDATE records SET content = '198.51.100.9' WHERE name = 'x.odd.example';\n"
        "DELETE FROM domainmetadata WHERE kind = 'ENABLE-LUA-RECORDS';\n"
        "UPDATE cryptokeys SET active = FALSE;\n"
    )
    said = setup.diff("--zones")
    assert "- records x.odd.example A 198.51.100.9" in said
    assert "+ domainmetadata example.org ENABLE-LUA-RECORDS 1" in said
    assert "~ cryptokeys example.org" in said
    database.run(setup.script("--zones"))
    assert database.dump() == before

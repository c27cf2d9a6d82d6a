"""``lzc export sql``: a script that changes what is otherwise, and what it would change."""

from __future__ import annotations

import sqlite3
import stat
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc.cli import group
from lzc.cli.export.sql import BACKENDS
from lzc.secondary.sql.dialect import DIALECTS
from tests.unit.cli.test_export_secondaries import Made

SCHEMA = """
CREATE TABLE domains (id INTEGER PRIMARY KEY, name, master, type);
CREATE TABLE records (id INTEGER PRIMARY KEY, domain_id, name, type, content, ttl, prio, disabled,
  ordername, auth);
CREATE TABLE supermasters (ip, nameserver, account);
CREATE TABLE domainmetadata (id INTEGER PRIMARY KEY, domain_id, kind, content);
CREATE TABLE cryptokeys (id INTEGER PRIMARY KEY, domain_id, flags, active, published, content);
CREATE TABLE tsigkeys (id INTEGER PRIMARY KEY, name, algorithm, secret);
INSERT INTO domains (name, type) VALUES ('other.example', 'NATIVE');
INSERT INTO tsigkeys (name, algorithm, secret) VALUES ('k.example', 'hmac-md5', 'b2xk');
INSERT INTO domainmetadata (domain_id, kind, content) VALUES (1, 'IXFR', '1'), (1, 'X', 'y');
"""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect("pdns.sqlite3")) as database:
        database.executescript(SCHEMA)
    return Made(tmp_path)


def run(made: Made, *options: str) -> list[str]:
    """Export and run the script; what the database holds then."""
    result = made.export("sql", "--backend", "gsqlite3", *options)
    assert result.exit_code == 0, result.output
    with closing(sqlite3.connect("pdns.sqlite3")) as database:
        text = made.read("ns2/powerdns-gsqlite3.sql")
        # The program sqlite3 stops at the first error by this, as Python does anyway.
        database.executescript(text.replace(".bail on\n", ""))
        return [*database.iterdump()]


def diff(made: Made, *options: str) -> str:
    result = made.export("sql", "--backend", "gsqlite3", "--diff", "pdns.sqlite3", *options)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_comparison_says_what_the_script_does_and_writes_nothing(made: Made) -> None:
    made.secondary("powerdns-4.9")
    before = Path("pdns.sqlite3").read_bytes()
    assert diff(made, "--secrets").splitlines() == [
        "+ tsigkeys k.example hmac-sha256 (secret)",
        "- tsigkeys k.example hmac-md5 (secret)",
        "+ domains plain.example SLAVE 192.0.2.1:5300",
        "+ domainmetadata plain.example AXFR-MASTER-TSIG k.example",
        "+ domainmetadata plain.example IXFR 1",
    ]
    assert Path("pdns.sqlite3").read_bytes() == before
    once = run(made, "--secrets")
    assert diff(made, "--secrets") == "nothing would change\n"
    assert run(made, "--secrets") == once
    assert any("'other.example',NULL,'NATIVE'" in line for line in once)
    assert sum("'X','y'" in line or "1,'IXFR','1'" in line for line in once) == 2


def test_secrets_are_written_where_they_are_asked_for(made: Made) -> None:
    made.secondary("powerdns-4.9")
    file = made.folder / "out" / "ns2" / "powerdns-gsqlite3.sql"
    run(made)
    assert "c2VjcmV0" not in file.read_text() and "--secrets writes it" in file.read_text()
    assert "! tsigkeys k.example hmac-sha256 is not there" in diff(made)
    run(made, "--secrets")
    assert "c2VjcmV0" in file.read_text() and stat.S_IMODE(file.stat().st_mode) == 0o600


def test_zones_take_the_place_of_what_was_there_and_a_primary_stays_one(made: Made) -> None:
    made.secondary("powerdns-4.9")
    result = made.export("sql", "--backend", "gsqlite3", "--zones")
    assert result.exit_code == 1 and "lzc build" in result.stderr
    assert CliRunner().invoke(group, ["build"]).exit_code == 0
    with closing(sqlite3.connect("pdns.sqlite3")) as database:
        database.execute("INSERT INTO domains (name, type) VALUES ('plain.example', 'MASTER')")
        database.execute("INSERT INTO records (domain_id, name) VALUES (2, 'gone.plain.example')")
        database.commit()
    assert "- records gone.plain.example" in diff(made, "--zones")
    once = "\n".join(run(made, "--zones"))
    assert "'plain.example',NULL,'MASTER'" in once and "gone.plain.example" not in once
    assert "'www.plain.example','A','192.0.2.1'" in once
    assert diff(made, "--zones") == "nothing would change\n"
    assert "\n".join(run(made, "--zones")) == once


def test_what_comes_by_itself_is_completed_and_not_made(made: Made) -> None:
    made.secondary("powerdns-4.9", more='autoprimary = ["ns1.example."]')
    assert "! domains plain.example is not there yet" in diff(made)
    dump = "\n".join(run(made))
    assert "'192.0.2.1','ns1.example','lzc'" in dump and "'plain.example'" not in dump


@pytest.mark.parametrize(
    ("backend", "dsn", "said"),
    [
        ("gsqlite3", "nowhere.sqlite3", "unable to open database file"),
        ("gsqlite3", "lzc.toml", "file is not a database"),
        ("gmysql", "pdns", "mysql://USER:PASSWORD@HOST:PORT/DATABASE"),
    ],
)
def test_a_database_that_cannot_be_read_is_a_fault(
    made: Made, backend: str, dsn: str, said: str
) -> None:
    made.secondary("powerdns-4.9")
    result = made.export("sql", "--backend", backend, "--diff", dsn)
    assert result.exit_code == 1 and said in result.stderr


@pytest.mark.parametrize(("backend", "module"), [("gpgsql", "psycopg"), ("gmysql", "pymysql")])
def test_without_its_driver_the_extra_is_named(
    made: Made, monkeypatch: pytest.MonkeyPatch, backend: str, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    made.secondary("powerdns-4.9")
    result = made.export("sql", "--backend", backend, "--diff", "mysql://root@localhost/pdns")
    assert result.exit_code == 1 and "lzc-dns[sql]" in result.stderr


def test_each_backend_has_a_dialect() -> None:
    assert tuple(DIALECTS) == BACKENDS

"""Databases of PowerDNS's generic SQL backends, each begun empty in a folder of its own: a file of
SQLite, and servers of PostgreSQL and MariaDB that run as a user without privileges and listen to
nothing but a socket."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from lzc.secondary.sql import live
from tests.patience import PATIENCE
from tests.peers._peers import presence
from tests.peers._peers.process import Process, wait_until
from tests.peers._peers.releases import Release

TABLES = ("domains", "records", "domainmetadata", "cryptokeys", "tsigkeys", "supermasters")
NOT_STATE = ("id", "last_check", "notified_serial")
"""Columns that servers write, and numbers that are given anew."""


class Database(NamedTuple):
    """One: its backend, what ``--diff`` calls it, what ``pdns.conf`` says of it, and the program
    that runs a script."""

    backend: str
    dsn: str
    settings: str
    client: Sequence[str]

    def run(self, script: str) -> None:
        """Run a script, as an operator does."""
        words = [*self.client]
        done = subprocess.run(words, input=script, text=True, capture_output=True, timeout=PATIENCE)
        assert done.returncode == 0 and "ERROR" not in done.stderr, done.stdout + done.stderr

    def select(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What it answers."""
        with live.opened(self.backend, self.dsn) as select:
            return select(query, values)

    def dump(self) -> dict[str, list[tuple[Any, ...]]]:
        """All that PowerDNS keeps there, zones by their name, without what is not `NOT_STATE`."""
        names = dict(self.select("SELECT id, name FROM domains"))
        found = {}
        for table in TABLES:
            columns = _COLUMNS[table]
            rows = self.select(f"SELECT {', '.join(columns)} FROM {table}")
            if columns[0] == "domain_id":
                rows = [(names[row[0]], *row[1:]) for row in rows]
            found[table] = sorted(map(_comparable, rows), key=repr)
        return found


_COLUMNS = {
    "domains": ("name", "type", "master"),
    "records": (
        *("domain_id", "name", "type", "content", "ttl", "prio", "ordername", "auth"),
        "disabled",
    ),
    "domainmetadata": ("domain_id", "kind", "content"),
    "cryptokeys": ("domain_id", "flags", "active", "published", "content"),
    "tsigkeys": ("name", "algorithm", "secret"),
    "supermasters": ("ip", "nameserver", "account"),
}


def _comparable(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """Truth is a number in two of the three."""
    return tuple(int(value) if isinstance(value, bool) else value for value in row)


@contextlib.contextmanager
def sqlite(folder: Path, release: Release) -> Iterator[Database]:
    """A file, with the schema of a version."""
    presence.require("sqlite3")
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pdns.sqlite3"
    settings = f"launch=gsqlite3\ngsqlite3-database={file}\ngsqlite3-dnssec=yes\n"
    database = Database("gsqlite3", str(file), settings, ("sqlite3", str(file)))
    schema = "usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"
    database.run(release.origin.data(schema).read_text())
    yield database


@contextlib.contextmanager
def postgresql(release: Release) -> Iterator[Database]:
    """A server of PostgreSQL, with the schema of this system's PowerDNS."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    presence.require("psql")
    if not programs:
        presence.do_without(["postgres"], "not installed; tests/run installs the peers")
    with _folder() as folder:
        program = programs[-1]
        data, user = folder / "data", _user()
        words = [str(program.with_name("initdb")), "-D", str(data), "-A", "trust", "-U", "pdns"]
        _as_user([*words, "-E", "UTF8", "--locale=C", "-N"], folder)
        words = [str(program), "-D", str(data), "-k", str(folder), "-h", "", "-F"]
        with _server(words, folder, "postgres", folder / ".s.PGSQL.5432"):
            dsn = f"host={folder} user=pdns dbname=postgres"
            client = ("psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", dsn)
            settings = (
                f"launch=gpgsql\ngpgsql-host={folder}\ngpgsql-user=pdns\ngpgsql-dbname=postgres\n"
                "gpgsql-dnssec=yes\n"
            )
            database = Database("gpgsql", dsn, settings, client)
            wait_until(lambda: _answers(database), f"PostgreSQL answers to {user}")
            schema = "usr/share/pdns-backend-pgsql/schema/schema.pgsql.sql"
            database.run(release.origin.data(schema).read_text())
            yield database


@contextlib.contextmanager
def mariadb(release: Release) -> Iterator[Database]:
    """A server of MariaDB, with the schema of this system's PowerDNS."""
    presence.require("mariadbd", "mariadb", "mariadb-install-db")
    with _folder() as folder:
        data, socket = folder / "data", folder / "socket"
        words = [str(presence.find("mariadb-install-db")), "--no-defaults", f"--datadir={data}"]
        words += ["--auth-root-authentication-method=normal", "--skip-test-db"]
        _as_user([*words, f"--tmpdir={folder}"], folder)
        words = [str(presence.find("mariadbd")), "--no-defaults", f"--datadir={data}"]
        words += [f"--socket={socket}", "--skip-networking", f"--tmpdir={folder}"]
        words += [f"--pid-file={folder}/pid", "--innodb-flush-log-at-trx-commit=0"]
        with _server(words, folder, "mariadbd", socket):
            dsn = f"mysql://root@localhost/mysql?unix_socket={socket}"
            client = ("mariadb", "--no-defaults", "-u", "root", f"--socket={socket}")
            waiting = Database("gmysql", dsn, "", (*client, "mysql"))
            wait_until(lambda: _answers(waiting), "MariaDB answers")
            waiting.run("CREATE DATABASE pdns;")
            settings = (
                f"launch=gmysql\ngmysql-socket={socket}\ngmysql-host=\ngmysql-user=root\n"
                "gmysql-dbname=pdns\ngmysql-dnssec=yes\n"
            )
            dsn = f"mysql://root@localhost/pdns?unix_socket={socket}"
            database = Database("gmysql", dsn, settings, (*client, "pdns"))
            schema = "usr/share/pdns-backend-mysql/schema/schema.mysql.sql"
            database.run(release.origin.data(schema).read_text())
            yield database


def _answers(database: Database) -> bool:
    done = subprocess.run(database.client, input="SELECT 1;", text=True, capture_output=True)
    return done.returncode == 0


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """One that the user without privileges may use, with a name short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="lzc-db-"))
    try:
        if (user := _user()) is not None:
            os.chown(folder, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
            folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder)


def _user() -> str | None:
    """Who runs the servers: they refuse to be run by root."""
    return "nobody" if os.geteuid() == 0 else None


def _identity() -> dict[str, Any]:
    user = _user()
    if user is None:
        return {}
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": ()}


def _as_user(words: Sequence[str], folder: Path) -> None:
    done = subprocess.run(
        words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, **_identity()
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextlib.contextmanager
def _server(words: Sequence[str], folder: Path, name: str, socket: Path) -> Iterator[None]:
    def start(arguments: Sequence[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as file:
            return subprocess.Popen(
                arguments,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                **_identity(),
            )

    process = Process(words, folder, name, start)
    try:
        wait_until(lambda: socket.exists() or not process.running(), f"{name} listens")
        assert process.running(), process.log_text()
        yield
    finally:
        process.stop()

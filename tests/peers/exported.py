"""PowerDNS that is set up from an empty database by what ``lzc export powerdns`` writes, and by
nothing else."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.patience import PATIENCE
from tests.peers._peers.pdns import SCHEMA
from tests.peers._peers.process import LOOPBACK, Process, running, wait_for_zone
from tests.peers._peers.releases import Release

BASE = """\
module-dir={modules}
launch=gsqlite3
gsqlite3-database={folder}/pdns.sqlite3
gsqlite3-dnssec=yes
local-address={address}
local-port={port}
socket-dir={folder}
include-dir={folder}/pdns.d
xfr-cycle-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
security-poll-suffix=
receiver-threads=1
distributor-threads=1
loglevel=5
"""


class ExportedPowerDns:
    """In ``folder``, of a version, with the files for the secondary ``name`` in ``exported``."""

    def __init__(
        self,
        folder: Path,
        release: Release,
        exported: Path,
        port: int,
        geo: Path | None = None,
        address: str = LOOPBACK,
    ) -> None:
        self.folder, self.release, self.exported, self.port = folder, release, exported, port
        self.address = address
        (folder / "pdns.d").mkdir(parents=True)
        (folder / "geoip.yaml").write_text("domains: []\n")
        self.geo = geo
        modules = release.origin.library() / "pdns"
        text = BASE.format(modules=modules, folder=folder, address=address, port=port)
        (folder / "pdns.conf").write_text(text)
        with contextlib.closing(sqlite3.connect(folder / "pdns.sqlite3")) as database:
            database.executescript(release.origin.data(SCHEMA).read_text())

    def provision(self, *, code: int = 0) -> str:
        """Run the script, which ends with this code; what it said."""
        words = [*self.release.command("pdnsutil"), f"--config-dir={self.folder}"]
        control = [*self.release.command("pdns_control"), f"--config-dir={self.folder}"]
        done = subprocess.run(
            ["sh", str(self.exported / "powerdns.sh")],
            env={**os.environ, "PDNSUTIL": " ".join(words), "PDNS_CONTROL": " ".join(control)},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def pdnsutil(self, *arguments: str) -> None:
        """Run it as an operator does."""
        words = [*self.release.command("pdnsutil"), f"--config-dir={self.folder}", *arguments]
        subprocess.run(words, check=True, capture_output=True, timeout=PATIENCE)

    def dump(self, *without: str) -> list[tuple[object, ...]]:
        """All that the database holds, but for when zones were looked at last, and some tables."""
        found: list[tuple[object, ...]] = []
        with contextlib.closing(sqlite3.connect(self.folder / "pdns.sqlite3")) as database:
            database.row_factory = sqlite3.Row
            tables = database.execute("select name from sqlite_master where type = 'table'")
            for table in {name for (name,) in tables.fetchall()} - {*without}:
                for row in database.execute(f"select * from {table}"):
                    values = [row[name] for name in row.keys() if name != "last_check"]  # noqa: SIM118
                    found.append((table, *values))
        return sorted(found, key=repr)

    def select(self, query: str) -> list[tuple[object, ...]]:
        """What the database answers."""
        with contextlib.closing(sqlite3.connect(self.folder / "pdns.sqlite3")) as database:
            return database.execute(query).fetchall()

    @contextlib.contextmanager
    def run(self, zones: Sequence[str] = ()) -> Iterator[Process]:
        """Run it with the settings that were written, while the block runs, which starts when it
        has all of the zones."""
        text = (self.exported / "pdns.conf").read_text()
        text = text.replace("/etc/powerdns/geoip.yaml", str(self.folder / "geoip.yaml"))
        if self.geo is not None:
            text = text.replace(f"/var/lib/GeoIP/{self.geo.name}", str(self.geo))
        (self.folder / "pdns.d" / "lzc.conf").write_text(text)
        arguments = [*self.release.command("pdns_server"), f"--config-dir={self.folder}"]
        arguments += ["--guardian=no", "--daemon=no"]
        with running(arguments, self.folder, "pdns_server") as process:
            for zone in zones:
                wait_for_zone(process, self.port, zone)
            yield process

"""PowerDNS 4.7, sqlite3 backend, as a secondary set up with pdnsutil as an operator does."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.peers._peers.presence import find
from tests.peers._peers.process import LOOPBACK, Process, running, wait_for_zone
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET

SCHEMA = Path("/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql")

CONFIGURATION = """\
launch=gsqlite3,geoip
gsqlite3-database={folder}/pdns.sqlite3
gsqlite3-dnssec=yes
geoip-database-files={geo}
geoip-zones-file={folder}/geoip.yaml
local-address={address}
local-port={port}
socket-dir={folder}
secondary=yes
xfr-cycle-interval=3600
enable-lua-records=yes
dname-processing=yes
edns-subnet-processing=yes
lua-health-checks-interval=1
cache-ttl=0
query-cache-ttl=0
negquery-cache-ttl=0
zone-cache-refresh-interval=0
receiver-threads=1
distributor-threads=1
loglevel=5
"""


class PowerDns:
    """A secondary of the server at ``primary_port``, in ``folder``."""

    def __init__(self, folder: Path, port: int, primary_port: int, geo: Path) -> None:
        self.folder = folder
        self.port = port
        self.primary = f"{LOOPBACK}:{primary_port}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "geoip.yaml").write_text("domains: []\n")
        (folder / "pdns.conf").write_text(
            CONFIGURATION.format(folder=folder, geo=geo, address=LOOPBACK, port=port)
        )
        with contextlib.closing(sqlite3.connect(folder / "pdns.sqlite3")) as database:
            database.executescript(SCHEMA.read_text())
        self.pdnsutil("import-tsig-key", TSIG_NAME.rstrip("."), "hmac-sha256", TSIG_SECRET)

    def pdnsutil(self, *arguments: str) -> str:
        """Run pdnsutil on this server's database; what it printed."""
        program = find("pdnsutil")
        assert program is not None
        done = subprocess.run(
            [program, f"--config-dir={self.folder}", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"pdnsutil {arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def add_zone(self, zone: str, keys: Sequence[Path] = ()) -> None:
        """Make it a secondary of ``zone``, signing with ``keys`` (BIND private-key files)."""
        self.pdnsutil("create-secondary-zone", zone, self.primary)
        self.pdnsutil("activate-tsig-key", zone, TSIG_NAME.rstrip("."), "secondary")
        for key in keys:
            self.pdnsutil("import-zone-key", zone, str(key), "active", "ksk")

    @contextlib.contextmanager
    def run(self, zones: Sequence[str]) -> Iterator[Process]:
        """Run it while the block runs, which starts when it has transferred all of ``zones``."""
        program = find("pdns_server")
        assert program is not None
        arguments = [program, f"--config-dir={self.folder}", "--guardian=no", "--daemon=no"]
        with running(arguments, self.folder, "pdns_server") as process:
            for zone in zones:
                wait_for_zone(process, self.port, zone)
            yield process

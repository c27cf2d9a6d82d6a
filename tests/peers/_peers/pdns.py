"""PowerDNS of any version, sqlite3 backend, as a secondary set up with pdnsutil as an operator
does.

`PowerDns` takes the version as a `Release`: ``POWERDNS`` in `tests.peers._peers.releases` has all
of them, and its docstring shows a fixture.
"""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK, Process, running, wait_for_zone
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET
from tests.peers._peers.releases import Release, of

SCHEMA = "usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql"

CONFIGURATION = """\
module-dir={modules}
launch=gsqlite3,geoip
gsqlite3-database={folder}/pdns.sqlite3
gsqlite3-dnssec=yes
geoip-database-files={geo}
geoip-zones-file={folder}/geoip.yaml
local-address={address},::1
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
security-poll-suffix=
receiver-threads=1
distributor-threads=1
loglevel=5
"""


class PowerDns:
    """A secondary of the server at ``primary_port``, in ``folder``, of the version ``release``
    (4.7, that of Debian 12, where none is given). It signs with the keys it is given, runs LUA
    records, and polls once an hour, so that what it learns sooner it learns from NOTIFY.
    ``settings`` are further lines of its pdns.conf; the last one of a setting counts. ``tsig`` is
    the name and the secret of the key that it transfers with."""

    def __init__(
        self,
        folder: Path,
        port: int,
        primary_port: int,
        geo: Path,
        release: Release | None = None,
        settings: Sequence[str] = (),
        tsig: tuple[str, str] = (TSIG_NAME, TSIG_SECRET),
    ) -> None:
        self.folder = folder
        self.port = port
        self.primary = f"{LOOPBACK}:{primary_port}"
        self.release = release or of("powerdns", "4.7")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "geoip.yaml").write_text("domains: []\n")
        modules = self.release.origin.library() / "pdns"
        text = CONFIGURATION.format(
            folder=folder, geo=geo, address=LOOPBACK, port=port, modules=modules
        )
        if self.release.at_least(5, 1):
            # Without it no zone with LUA records is taken.
            text += "enable-lua-record-updates=yes\n"
        text += "".join(f"{line}\n" for line in settings)
        (folder / "pdns.conf").write_text(text)
        with contextlib.closing(sqlite3.connect(folder / "pdns.sqlite3")) as database:
            database.executescript(self.release.origin.data(SCHEMA).read_text())
        self.tsig, secret = tsig[0].rstrip("."), tsig[1]
        self.pdnsutil("import-tsig-key", self.tsig, "hmac-sha256", secret)

    def pdnsutil(self, *arguments: str) -> str:
        """Run pdnsutil on this server's database; what it printed. All versions know the verbs of
        4.7, and later ones have others beside them."""
        done = subprocess.run(
            [*self.release.command("pdnsutil"), f"--config-dir={self.folder}", *arguments],
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"pdnsutil {arguments}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def add_zone(self, zone: str, keys: Sequence[Path] = ()) -> None:
        """Make it a secondary of ``zone``, signing with ``keys`` (BIND private-key files)."""
        self.pdnsutil("create-secondary-zone", zone, self.primary)
        self.pdnsutil("activate-tsig-key", zone, self.tsig, "secondary")
        for key in keys:
            self.pdnsutil("import-zone-key", zone, str(key), "active", "ksk")

    @contextlib.contextmanager
    def run(self, zones: Sequence[str]) -> Iterator[Process]:
        """Run it while the block runs, which starts when it has transferred all of ``zones``."""
        program = self.release.command("pdns_server")
        arguments = [*program, f"--config-dir={self.folder}", "--guardian=no", "--daemon=no"]
        with running(arguments, self.folder, "pdns_server") as process:
            for zone in zones:
                wait_for_zone(process, self.port, zone)
            yield process

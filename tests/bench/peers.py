"""Peers, set up for one zone file on a free loopback port, each limited to one core."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench import harness
from tests.bench.inputs import ZONE
from tests.peers._peers.pdns import SCHEMA
from tests.peers._peers.releases import Release

TSIG_NAME = "bench-key"
TSIG_SECRET = "bGV0IG1lIGluLCBJIGFtIG9ubHkgYSBiZW5jaG1hcms="


@dataclass(frozen=True, slots=True)
class Running:
    """A server that answers: its port, and the seconds from start to first answer."""

    port: int
    startup: float


@contextlib.contextmanager
def powerdns(
    folder: Path,
    zone: Path,
    first: str,
    *,
    lua: str = "no",
    caches: bool = True,
    key: Path | None = None,
    geo: Path | None = None,
) -> Iterator[Running]:
    """PowerDNS with the bind backend; ``key`` is a BIND private-key file to sign with, ``geo`` an
    MMDB file for its LUA records."""
    folder.mkdir(parents=True)
    port = harness.free_port()
    (folder / "named.conf").write_text(
        f'zone "{ZONE}" {{ type master; file "{zone.resolve()}"; }};\n'
    )
    settings = [
        "launch=bind",
        f"bind-config={folder}/named.conf",
        f"socket-dir={folder}",
        "local-address=127.0.0.1",
        f"local-port={port}",
        "receiver-threads=1",
        "daemon=no",
        "guardian=no",
        "webserver=no",
        "disable-syslog=yes",
        "loglevel=3",
        "zone-cache-refresh-interval=0",
        f"enable-lua-records={lua}",
        "security-poll-suffix=",
    ]
    if not caches:
        settings += ["cache-ttl=0", "negquery-cache-ttl=0", "query-cache-ttl=0"]
    if geo is not None:
        settings[0] += ",geoip"
        settings += [f"geoip-database-files=mmdb:{geo}"]
    if key is not None:
        settings += [f"bind-dnssec-db={folder}/dnssec.db"]
    (folder / "pdns.conf").write_text("\n".join(settings) + "\n")
    if key is not None:
        pdnsutil = ["pdnsutil", f"--config-dir={folder}"]
        for command in (
            ["create-bind-db", f"{folder}/dnssec.db"],
            ["import-zone-key", ZONE, str(key), "active", "ksk"],
        ):
            subprocess.run([*pdnsutil, *command], check=True, capture_output=True)
    command = ["pdns_server", f"--config-dir={folder}"]
    with harness.server(command, port, first, folder / "log") as startup:
        yield Running(port, startup)


@contextlib.contextmanager
def signing_powerdns(
    folder: Path, zone: Path, first: str, release: Release, key: Path, nsec3: Sequence[str]
) -> Iterator[Running]:
    """A release of PowerDNS with the sqlite3 backend; ``key`` is a BIND private-key file to sign
    with, ``nsec3`` what ``pdnsutil set-nsec3`` takes: nothing for NSEC."""
    folder.mkdir(parents=True)
    port = harness.free_port()
    settings = [
        "launch=gsqlite3",
        f"module-dir={release.origin.library() / 'pdns'}",
        f"gsqlite3-database={folder}/pdns.sqlite3",
        "gsqlite3-dnssec=yes",
        f"socket-dir={folder}",
        "local-address=127.0.0.1",
        f"local-port={port}",
        "receiver-threads=1",
        "daemon=no",
        "guardian=no",
        "webserver=no",
        "disable-syslog=yes",
        "loglevel=3",
        "zone-cache-refresh-interval=0",
        "security-poll-suffix=",
    ]
    (folder / "pdns.conf").write_text("\n".join(settings) + "\n")
    with contextlib.closing(sqlite3.connect(folder / "pdns.sqlite3")) as database:
        database.executescript(release.origin.data(SCHEMA).read_text())
    for command in (
        ["load-zone", ZONE, str(zone)],
        ["import-zone-key", ZONE, str(key), "active", "ksk"],
        *([["set-nsec3", ZONE, *nsec3]] if nsec3 else []),
        ["rectify-zone", ZONE],
    ):
        pdnsutil = [*release.command("pdnsutil"), f"--config-dir={folder}"]
        subprocess.run([*pdnsutil, *command], check=True, capture_output=True)
    server = [*release.command("pdns_server"), f"--config-dir={folder}"]
    with harness.server(server, port, first, folder / "log") as startup:
        yield Running(port, startup)


def _nsd_keys(names: Sequence[str]) -> str:
    return "\n".join(
        f'key:\n    name: "{name}"\n    algorithm: hmac-sha256\n    secret: "{TSIG_SECRET}"'
        for name in names
    )


@contextlib.contextmanager
def nsd(
    folder: Path,
    zone: Path,
    first: str,
    *,
    server: str = "",
    others: Sequence[str] = (),
    dnstap: Path | None = None,
) -> Iterator[Running]:
    """NSD from the zone file, one server process, transfers with the bench key, and with ``others``
    of the same secret; ``server`` are more lines of its section, ``dnstap`` a socket that is read,
    for queries and answers."""
    folder.mkdir(parents=True)
    port = harness.free_port()
    (folder / "nsd.conf").write_text(
        f"""server:
    ip-address: 127.0.0.1@{port}
    port: {port}
    server-count: 1
    username: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/nsd.pid"
    xfrdfile: "{folder}/xfrd.state"
    zonelistfile: "{folder}/zone.list"
    database: ""
    xfrdir: "{folder}"
    rrl-ratelimit: 0
    {server}
remote-control:
    control-enable: no
{_nsd_keys((TSIG_NAME, *others))}
zone:
    name: "{ZONE}"
    zonefile: "{zone.resolve()}"
"""
        + "".join(f"    provide-xfr: 127.0.0.0/8 {name}\n" for name in (TSIG_NAME, *others))
        + _nsd_dnstap(dnstap)
    )
    command = ["nsd", "-d", "-c", str(folder / "nsd.conf")]
    with harness.server(command, port, first, folder / "log") as startup:
        yield Running(port, startup)


def _nsd_dnstap(sock: Path | None) -> str:
    if sock is None:
        return ""
    return f"""dnstap:
    dnstap-enable: yes
    dnstap-socket-path: "{sock}"
    dnstap-log-auth-query-messages: yes
    dnstap-log-auth-response-messages: yes
"""


@contextlib.contextmanager
def bind(folder: Path, zone: Path, first: str, *, dnstap: Path | None = None) -> Iterator[Running]:
    """BIND from the zone file with one thread that answers; ``dnstap`` as that of `nsd`."""
    folder.mkdir(parents=True)
    port = harness.free_port()
    told = "" if dnstap is None else f'dnstap {{ auth; }}; dnstap-output unix "{dnstap}";'
    (folder / "named.conf").write_text(
        f"""options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    managed-keys-directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    notify no;
    {told}
}};
controls {{ }};
zone "{ZONE}" {{ type primary; file "{zone.resolve()}"; }};
"""
    )
    command = ["named", "-g", "-n", "1", "-c", str(folder / "named.conf")]
    with harness.server(command, port, first, folder / "log") as startup:
        yield Running(port, startup)


@contextlib.contextmanager
def knot(folder: Path, zone: Path, first: str, *, online: bool = False) -> Iterator[Running]:
    """Knot DNS from the zone file with one UDP worker; with ``online`` it signs each answer as it
    is sent, by a key of its own, and denies by an NSEC RR made for the question."""
    folder.mkdir(parents=True)
    port = harness.free_port()
    (folder / "knot.conf").write_text(
        f"""server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: warning
zone:
  - domain: {ZONE}
    file: "{zone.resolve()}"
    zonefile-sync: -1
    journal-content: none
"""
        + ("    module: mod-onlinesign\n" if online else "")
    )
    command = ["knotd", "-c", str(folder / "knot.conf")]
    with harness.server(command, port, first, folder / "log") as startup:
        yield Running(port, startup)


@dataclass(frozen=True, slots=True)
class Project:
    """An lzc project folder for one zone."""

    folder: Path

    @property
    def config(self) -> Path:
        """Its lzc.toml."""
        return self.folder / "lzc.toml"

    def lzc(self, *arguments: str) -> list[str]:
        """A command line of lzc for this project."""
        return [sys.executable, "-m", "lzc", *arguments, "-c", str(self.config)]


def project(
    folder: Path,
    zone: Path,
    *,
    signed: bool = False,
    algorithm: int = 13,
    mode: str = "isolated",
    extra: str = "",
) -> Project:
    """Write lzc.toml for the zone and generate its key, of an ``algorithm``, when it is to be
    signed; ``mode`` is that of LUA records."""
    folder.mkdir(parents=True)
    (folder / "lzc.toml").write_text(
        f"""[build]
output = "build"
serial = "keep"
[lua]
enable = true
mode = "{mode}"
powerdns = "4.7"
[dnssec]
keystore = "keys"
[zone."{ZONE}"]
source = "{zone.resolve()}"
dnssec = {str(signed).lower()}
[tsig."{TSIG_NAME}."]
algorithm = "hmac-sha256"
secret = "{TSIG_SECRET}"
{extra}
"""
    )
    made = Project(folder)
    if signed:
        harness.run(made.lzc("keys", "generate", ZONE, "--algorithm", str(algorithm)))
    return made


@contextlib.contextmanager
def lzc(made: Project, first: str) -> Iterator[Running]:
    """lzc with one worker, from the bundle that was built before."""
    port = harness.free_port()
    command = made.lzc("serve", "--listen", f"127.0.0.1:{port}")
    with harness.server(command, port, first, made.folder / "log") as startup:
        yield Running(port, startup)

"""lzc, BIND, NSD and Knot DNS serving the same zone files."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.peers._peers import find
from tests.peers._peers.process import LOOPBACK, free_port, running, wait_for_zone

_BIND = """\
options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    managed-keys-directory "{folder}";
    listen-on port {port} {{ {address}; }};
    listen-on-v6 {{ none; }};
    recursion no;
    minimal-responses yes;
    dnssec-validation no;
    notify no;
    check-names primary ignore;
    check-integrity no;
    max-udp-size 1232;
    rrset-order {{ order none; }};
    empty-zones-enable no;
}};
controls {{ }};
"""
_BIND_ZONE = 'zone "{zone}" {{ type primary; file "{file}"; }};\n'

_NSD = """\
server:
    ip-address: {address}@{port}
    username: ""
    chroot: ""
    zonesdir: "{folder}"
    pidfile: "{folder}/nsd.pid"
    zonelistfile: "{folder}/zone.list"
    xfrdfile: "{folder}/xfrd.state"
    xfrdir: "{folder}"
    database: ""
    server-count: 1
    minimal-responses: yes
    ipv4-edns-size: 1232
    rrl-ratelimit: 0
    verbosity: 1
remote-control:
    control-enable: no
"""
_NSD_ZONE = 'zone:\n    name: "{zone}"\n    zonefile: "{file}"\n'

_KNOT = """\
server:
    rundir: {folder}
    listen: {address}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: 1232
database:
    storage: {folder}
log:
  - target: stderr
    any: info
template:
  - id: default
    storage: {folder}
    zonefile-sync: -1
    journal-content: none
zone:
"""
_KNOT_ZONE = "  - domain: {zone}\n    file: {file}\n"


def write(folder: Path, zones: Mapping[str, str]) -> dict[str, Path]:
    """Write each zone's whole text; the file of each."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for zone, text in zones.items():
        found[zone] = folder / f"{zone}db"
        found[zone].write_text(f"$ORIGIN {zone}\n{text}")
    return found


def sign(folder: Path, files: Mapping[str, Path], keys: Path) -> dict[str, Path]:
    """Sign zone files with dnssec-signzone and the keys that lzc has in ``keys``; the signed file
    of each."""
    program = find("dnssec-signzone")
    assert program is not None
    found = {}
    for zone, file in files.items():
        found[zone] = folder / f"{zone}signed"
        # -z: one key signs all, be it marked as a KSK; -S: put it into the zone.
        options = ["-S", "-z", "-P", "-q", "-T", "300", "-o", zone, "-K", str(keys)]
        done = subprocess.run(
            [program, *options, "-f", str(found[zone]), str(file)],
            capture_output=True,
            text=True,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
    return found


@contextlib.contextmanager
def peers(folder: Path, zones: Mapping[str, Path]) -> Iterator[dict[str, int]]:
    """Run BIND, NSD and Knot DNS while the block runs: the port of each. ``zones``: the file by
    apex."""
    variants = [
        ("bind", _BIND, _BIND_ZONE, "named", ["-g", "-n", "1", "-c"]),
        ("nsd", _NSD, _NSD_ZONE, "nsd", ["-d", "-c"]),
        ("knot", _KNOT, _KNOT_ZONE, "knotd", ["-c"]),
    ]
    with contextlib.ExitStack() as stack:
        ports = {}
        started = []
        for name, server, per_zone, program, arguments in variants:
            home = folder / name
            home.mkdir(parents=True)
            port = ports[name] = free_port()
            text = server.format(folder=home, port=port, address=LOOPBACK)
            for zone, file in zones.items():
                text += per_zone.format(zone=zone, file=file)
            configuration = home / f"{name}.conf"
            configuration.write_text(text)
            path = find(program)
            assert path is not None
            command = [path, *arguments, str(configuration)]
            started.append((stack.enter_context(running(command, home, name)), port))
        for process, port in started:
            for zone in zones:
                wait_for_zone(process, port, zone)
        yield ports

"""NSD as a secondary."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.peers._peers.presence import find
from tests.peers._peers.process import LOOPBACK, Process, running, wait_for_zone
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET

PROGRAMS = ("nsd",)

_SERVER = """\
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
    verbosity: 2
remote-control:
    control-enable: no
key:
    name: "{tsig}"
    algorithm: hmac-sha256
    secret: "{secret}"
"""

_ZONE = """\
zone:
    name: "{zone}"
    zonefile: "{zone}.db"
    request-xfr: AXFR {address}@{primary_port} {tsig}
    allow-notify: {address} {tsig}
    allow-notify: {address} NOKEY
    provide-xfr: {address} NOKEY
"""


@contextlib.contextmanager
def secondary(
    folder: Path, port: int, primary_port: int, zones: Sequence[str]
) -> Iterator[Process]:
    """Run it while the block runs, which starts when it has transferred all of ``zones``."""
    folder.mkdir(parents=True, exist_ok=True)
    names = {
        "folder": folder,
        "port": port,
        "primary_port": primary_port,
        "address": LOOPBACK,
        "tsig": TSIG_NAME,
        "secret": TSIG_SECRET,
    }
    configuration = folder / "nsd.conf"
    configuration.write_text(
        _SERVER.format(**names) + "".join(_ZONE.format(zone=zone, **names) for zone in zones)
    )
    program = find("nsd")
    assert program is not None
    with running([program, "-d", "-c", str(configuration)], folder, "nsd") as process:
        for zone in zones:
            wait_for_zone(process, port, zone)
        yield process

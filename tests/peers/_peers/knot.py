"""Knot DNS as a secondary."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.peers._peers.presence import find
from tests.peers._peers.process import LOOPBACK, Process, running, wait_for_zone
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET

PROGRAMS = ("knotd",)

_SERVER = """\
server:
    rundir: {folder}
    listen: {address}@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: {folder}
log:
  - target: stderr
    any: info
key:
  - id: {tsig}
    algorithm: hmac-sha256
    secret: {secret}
remote:
  - id: lzc
    address: {address}@{primary_port}
    key: {tsig}
acl:
  - id: signed
    address: {address}
    key: {tsig}
    action: [notify, transfer]
  - id: unsigned
    address: {address}
    action: [notify, transfer]
template:
  - id: default
    storage: {folder}
    master: lzc
    acl: [signed, unsigned]
zone:
"""


@contextlib.contextmanager
def secondary(
    folder: Path, port: int, primary_port: int, zones: Sequence[str]
) -> Iterator[Process]:
    """Run it while the block runs, which starts when it has transferred all of ``zones``."""
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "knot.conf"
    configuration.write_text(
        _SERVER.format(
            folder=folder,
            port=port,
            primary_port=primary_port,
            address=LOOPBACK,
            tsig=TSIG_NAME,
            secret=TSIG_SECRET,
        )
        + "".join(f"  - domain: {zone}\n" for zone in zones)
    )
    program = find("knotd")
    assert program is not None
    with running([program, "-c", str(configuration)], folder, "knotd") as process:
        for zone in zones:
            wait_for_zone(process, port, zone)
        yield process

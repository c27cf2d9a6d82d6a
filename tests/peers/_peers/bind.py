"""BIND 9 as a secondary."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.peers._peers.presence import find
from tests.peers._peers.process import LOOPBACK, Process, running, wait_for_zone
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET

PROGRAMS = ("named",)

_OPTIONS = """\
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
    allow-transfer {{ any; }};
    notify no;
    min-refresh-time 3600;
}};
controls {{ }};
key "{tsig}" {{ algorithm hmac-sha256; secret "{secret}"; }};
"""

_ZONE = """\
zone "{zone}" {{
    type secondary;
    primaries {{ {address} port {primary_port} key "{tsig}"; }};
    file "{zone}.db";
    masterfile-format text;
}};
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
    configuration = folder / "named.conf"
    configuration.write_text(
        _OPTIONS.format(**names) + "".join(_ZONE.format(zone=zone, **names) for zone in zones)
    )
    program = find("named")
    assert program is not None
    with running([program, "-g", "-n", "1", "-c", str(configuration)], folder, "named") as process:
        for zone in zones:
            wait_for_zone(process, port, zone)
        yield process

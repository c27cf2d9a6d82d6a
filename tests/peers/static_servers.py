"""BIND, NSD and Knot DNS of any generations serving the same zone files."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.peers._peers import find
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.process import free_port
from tests.peers._peers.releases import Release


def write(folder: Path, zones: Mapping[str, str]) -> dict[str, Path]:
    """Write each zone's whole text; the file of each."""
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for zone, text in zones.items():
        found[zone] = folder / f"{zone}db"
        found[zone].write_text(f"$ORIGIN {zone}\n{text}")
    return found


def sign(
    folder: Path, files: Mapping[str, Path], keys: Path, denial: Sequence[str] = ()
) -> dict[str, Path]:
    """Sign zone files with dnssec-signzone and the keys that lzc has in ``keys``; ``denial`` are
    its options for NSEC3. Gives the signed file of each."""
    program = find("dnssec-signzone")
    assert program is not None
    found = {}
    for zone, file in files.items():
        found[zone] = folder / f"{zone}signed"
        # -z: one key signs all, be it marked as a KSK; -S: put it into the zone.
        options = ["-S", "-z", "-P", "-q", "-T", "300", "-o", zone, "-K", str(keys), *denial]
        done = subprocess.run(
            [program, *options, "-f", str(found[zone]), str(file)],
            capture_output=True,
            text=True,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
    return found


@contextlib.contextmanager
def peers(
    folder: Path, zones: Mapping[str, Path], releases: Sequence[Release]
) -> Iterator[dict[Release, int]]:
    """Run these servers while the block runs: the port of each. ``zones``: the file by apex."""
    with contextlib.ExitStack() as stack:
        ports = {}
        for release in releases:
            port = ports[release] = free_port()
            kind = KINDS[release.software]
            stack.enter_context(kind.of_files(folder / str(release), port, zones, release))
        yield ports

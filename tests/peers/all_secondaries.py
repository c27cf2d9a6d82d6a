"""lzc with secondaries of every software and version that is here, all of one plain zone."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.peers._peers import origins
from tests.peers._peers.kinds import KINDS
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, Process, free_port, serial_at, wait_until
from tests.peers._peers.project import TSIG_NAME, TSIG_SECRET, Project
from tests.peers._peers.releases import BIND, KNOT, NSD, POWERDNS, Release

ALL = (*POWERDNS, *BIND, *NSD, *KNOT)
ZONE = "example.com"
MISSING = "example.net"
"""A zone that lzc tells all of them of, and none of them has."""
IPV6 = "::1"


def endpoint(address: str, port: int) -> str:
    """As lzc and PowerDNS write it."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


class AllSecondaries:
    """``address``: by which lzc and its secondaries know each other. ``other`` is the secret of the
    key at the secondaries, where it is not the same. ``policy`` is that for serials."""

    def __init__(
        self,
        folder: Path,
        address: str = LOOPBACK,
        *,
        policy: str = "date",
        more: str = "",
        releases: Sequence[Release] = ALL,
    ) -> None:
        origins.wait()
        self.folder = folder
        self.address = address
        self.ports = {release: free_port() for release in releases if release.present()}
        self.project = Project(folder / "project")
        for file in (self.project.folder / "zones").glob("*.zone"):
            if file.stem not in (ZONE, MISSING):
                file.unlink()
        port = self.project.port
        text = (
            f'[build]\nsources = ["zones/*.zone"]\nserial = "{policy}"\n'
            f'[serve]\nlisten = ["{LOOPBACK}:{port}", "[{IPV6}]:{port}"]\n{more}\n'
            f'[tsig."{TSIG_NAME}"]\nsecret-file = "keys/transfer.tsig"\n'
        )
        for release, at in self.ports.items():
            # One key is that of all of them, who are on one host: each is told of by itself.
            text += (
                f'[[secondary]]\nname = "{release}"\naddress = "{endpoint(address, at)}"\n'
                f'software = "{_software(release)}"\ntsig = "{TSIG_NAME}"\n'
            )
        self.project.config.write_text(text)
        self.project.build()
        self.lzc: Process

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """All of them run while the block runs, which starts when each has the zone."""
        with contextlib.ExitStack() as stack:
            self.lzc = stack.enter_context(self.project.serve(zone=ZONE))
            for release, port in self.ports.items():
                home = self.folder / str(release)
                if release.software == "powerdns":
                    geo = self.project.folder / "geo" / "example.mmdb"
                    server = PowerDns(home, port, self.project.port, geo, release)
                    server.primary = endpoint(self.address, self.project.port)
                    server.add_zone(ZONE)
                    stack.enter_context(server.run([ZONE]))
                else:
                    kind = KINDS[release.software]
                    stack.enter_context(
                        kind.secondary(
                            *(home, port, self.project.port, [ZONE], release, self.address)
                        )
                    )
            yield

    def change(self, line: str) -> None:
        """Append a record, and have it served."""
        self.project.append(ZONE, line)
        self.project.build()
        self.project.lzc("ctl", "reload")

    def await_all(self) -> None:
        """Wait until each has what lzc has."""
        ours = serial_at(self.project.port, ZONE)
        for release, port in self.ports.items():
            wait_until(lambda port=port: serial_at(port, ZONE) == ours, f"{release} has {ours}")  # type: ignore[misc]

    def told(self, release: Release, zone: str = ZONE) -> dict[str, Any]:
        """What `lzc ctl secondaries` has of a zone at one of them."""
        arguments = ("ctl", "secondaries", str(release), "--zone", zone, "--format", "json")
        answer = json.loads(self.project.lzc(*arguments).stdout)
        [one] = answer["secondaries"]
        [state] = one["states"]
        found: dict[str, Any] = state
        return found


def _software(release: Release) -> str:
    return str(release) if release.software == "powerdns" else release.software


__all__ = ["ALL", "IPV6", "MISSING", "TSIG_SECRET", "ZONE", "AllSecondaries", "endpoint"]

"""A signed zone with LUA records, refreshed every two seconds by PowerDNS: how often is it
transferred?"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from tests.patience import PATIENCE
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, Process, free_port, serial_at, wait_until
from tests.peers._peers.project import TSIG_NAME, Project
from tests.peers._peers.releases import Release

ZONE = "refresh.example"
REFRESH = 2
"""Seconds, which PowerDNS keeps to, give or take the second in which it looks what is due."""

ZONE_TEXT = f"""\
$TTL 60
@ SOA ns1 hostmaster 1 {REFRESH} {REFRESH} 1209600 60
@ NS ns1
ns1 A 192.0.2.53
www LUA A "pickwhashed({{{{1, '192.0.2.1'}}, {{2, '192.0.2.2'}}}})"
"""
SETTINGS = ["xfr-cycle-interval=1", "loglevel=6"]


class Tally:
    """How often a pattern is in a log, of which each look reads what is new."""

    def __init__(self, pattern: str) -> None:
        self._pattern = re.compile(pattern)
        self._position = 0
        self._count = 0

    def up_to_now(self, log: Path) -> int:
        """How often so far, in whole lines."""
        with log.open("rb") as file:
            file.seek(self._position)
            whole = file.read().rpartition(b"\n")[0]
        self._position += len(whole)
        self._count += len(self._pattern.findall(whole.decode(errors="replace")))
        return self._count


class Refreshing:
    """lzc and its secondary, both running, with what their logs say of the zone. ``keyless``: the
    secondary has no TSIG key, and is known by its address. ``primary``: the address that the
    secondary knows lzc by, which has others. ``settings`` are further lines of ``[serve]``."""

    def __init__(
        self,
        folder: Path,
        release: Release,
        *,
        keyless: bool = False,
        primary: str = LOOPBACK,
        settings: str = "",
    ) -> None:
        self.folder = folder
        port = free_port()
        self.project = Project(folder / "project")
        for file in (self.project.folder / "zones").glob("*.zone"):
            file.unlink()
        self.project.zone_file(ZONE).write_text(ZONE_TEXT)
        self.project.config.write_text(
            f'[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
            f'[zone."{ZONE}"]\ndnssec = true\n'
            f'[serve]\nlisten = ["{primary}:{self.project.port}"'
            + (f', "{LOOPBACK}:{self.project.port}"' if primary != LOOPBACK else "")
            + f"]\n{settings}\n"
            f"tsig-required = {str(not keyless).lower()}\n"
            f'[tsig."{TSIG_NAME}"]\nsecret-file = "keys/transfer.tsig"\n'
            f'[[secondary]]\nname = "ns2"\naddress = "{LOOPBACK}:{port}"\n'
            f'software = "{release}"\n' + ("" if keyless else f'tsig = "{TSIG_NAME}"\n')
        )
        self.project.lzc("keys", "generate", ZONE)
        self.project.build()
        geo = self.project.folder / "geo" / "example.mmdb"
        self.secondary = PowerDns(folder / "pdns", port, self.project.port, geo, release, SETTINGS)
        self.secondary.primary = f"{primary}:{self.project.port}"
        self.secondary.add_zone(ZONE)
        if keyless:
            self.secondary.pdnsutil("set-meta", ZONE, "AXFR-MASTER-TSIG")
        options = ["--format", "powerdns", "-o", str(folder / "exported")]
        exported = self.project.lzc("keys", "export", ZONE, *options)
        for line in exported.stdout.splitlines():
            self.secondary.pdnsutil(*shlex.split(line)[1:])
        self._lzc: Process
        self._pdns: Process
        self._checks = Tally(f"Domain '{ZONE}' is (?:fresh|stale)")

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """Both serve while the block runs, which starts when the zone is transferred."""
        with contextlib.ExitStack() as self._serving:
            self._lzc = self._serving.enter_context(self.project.serve(zone=ZONE))
            with self.secondary.run([ZONE]) as self._pdns:
                yield

    def restart(self) -> None:
        """End lzc, and start it anew."""
        self._serving.close()
        self._lzc = self._serving.enter_context(self.project.serve(zone=ZONE))

    def transfers(self) -> int:
        """AXFRs so far."""
        return self._lzc.log_text().count(f"transfer: {ZONE}.")

    def checks(self) -> int:
        """Times the secondary asked for the serial, and found its copy to be fresh or stale."""
        return self._checks.up_to_now(self._pdns.log)

    def notifies(self) -> int:
        """NOTIFYs that the secondary took."""
        return self._pdns.log_text().count(f"Received NOTIFY for {ZONE}")

    def await_notify(self, count: int) -> None:
        """Wait for the NOTIFY of this number."""
        wait_until(lambda: self.notifies() >= count, f"NOTIFY number {count}")

    def secondary_log(self) -> str:
        """All that PowerDNS logged."""
        return self._pdns.log_text()

    def says(self, text: str) -> bool:
        """Whether the log of lzc has it."""
        return text in self._lzc.log_text()

    def await_checks(self, count: int) -> None:
        """Wait until the secondary has asked so many times more."""
        end = self.checks() + count
        seconds = PATIENCE + 10 * count * REFRESH
        wait_until(lambda: self.checks() >= end, f"{count} more refreshes", seconds)

    def change(self, number: int) -> None:
        """A new serial, and the wait until the secondary has it."""
        self.project.append(ZONE, f"change-{number} A 192.0.2.99")
        self.project.build()
        self.project.lzc("ctl", "reload")
        ours = serial_at(self.project.port, ZONE)
        wait_until(
            lambda: serial_at(self.secondary.port, ZONE) == ours, "the secondary has the change"
        )

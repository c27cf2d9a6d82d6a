"""The secondaries: started with their zones, stopped, killed and paused, and how far behind they
are."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import dns.exception
import dns.message

from tests.patience import PATIENCE
from tests.peers._peers.bind import BIND
from tests.peers._peers.knot import KNOT
from tests.peers._peers.nsd import NSD
from tests.peers._peers.pdns import PowerDns
from tests.peers._peers.process import LOOPBACK, Process, free_port
from tests.peers._peers.project import TSIG_NAME
from tests.peers._peers.releases import Release, of
from tests.soak.chaos.model import Ledger
from tests.soak.chaos.zones import (
    ChaosZone,
    Question,
    ServerFailure,
    WrongAnswerError,
    judge,
    serial,
)

SERVERS: Final = {"bind": BIND, "nsd": NSD, "knot": KNOT}
ALL: Final = (
    *(("powerdns", "4.7"), ("powerdns", "4.9"), ("powerdns", "5.1")),
    *(("bind", "9.18"), ("nsd", "4.6"), ("knot", "3.2")),
)
LOOK: Final = 0.1
"""Seconds between two looks at a zone that is behind; others are looked at now and then."""
ROUND: Final = 5.0
_NO_SERIAL: Final = (ServerFailure, WrongAnswerError, AssertionError, dns.exception.DNSException)
"""A secondary that has no such zone yet; wrong answers are for those who ask all the time."""


@dataclass(slots=True)
class Lag:
    """The most seconds that a secondary was behind, with a zone, after the last fault that may have
    been the reason; ``at``: seconds since the begin."""

    seconds: float = 0.0
    zone: str = ""
    after: str = ""
    at: float = 0.0

    def __str__(self) -> str:
        where = f"{self.zone or '-'}, after {self.after or '-'}, at {self.at:.1f} s"
        return f"{self.seconds:.1f} s ({where})"


class Secondary:
    """One of them, with the zones it is to have."""

    def __init__(self, software: str, version: str, folder: Path) -> None:
        self.release: Release = of(software, version)
        self.name = f"{software}-{version}"
        self.software = self.name if software == "powerdns" else software
        self.folder = folder / self.name
        self.port = free_port()
        self.zones: list[ChaosZone] = []
        self.process: Process | None = None
        self.generations: dict[str, int] = {}
        self.lag = Lag()
        self.came_back = 0.0
        """The most seconds from its start, after it was ended, until it had all zones."""
        self.lags: list[float] = []
        """Seconds from each acknowledgement until it was seen here."""
        self.down = False
        self._command: list[str] = []

    def takes(self, zone: ChaosZone) -> bool:
        """Zones with LUA records or signatures are for PowerDNS."""
        return self.release.software == "powerdns" or not (zone.lua or zone.algorithm)

    def prepare(
        self, primary_port: int, keys: Path, geo: Path, settings: Sequence[str] = ()
    ) -> None:
        """Write its configuration; ``settings`` are further lines of a pdns.conf."""
        if self.release.software == "powerdns":
            self._prepare_powerdns(primary_port, keys, geo, settings)
            return
        server = SERVERS[self.release.software]
        self.folder.mkdir(parents=True)
        zones = [one.name for one in self.zones]
        text = server.of_a_secondary(self.folder, self.port, primary_port, zones)
        file = self.folder / f"{server.name}.conf"
        file.write_text(text)
        program = self.release.command(server.program)
        self._command = [*program, *server.arguments, str(file)]

    def _prepare_powerdns(
        self, primary_port: int, keys: Path, geo: Path, settings: Sequence[str]
    ) -> None:
        # lzc's is damaged on purpose, and PowerDNS does not start with one that is.
        own = Path(shutil.copy(geo, geo.with_name(f"{self.name}.mmdb")))
        server = PowerDns(self.folder, self.port, primary_port, own, self.release, settings)
        # As `PowerDns.add_zone` does, without a process for each step of each zone.
        database = sqlite3.connect(self.folder / "pdns.sqlite3")
        with contextlib.closing(database), database:
            for zone in self.zones:
                (number,) = database.execute(
                    "INSERT INTO domains (name, master, type) VALUES (?, ?, 'SLAVE') RETURNING id",
                    (zone.name, server.primary),
                ).fetchone()
                database.execute(
                    "INSERT INTO domainmetadata (domain_id, kind, content)"
                    " VALUES (?, 'AXFR-MASTER-TSIG', ?)",
                    (number, TSIG_NAME.rstrip(".")),
                )
                for file in keys.glob(f"K{zone.name}.+*.private"):
                    database.execute(
                        "INSERT INTO cryptokeys (domain_id, flags, active, published, content)"
                        " VALUES (?, 257, 1, 1, ?)",
                        (number, file.read_text()),
                    )
        program = self.release.command("pdns_server")
        self._command = [*program, f"--config-dir={self.folder}", "--guardian=no", "--daemon=no"]

    def start(self) -> None:
        """Run it."""
        self.process = Process(self._command, self.folder, self.name)

    def kill(self) -> None:
        """All of its processes at once."""
        assert self.process is not None
        with contextlib.suppress(OSError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.stop()

    def stop(self) -> None:
        """As an operator does."""
        if self.process is not None:
            self.process.signal(signal.SIGCONT)
            self.process.stop(PATIENCE / 4)
            self.kill()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """All of its processes stand still while the block runs."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.killpg(self.process.pid, signal.SIGCONT)

    def behind(self, ledger: Ledger) -> list[str]:
        """Zones whose acknowledged generation it has not shown yet."""
        return [
            zone.name
            for zone in self.zones
            if self.generations.get(zone.name, 0) < ledger.floor[zone.name]
        ]


class Watch:
    """Looks at the serials of all secondaries, in a thread of its own. A zone counts as behind from
    its acknowledgement, or from the end of the last fault that may have kept it."""

    def __init__(
        self, ledger: Ledger, secondaries: Sequence[Secondary], round_: float = ROUND
    ) -> None:
        self._round = round_
        self._ledger = ledger
        self._secondaries = secondaries
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._active = 0
        self._lock = threading.Lock()
        self._last_end = time.monotonic()
        self._last_fault = "none"
        self._ends: dict[str, float] = {}

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    @contextlib.contextmanager
    def fault(self, name: str, secondary: Secondary | None) -> Iterator[None]:
        """While the block runs, one secondary, or each (``None``), may be behind."""
        with self._lock:
            self._active += secondary is None
            if secondary is not None:
                secondary.down = True
        try:
            yield
        finally:
            with self._lock:
                now = time.monotonic()
                self._last_fault = name
                if secondary is None:
                    self._active -= 1
                    self._last_end = now
                else:
                    secondary.down = False
                    self._ends[secondary.name] = now

    def _run(self) -> None:
        turn = 0.0
        while not self._end.wait(LOOK):
            now = time.monotonic()
            everything = now - turn > self._round
            if everything:
                turn = now
            for secondary in self._secondaries:
                if not secondary.down:
                    self._look(secondary, everything)

    def _look(self, secondary: Secondary, everything: bool) -> None:
        behind = set(secondary.behind(self._ledger))
        asked = [one for one in secondary.zones if everything or one.name in behind]
        for zone, generation in ask_all(secondary.port, asked, self._ledger).items():
            secondary.generations[zone] = generation
        now = time.monotonic()
        for name in behind.difference(secondary.behind(self._ledger)):
            secondary.lags.append(now - self._ledger.acknowledged_at.get(name, now))
        since = max(self._last_end, self._ends.get(secondary.name, 0.0))
        if self._active or secondary.down:
            return
        for name in behind:
            seconds = now - max(since, self._ledger.acknowledged_at.get(name, since))
            if seconds > secondary.lag.seconds:
                secondary.lag.seconds, secondary.lag.zone = seconds, name
                secondary.lag.after = self._last_fault
                secondary.lag.at = now - self._ledger.began


def ask_all(port: int, zones: Sequence[ChaosZone], ledger: Ledger) -> dict[str, int]:
    """The generations of these zones at a server, of those that it answers for within a second."""
    found: dict[str, int] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(1.0)
        with contextlib.suppress(OSError):
            udp.connect((LOOPBACK, port))
            for ident, zone in enumerate(zones):
                query = dns.message.make_query(f"{zone.name}.", "SOA")
                query.id = ident
                udp.send(query.to_wire())
            for _ in zones:
                response = dns.message.from_wire(udp.recv(65535))
                if response.id >= len(zones) or not response.question:
                    continue
                zone = zones[response.id]
                with contextlib.suppress(*_NO_SERIAL):
                    generation = judge(Question(zone, "", "SOA"), response)
                    number = serial(response)
                    assert generation is not None and number is not None
                    found[zone.name] = generation
                    if problem := ledger.seen(zone.name, number, generation):
                        ledger.find(problem)
    return found

"""The server under test, as systemd would run it, and who edits, builds and reloads."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from lzc.faults import InputError
from lzc.serve.supervise import control
from lzc.wire import name as wire_name
from lzc.zone.serial import greater
from tests.bench import harness
from tests.patience import PATIENCE
from tests.peers._peers.process import LOOPBACK, Process, free_port, serial_at
from tests.peers._peers.project import FIXTURES, LZC, TSIG_NAME, TSIG_SECRET
from tests.soak.chaos import zones as zone_text
from tests.soak.chaos.model import Down, Ledger
from tests.soak.chaos.zones import ChaosZone
from tests.unit import lzc_process

WORKERS: Final = 2
_BUILD: Final = "import resource\nos.setsid()\nos.dup2(2, 1)\n"
"""Has a process lead a group of its own, and say all in one place."""
RESTART: Final = 0.2
"""Seconds between the end of a server and the start of the next, as with ``RestartSec``."""


class Stage:
    """A project, its server and its writer. ``secondaries``: (name, port, software, zones);
    ``serve`` are further lines of that section, ``interval`` seconds between two health checks."""

    def __init__(
        self,
        folder: Path,
        made: Sequence[ChaosZone],
        secondaries: Sequence[tuple[str, int, str, Sequence[str]]],
        health_port: int,
        *,
        workers: int = WORKERS,
        serve: str = "",
        interval: int = 1,
    ) -> None:
        self.folder = folder
        self.zones = {zone.name: zone for zone in made}
        self.ledger = Ledger(self.zones)
        self.port = free_port()
        self.health_port = health_port
        self.output = folder / "build"
        self.keys = folder / "keys"
        self.geo = folder / "geo.mmdb"
        self.log = folder / "lzc.log"
        self.temporary = folder / "tmp"
        self.socket = self.output / "control.sock"
        self.building = threading.RLock()
        self._process: Process | None = None
        self._stopping = False
        self._keeper: threading.Thread | None = None
        self.starts = 0
        self.failed_starts: list[str] = []
        """The last words of those that ended before they answered."""
        self.build_seconds = 1.0
        """What the last build took."""
        self.spoiled: tuple[Path, bytes] | None = None
        """The file that was damaged last, and what it was before."""
        self._make(secondaries, f"workers = {workers}\n{serve}", interval)

    def _make(
        self,
        secondaries: Sequence[tuple[str, int, str, Sequence[str]]],
        serve: str,
        interval: int,
    ) -> None:
        for one in (self.folder, self.folder / "zones", self.output, self.temporary):
            one.mkdir(parents=True, exist_ok=True)
        shutil.copy(FIXTURES / "geo" / "example.mmdb", self.geo)
        secret = self.folder / "transfer.tsig"
        secret.touch(mode=0o600)
        secret.write_text(TSIG_SECRET + "\n")
        lines = [
            f'[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
            f"health-check-interval = {interval}",
            f'[serve]\nlisten = ["{LOOPBACK}:{self.port}"]\n{serve}',
            f'geoip = ["geo.mmdb"]\ntcp-idle-timeout = 60\n[tsig."{TSIG_NAME}"]',
            'algorithm = "hmac-sha256"\nsecret-file = "transfer.tsig"',
        ]
        for name, zone in self.zones.items():
            if zone.algorithm:
                lines.append(f'[zone."{name}"]\ndnssec = true')
                apex = wire_name.from_text(name, wire_name.ROOT)
                # Published for long, so that no secondary waits for it.
                when = time.time() - 86400
                Keystore(self.keys).generate(apex, zone.algorithm, FLAGS["csk"], when)
            self.write(name, 1)
        for name, port, software, listed in secondaries:
            lines.append(
                f'[[secondary]]\nname = "{name}"\naddress = "{LOOPBACK}:{port}"\n'
                f'software = "{software}"\ntsig = "{TSIG_NAME}"\nzones = {json.dumps(list(listed))}'
            )
        self.config.write_text("\n".join(lines) + "\n")

    @property
    def config(self) -> Path:
        """Its lzc.toml."""
        return self.folder / "lzc.toml"

    def write(self, name: str, generation: int) -> None:
        """Put a generation into a zone file."""
        file = self.folder / "zones" / f"{name}.zone"
        fresh = file.with_suffix(".new")
        fresh.write_text(zone_text.text(self.zones[name], generation, self.health_port))
        fresh.rename(file)
        self.ledger.write(name, generation)

    def build(self, *, kill_after: float | None = None, room: int | None = None) -> tuple[int, str]:
        """Run ``lzc build``: its exit code and what it printed. ``kill_after``: seconds until it is
        killed; ``room``: octets that a file may have at most."""

        limits = "" if room is None else f"resource.setrlimit(resource.RLIMIT_FSIZE, ({room},) * 2)"
        with self.building:
            begin = time.monotonic()
            child = lzc_process.started("build", "-c", str(self.config), before=_BUILD + limits)
            note = ""
            try:
                status = child.wait(PATIENCE if kill_after is None else kill_after)
            except subprocess.TimeoutExpired:
                # Not yet one of a group, where it was only just born.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                child.send_signal(signal.SIGKILL)
                status = child.wait(PATIENCE)
                note = "" if kill_after is not None else "\n(killed: it did not end)"
            output = child.stderr.read() + note
            self.ledger.count("builds")
            if status == 0:
                self.build_seconds = time.monotonic() - begin
            self.note_live()
            return status, output

    def note_live(self) -> None:
        """Whatever is live now holds what the sources hold, if it is new."""
        with contextlib.suppress(OSError):
            self.ledger.built(os.readlink(self.output / "current"))

    def ask(self, do: str, **arguments: str | float) -> dict[str, Any] | None:
        """A request to the running server; ``None`` when there is none."""
        try:
            return control.ask(self.socket, do, **arguments)
        except InputError:
            return None

    def reload(self) -> str:
        """Have the server take what is live; what went wrong, or nothing."""
        with self.building:
            # The control socket is there last, after a start.
            end = time.monotonic() + PATIENCE
            while (answer := self.ask("reload")) is None and time.monotonic() < end:
                if self._stopping:
                    return ""
                time.sleep(0.05)
            if answer is None:
                return "no server answers"
            if not answer["ok"]:
                return str(answer["error"])
            if answer["bundle"] in self.ledger.known():
                self.ledger.acknowledge(answer["bundle"])
            return ""

    def takes(self, bundle: str) -> bool:
        """Wait until the server has a bundle by itself; whether it did."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            status = self.ask("status")
            if status is not None and status["bundle"] == bundle:
                return True
            time.sleep(0.05)
        return False

    def start(self) -> None:
        """Run the server, and have it started again whenever it ends."""
        self._launch()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def _launch(self) -> None:
        environment = [f"TMPDIR={self.temporary}"]
        command = ["env", *environment, str(LZC), "serve", "-c", str(self.config)]
        self._process = Process(command, self.folder, "lzc")
        self.starts += 1
        end = time.monotonic() + PATIENCE
        while self._process.running() and time.monotonic() < end:
            if serial_at(self.port, next(iter(self.zones))) is not None:
                return
            time.sleep(0.01)

    def _keep(self) -> None:
        while not self._stopping:
            process = self._process
            if process is not None and process.running():
                time.sleep(0.01)
                continue
            if not self.ledger.down or self.ledger.down[-1].end is not None:
                self.ledger.down.append(Down(time.monotonic()))
            # What is left of it: systemd ends the whole control group.
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGTERM)
            time.sleep(RESTART)
            self._launch()
            if self._process is not None and self._process.running():
                self.ledger.down[-1].end = time.monotonic()
            else:
                self.failed_starts.append(self.last_words())
                print(f"  DID NOT START ({self.ledger.fault}): {self.last_words()}", flush=True)

    def last_words(self, lines: int = 4) -> str:
        """The end of the server's log."""
        text = self.log.read_text(errors="replace").strip().splitlines()
        return " | ".join(text[-lines:])

    @property
    def pid(self) -> int:
        """Of the supervisor."""
        return self._process.pid if self._process is not None else 0

    def workers(self) -> list[int]:
        """Process ids; none while the server is not there."""
        answer = self.ask("status") or {"workers": []}
        return [int(one["pid"]) for one in answer["workers"] if one["pid"]]

    def kill_supervisor(self) -> None:
        """As the kernel would for want of memory."""
        self.ledger.down.append(Down(time.monotonic()))
        os.kill(self.pid, signal.SIGKILL)

    def wait_up(self) -> None:
        """Until a killed supervisor has a successor that answers."""
        end = time.monotonic() + PATIENCE
        while self.ledger.down and self.ledger.down[-1].end is None and time.monotonic() < end:
            time.sleep(0.02)
        if self.ledger.down and self.ledger.down[-1].end is None:
            self.ledger.find(f"the server does not start: {self.last_words()}")

    def mend(self) -> None:
        """What should not be needed: make good what a fault did to the output folder."""
        if self.spoiled is not None:
            file, octets = self.spoiled
            with contextlib.suppress(OSError):
                file.write_bytes(octets)

    def memory(self) -> dict[str, float]:
        """MiB (PSS) of the supervisor and of the workers together."""
        found = {"supervisor": 0.0, "workers": 0.0}
        with contextlib.suppress(OSError):
            found["supervisor"] = harness.proportional_memory(self.pid) / 2**20
            found["workers"] = sum(map(harness.proportional_memory, self.workers())) / 2**20
        return found

    def stop(self) -> None:
        """End the server, and whatever is left of it."""
        self._stopping = True
        if self._keeper is not None:
            self._keeper.join(PATIENCE)
        if self._process is not None:
            pid = self.pid
            self._process.stop()
            with contextlib.suppress(OSError):
                os.killpg(pid, signal.SIGKILL)


class Writer:
    """Edits some zones every few seconds, builds, and has the server take that."""

    def __init__(self, stage: Stage, chance: random.Random, pause: tuple[float, float]) -> None:
        self._stage = stage
        self._chance = chance
        self._pause = pause
        self._generation = 1
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """After the build that is under way."""
        self._end.set()
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        while not self._end.wait(self._chance.uniform(*self._pause)):
            self.cycle()

    def edit(self, count: int | None = None) -> list[str]:
        """Give some zones, one to five unless said, a new generation; their names."""
        chosen = list(self._stage.zones)
        self._chance.shuffle(chosen)
        chosen = chosen[: self._chance.randint(1, 5) if count is None else count]
        self._generation += 1
        for name in chosen:
            self._stage.write(name, self._generation)
        return chosen

    def cycle(
        self,
        *,
        count: int | None = None,
        kill_after: float | None = None,
        room: int | None = None,
        fail: bool = False,
    ) -> bool:
        """One edit and build; whether the server has it. ``fail``: nothing is found where the build
        is refused."""
        stage, ledger = self._stage, self._stage.ledger
        with stage.building:
            before = dict(ledger.highest)
            lenient = fail or ledger.is_lenient
            changed = self.edit(count)
            status, output = stage.build(kill_after=kill_after, room=room)
            if kill_after is not None and status < 0:
                ledger.count("builds killed")
            if status != 0:
                told = " | ".join(output.strip().splitlines()[:3])
                if not lenient and not ledger.is_lenient:
                    ledger.find(f"a build exits with {status}: {told}")
                ledger.count("builds refused")
                return False
            problem = stage.reload()
            if problem:
                ledger.count("reloads refused")
                if lenient or ledger.is_lenient:
                    return False
                # A worker may have ended while it was loaded: what is good is tried again.
                live = os.readlink(stage.output / "current")
                if not stage.takes(live) or stage.reload():
                    ledger.find(f"a reload is refused: {problem.splitlines()[0]}")
                    return False
            self._look_at_serials(changed, before)
            return True

    def _look_at_serials(self, changed: Sequence[str], before: dict[str, int]) -> None:
        for name in changed:
            serial = serial_at(self._stage.port, name)
            was = before.get(name)
            if serial is not None and was is not None and not greater(serial, was):
                self._stage.ledger.find(
                    f"{name}: new content has serial {serial}, after {was} was handed out"
                )


@contextlib.contextmanager
def health_targets(addresses: Sequence[str]) -> Iterator[tuple[int, Callable[[str, bool], None]]]:
    """Listeners on one port of each address; the port, and what takes one down or up again."""
    port = free_port()
    socks: dict[str, socket.socket] = {}

    def switch(address: str, up: bool) -> None:
        if not up:
            sock = socks.pop(address)
            # Without this whoever waits in accept() keeps it open.
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()
            return
        sock = socks[address] = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        # Connections that nobody accepts pile up in a queue that is full for checks otherwise.
        sock.listen(1)
        threading.Thread(target=_accept, args=(sock,), daemon=True).start()

    for address in addresses:
        switch(address, True)
    try:
        yield port, switch
    finally:
        for address in list(socks):
            switch(address, False)


def _accept(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while True:
            sock.accept()[0].close()

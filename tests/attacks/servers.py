"""The server that is attacked: on a core of its own where there are two, with what it logs."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.attacks.probe import Seen
from tests.bench import harness, peers
from tests.bench.inputs import ZONE

OTHER_KEY = "other-key"
"""A second TSIG key, with the secret of the first."""
FILES = 20_000
"""Descriptors that an attack needs at most."""


@dataclass(frozen=True, slots=True)
class Attacked:
    """A server that runs: who it is, its port, how many names its zone has, and where it logs."""

    name: str
    port: int
    names: int
    log: Path

    @property
    def kills(self) -> int:
        """Workers that died so far."""
        return self.log.read_text().count("died; starting another")

    @property
    def cpu(self) -> float:
        """Seconds of a processor that the processes with its sockets have taken."""
        # Nanoseconds, where /proc/PID/stat has ticks.
        taken = [
            int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
            for pid in harness.listeners(self.port)
        ]
        return sum(taken) / 1e9

    @property
    def memory(self) -> float:
        """MiB of the process that answers, files that it has mapped left out."""
        found = []
        for pid in harness.listeners(self.port):
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            anonymous = re.search(r"^Pss_Anon:\s+(\d+) kB", text, re.M)
            found.append(int(anonymous[1]) / 1024 if anonymous else 0.0)
        return max(found)


def project(
    folder: Path,
    zone: Path,
    *,
    signed: bool = False,
    extra: str = "",
    checkout: Path | None = None,
) -> peers.Project:
    """An lzc project that is built; ``checkout`` is a folder with another version of lzc."""
    other = f'[tsig."{OTHER_KEY}."]\nsecret = "{peers.TSIG_SECRET}"\n'
    made = peers.project(folder, zone, signed=signed, extra=other + extra)
    harness.run(_in(checkout, made.lzc("build")))
    return made


def _in(checkout: Path | None, command: list[str]) -> list[str]:
    return command if checkout is None else ["env", "-C", str(checkout), *command]


@contextlib.contextmanager
def lzc(made: peers.Project, names: int, checkout: Path | None = None) -> Iterator[Attacked]:
    """lzc with one worker; ``checkout`` as for `project`."""
    port = harness.free_port()
    command = _in(checkout, made.lzc("serve", "--listen", f"127.0.0.1:{port}"))
    log = made.folder / "log"
    with harness.server(command, port, f"host0.{ZONE}", log):
        yield Attacked("lzc before" if checkout else "lzc", port, names, log)


@contextlib.contextmanager
def nsd(folder: Path, zone: Path, names: int) -> Iterator[Attacked]:
    """NSD with one server process, and room for as many connections as lzc has."""
    more = "tcp-count: 2048\n    tcp-timeout: 10"
    first = f"host0.{ZONE}"
    with peers.nsd(folder, zone, first, server=more, others=[OTHER_KEY]) as running:
        yield Attacked("NSD", running.port, names, folder / "log")


def to_load_core() -> None:
    """Leave the server's core to the server."""
    os.sched_setaffinity(0, {int(harness.LOAD_CORE)})


@contextlib.contextmanager
def many_files() -> Iterator[None]:
    """Be allowed to open many connections."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(FILES, before[0])
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(wanted, before[1]), before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Probe:
    """``with Probe(server) as probe``: asks over UDP meanwhile; `seen` is there afterwards."""

    def __init__(self, server: Attacked, seconds: float = 120.0) -> None:
        command = [sys.executable, "-m", "tests.attacks.probe"]
        command += [str(server.port), str(server.names), str(seconds)]
        self._command = command
        self.seen = Seen(0, 0, 0.0, 0.0, 0.0)

    def __enter__(self) -> Probe:
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return self

    def __exit__(self, *raised: object) -> None:
        out, _ = self._process.communicate("")
        self.seen = Seen(**json.loads(out))

"""Transfers of a million records: one, over TCP and over TLS, and ten at once while others ask."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.bench import harness, inputs, peers
from tests.bench.harness import Figure
from tests.bench.inputs import ZONE
from tests.bench.scrape_rows import ask, cpu_of
from tests.unit.certificates import make

RECORDS: Final = 1_000_000
AT_ONCE: Final = 10
_ASKED: Final = 6.0
"""Seconds of questions without transfers."""


def transfers(folder: Path) -> Iterator[Figure]:
    """AXFR with TSIG beside NSD, over TLS beside TCP, and ten at once beside UDP."""
    zone = folder / "zone"
    inputs.static_zone(zone, RECORDS)
    name, tls = f"host7.{ZONE}", harness.free_port()
    folder.mkdir(parents=True, exist_ok=True)
    certificate, key = make().write(folder, "tls")
    made = peers.project(
        folder / "lzc",
        zone,
        extra=f'[serve]\ntls-listen = ["127.0.0.1:{tls}"]\n'
        f'tls-certificate-file = "{certificate}"\ntls-key-file = "{key}"\n',
    )
    harness.run(made.lzc("build"))
    row = f"AXFR with TSIG, {RECORDS:,} records"
    with peers.lzc(made, name) as ours, peers.nsd(folder / "NSD", zone, name) as theirs:
        turns: dict[str, list[float]] = {"lzc": [], "NSD": [], "TLS": []}
        for _ in range(3):
            turns["lzc"].append(_drained(ours.port))
            turns["NSD"].append(_drained(theirs.port))
            turns["TLS"].append(_drained(tls, "--tls"))
        rates = {who: RECORDS / min(found) for who, found in turns.items()}
        yield Figure(row, "NSD", rates["NSD"], rates["lzc"], "records/s", "≥ 2")
        yield Figure(f"{row}, TLS", "lzc over TCP", rates["lzc"], rates["TLS"], "records/s", "")
        # Of the rate, who takes it in Python and has to decrypt it has its share.
        tcp, wrapped = _cost(ours.port, ours.port), _cost(ours.port, tls, "--tls")
        yield Figure("  CPU of the server, TLS", "lzc over TCP", tcp, wrapped, "ms", "")
        # The supervisor, which was there first, holds the sockets too.
        worker = harness.listeners(ours.port)[-1]
        before = harness.anonymous_memory(worker)
        seen = {who: _beside(one.port) for who, one in (("NSD", theirs), ("lzc", ours))}
        after = harness.anonymous_memory(worker)
        yield from _told(seen["NSD"], seen["lzc"])
        row = "  memory of the worker without files"
        yield Figure(row, "before", before / 2**20, after / 2**20, "MiB", "")


def _told(theirs: Beside, ours: Beside) -> Iterator[Figure]:
    row = f"{AT_ONCE} at once"
    yield Figure(row, "NSD", theirs.rate, ours.rate, "records/s", "≥ 2")
    yield Figure("  CPU of the server for one", "NSD", theirs.cpu, ours.cpu, "ms", "")
    yield Figure("  taken of the load's core", "NSD", theirs.load, ours.load, "%", "")
    yield Figure("  last end to first end", "NSD", theirs.spread, ours.spread, "times", "")
    for who, one in (("NSD", theirs), ("lzc", ours)):
        what = f"p99 of UDP beside {AT_ONCE} transfers, {who}"
        yield Figure(what, "idle", one.idle, one.busy, "ms", "≤ 2")


def _drained(port: int, *options: str) -> float:
    return _drain(port, *options)[0]


def _cost(serving: int, port: int, *options: str) -> float:
    """CPU milliseconds that one transfer takes of the server with this UDP port."""
    servers = harness.listeners(serving)
    before = sum(map(cpu_of, servers))
    for _ in range(3):
        _drain(port, *options)
    return (sum(map(cpu_of, servers)) - before) / 3 * 1000


def _drain(port: int, *options: str) -> tuple[float, int]:
    command = [sys.executable, "-m", "tests.bench.drain", str(port), ZONE, *options]
    pinned = harness.on_core(harness.LOAD_CORE, command)
    done = subprocess.run(pinned, capture_output=True, text=True, check=True)
    seconds, octets = done.stdout.split()
    return float(seconds), int(octets)


@dataclass(frozen=True, slots=True)
class Beside:
    """Ten transfers at once: ``rate`` in records a second, ``cpu`` of the server for one in
    milliseconds, ``load``: percent of a core that who reads them took; ``spread``: the time to the
    last end as a multiple of that to the first one. ``idle`` and ``busy``: the 99th percentile of
    UDP answers without and beside them, in milliseconds."""

    rate: float
    cpu: float
    load: float
    spread: float
    idle: float
    busy: float


def _beside(port: int) -> Beside:
    names = [f"host{n}.{ZONE}" for n in range(1000)]
    octets = _drain(port)[1]
    servers = harness.listeners(port)
    with harness.foremost():
        idle = _p99(ask(port, names, _ASKED)[0])
    before = sum(map(cpu_of, servers))
    once = _drains(port, octets, 0)
    cpu = sum(map(cpu_of, servers)) - before
    with _draining(port, octets, _ASKED + 1), harness.foremost():
        busy = _p99(ask(port, names, _ASKED)[0])
    return Beside(
        AT_ONCE * RECORDS / once["seconds"],
        cpu / AT_ONCE * 1000,
        once["cpu"] / once["seconds"] * 100,
        once["ends"][-1] / once["ends"][0],
        idle,
        busy,
    )


def _drains(port: int, octets: int, seconds: float) -> dict[str, Any]:
    with _draining(port, octets, seconds) as process:
        assert process.stdout is not None
        told: dict[str, Any] = json.loads(process.stdout.read())
    return told


@contextlib.contextmanager
def _draining(port: int, octets: int, seconds: float) -> Iterator[subprocess.Popen[str]]:
    """Who takes the zone ten times at once gives way to who asks; the block begins when he does."""
    command = [sys.executable, "-m", "tests.bench.drains", str(port), ZONE, str(AT_ONCE)]
    command += [str(octets), str(seconds)]
    pinned = ["nice", "-n", "19", *harness.on_core(harness.LOAD_CORE, command)]
    with subprocess.Popen(pinned, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.stdout.read()


def _p99(times: list[float]) -> float:
    found = sorted(times)
    return found[len(found) * 99 // 100]

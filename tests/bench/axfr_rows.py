"""Transfers of a million records: one, over TCP and over TLS, and ten at once while others ask."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.bench import harness, inputs, peers
from tests.bench.harness import Figure
from tests.bench.inputs import ZONE
from tests.bench.scrape_rows import ask
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
        workers = harness.listeners(ours.port)
        before = max(map(harness.proportional_memory, workers))
        seen = {who: _beside(one.port) for who, one in (("NSD", theirs), ("lzc", ours))}
        after = max(map(harness.proportional_memory, workers))
        rate = {who: AT_ONCE * RECORDS / found[0] for who, found in seen.items()}
        row = f"{AT_ONCE} at once"
        yield Figure(row, "NSD", rate["NSD"], rate["lzc"], "records/s", "≥ 2")
        for who, (_, idle, busy) in seen.items():
            what = f"p99 of UDP beside {AT_ONCE} transfers, {who}"
            yield Figure(what, "idle", idle, busy, "ms", "≤ 2")
        yield Figure("  memory of the worker", "before", before / 2**20, after / 2**20, "MiB", "")


def _drain(port: int, *options: str) -> list[str]:
    command = [sys.executable, "-m", "tests.bench.drain", str(port), ZONE, *options]
    return harness.on_core(harness.LOAD_CORE, command)


def _drained(port: int, *options: str) -> float:
    done = subprocess.run(_drain(port, *options), capture_output=True, text=True, check=True)
    return float(done.stdout)


def _beside(port: int) -> tuple[float, float, float]:
    """Seconds that ten transfers at once take, and the 99th percentile of UDP answers without them
    and meanwhile, in milliseconds."""
    idle = _p99(ask(port, [f"host{n}.{ZONE}" for n in range(1000)], _ASKED)[0])
    with contextlib.ExitStack() as stack:
        begun = time.monotonic()
        # The one who asks is not to wait for those who read.
        drains = [
            stack.enter_context(
                subprocess.Popen(["nice", "-n", "19", *_drain(port)], stdout=subprocess.PIPE)
            )
            for _ in range(AT_ONCE)
        ]
        ended: list[float] = []

        def wait() -> None:
            for one in drains:
                one.wait()
            ended.append(time.monotonic())

        waiting = threading.Thread(target=wait)
        waiting.start()
        times: list[float] = []
        while not ended:
            times += ask(port, [f"host{n}.{ZONE}" for n in range(1000)], 0.5)[0]
        waiting.join()
    return ended[0] - begun, idle, _p99(times)


def _p99(times: list[float]) -> float:
    found = sorted(times)
    return found[len(found) * 99 // 100]

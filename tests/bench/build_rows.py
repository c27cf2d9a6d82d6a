"""The row about building again what changed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import inputs, peers
from tests.bench.harness import Figure

ZONES = 10_000
RECORDS = 100
TURNS = 9
SETTLED = 2.5
"""Seconds after which a build trusts the times of files."""


def rebuild(folder: Path) -> Iterator[Figure]:
    """10,000 zones of 100 records: all of them, one that changed, none. Each as the command takes
    it, and as the build in it does, without the start of Python."""
    (folder / "zones").mkdir()
    for number in range(ZONES):
        inputs.static_zone(_zone(folder, number), RECORDS - 5, f"zone{number}.example")
    (folder / "lzc.toml").write_text('[build]\nsources = ["zones/*.zone"]\nserial = "increment"\n')
    time.sleep(SETTLED)
    full = _build(folder)
    one, none = [], []
    for turn in range(TURNS):
        none.append(_build(folder))
        with _zone(folder, 77).open("a") as out:
            out.write(f"more{turn} A 192.0.2.{turn}\n")
        time.sleep(SETTLED)
        one.append(_build(folder))
    for what, turns, goal in ((f"one of {ZONES:,} zones", one, "≤ 0.01"), ("no zone", none, "")):
        # Other work on the machine is not what is measured.
        command, inside = (min(seconds) for seconds in zip(*turns, strict=True))
        yield Figure(f"rebuild, {what}", "full build", full[0], command, "s", goal)
        yield Figure(f"rebuild, {what}, inside", "full build, inside", full[1], inside, "s", "")


def _zone(folder: Path, number: int) -> Path:
    return folder / "zones" / f"zone{number}.example.zone"


def _build(folder: Path) -> tuple[float, float]:
    """Seconds of the command, and those of the build in it."""
    command = peers.Project(folder).lzc("build", "--format", "json")
    started = time.perf_counter()
    done = subprocess.run(command, capture_output=True, check=True)
    seconds = time.perf_counter() - started
    return seconds, float(json.loads(done.stdout)["seconds"])

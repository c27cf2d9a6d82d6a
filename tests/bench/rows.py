"""The rows of the goals: each function measures peers and lzc and yields figures."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from tests.bench import (
    axfr_rows,
    build_rows,
    count_rows,
    denial_rows,
    harness,
    hostile_rows,
    inputs,
    lua_rows,
    peers,
    publish_rows,
    recorded_rows,
    scrape_rows,
    transfer_rows,
    turns,
)
from tests.bench.harness import Figure
from tests.bench.inputs import ZONE

Row = Callable[[Path], Iterator[Figure]]


def _built(folder: Path, zone: Path, *, signed: bool = False) -> peers.Project:
    made = peers.project(folder, zone, signed=signed)
    harness.run(made.lzc("build"))
    return made


def _zone_key(made: peers.Project) -> Path:
    return next((made.folder / "keys").rglob("*.private"))


def static_hot(folder: Path) -> Iterator[Figure]:
    """10,000 names that all fit the caches."""
    zone = folder / "zone"
    inputs.static_zone(zone, 10_000)
    names = inputs.hosts(10_000)
    queries = inputs.queries(folder / "queries", names)
    made = _built(folder / "lzc", zone)
    with contextlib.ExitStack() as stack:
        running = {"lzc": stack.enter_context(peers.lzc(made, names[0]))}
        for peer, start in (("NSD", peers.nsd), ("Knot", peers.knot), ("PowerDNS", peers.powerdns)):
            running[peer] = stack.enter_context(start(folder / peer, zone, names[0]))
        rates = turns.rates(running, queries)
    for peer in list(running)[1:]:
        yield Figure("static, hot", peer, rates[peer], rates["lzc"], "q/s", "≥ 1")


def static_cold(folder: Path) -> Iterator[Figure]:
    """Each name asked once; NXDOMAIN floods."""
    zone = folder / "zone"
    count = 450_000
    inputs.static_zone(zone, count)
    first = f"ns1.{ZONE}"
    made = _built(folder / "lzc", zone)
    peer = "PowerDNS, caches off"
    with (
        peers.lzc(made, first) as ours,
        peers.powerdns(folder / "PowerDNS", zone, first, caches=False) as theirs,
    ):
        running = {"lzc": ours, peer: theirs}
        for row, names in (
            ("static, cold", inputs.hosts(count)),
            ("NXDOMAIN flood", inputs.strangers(count)),
        ):
            parts = [
                inputs.queries(folder / f"{row} {turn}", names[turn :: turns.TURNS])
                for turn in range(turns.TURNS)
            ]
            rates = turns.rates_once(running, parts)
            yield Figure(row, peer, rates[peer], rates["lzc"], "q/s", "≥ 1")


def signed_static(folder: Path) -> Iterator[Figure]:
    """Static answers with DO=1, 10,000 names."""
    zone = folder / "zone"
    inputs.static_zone(zone, 10_000)
    names = inputs.hosts(10_000)
    queries = inputs.queries(folder / "queries", names)
    made = _built(folder / "lzc", zone, signed=True)
    with (
        peers.lzc(made, names[0]) as ours,
        peers.powerdns(folder / "P", zone, names[0], key=_zone_key(made)) as theirs,
    ):
        rates = turns.rates({"lzc": ours, "PowerDNS": theirs}, queries, dnssec=True)
        yield Figure("static, signed, hot", "PowerDNS", rates["PowerDNS"], rates["lzc"], "q/s", "")


def million_build(folder: Path) -> Iterator[Figure]:
    """One zone of a million records: build, first answer, memory, transfer."""
    zone = folder / "zone"
    inputs.static_zone(zone, 1_000_000)
    name = f"host999999.{ZONE}"
    made = peers.project(folder / "lzc", zone)
    build = harness.run(made.lzc("build"))
    lmdb = folder / "lmdb"
    lmdb.mkdir()
    (lmdb / "pdns.conf").write_text(
        f"launch=lmdb\nlmdb-filename={lmdb}/pdns.lmdb\nlmdb-shards=1\nlmdb-map-size=4000\n"
    )
    load = harness.run(["pdnsutil", f"--config-dir={lmdb}", "load-zone", ZONE, str(zone)])
    yield Figure("build, 1,000,000 records", "pdnsutil into LMDB", load, build, "s", "≤ 1")
    with peers.lzc(made, name) as running:
        startup = running.startup
        harness.load(running.port, inputs.queries(folder / "q", inputs.hosts(1_000_000)), once=True)
        memory = max(harness.proportional_memory(pid) for pid in harness.listeners(running.port))
        transfer = _transfer_seconds(running.port)
    with peers.nsd(folder / "NSD", zone, name) as running:
        yield Figure("start to first answer", "NSD", running.startup, startup, "s", "≤ 0.2")
        theirs = _transfer_seconds(running.port)
        row = "AXFR with TSIG, 1,000,000 records"
        yield Figure(row, "NSD", 1e6 / theirs, 1e6 / transfer, "records/s", "≥ 1")
    with peers.powerdns(folder / "PowerDNS", zone, name) as running:
        harness.load(running.port, folder / "q", once=True)
        theirs = max(harness.proportional_memory(pid) for pid in harness.listeners(running.port))
        yield Figure("memory a worker", "PowerDNS", theirs / 2**20, memory / 2**20, "MiB", "≤ 0.5")


def _transfer_seconds(port: int) -> float:
    """Take the zone over TSIG and count octets only, so that the client is no bottleneck."""
    command = [sys.executable, "-m", "tests.bench.drain", str(port), ZONE]
    seconds = []
    for _ in range(3):
        done = subprocess.run(
            harness.on_core(harness.LOAD_CORE, command), capture_output=True, text=True, check=True
        )
        seconds.append(float(done.stdout.split()[0]))
    return min(seconds)


def reload(folder: Path) -> Iterator[Figure]:
    """Answers lost while bundles change under half of the maximum load."""
    zone = folder / "zone"
    inputs.static_zone(zone, 10_000)
    names = inputs.hosts(10_000)
    queries = inputs.queries(folder / "queries", names)
    made = _built(folder / "lzc", zone)
    with peers.lzc(made, names[0]) as running:
        full = turns.rates({"lzc": running}, queries)["lzc"]
        command = ["dnsperf", "-s", "127.0.0.1", "-p", str(running.port), "-d", str(queries)]
        command += ["-l", "10", "-Q", str(int(full / 2)), "-t", "2"]
        with subprocess.Popen(
            harness.on_core(harness.LOAD_CORE, command), stdout=subprocess.PIPE, text=True
        ) as loader:
            for turn in range(4):
                time.sleep(1.5)
                text = zone.read_text().replace("10.0.0.", f"10.{turn + 1}.0.")
                zone.write_text(text.replace("2026010100", f"202601010{turn + 1}"))
                # The build goes to the loader's core: the server keeps its own.
                subprocess.run(
                    harness.on_core(harness.LOAD_CORE, made.lzc("build")),
                    check=True,
                    capture_output=True,
                )
            out = loader.communicate()[0]
        lost = float(out.split("Queries lost:")[1].split()[0])
        yield Figure("answers lost in 4 reloads", "(none)", 0, lost, "answers", "0")


def health(_folder: Path) -> Iterator[Figure]:
    """LUA answers and sweeps while thousands of targets time out, beside the same with all up: five
    minutes for ten thousand TCP targets, as long for HTTP, and as long for HTTPS."""
    for down, up, what, targets in (
        ("silent", "up", "TCP", 10_000),
        ("http-silent", "http", "HTTP", 10_000),
        ("https-silent", "https", "HTTPS", 1_000),
    ):
        # In turns, and the best of each: other work on the machine is not what is measured.
        runs = [(_cell(up, targets), _cell(down, targets)) for _ in range(2)]
        for field, unit, goal in (
            ("p50", "ms", ""),
            ("p99", "ms", "≤ 1.5"),
            ("sweep", "s", ""),
            ("report", "s", ""),
        ):
            row = f"{_HEALTH_ROWS[field]}, {targets:,} {what} down"
            theirs, ours = (min(one[field] for one in side) for side in zip(*runs, strict=True))
            yield Figure(row, "all up", theirs, ours, unit, goal)


_HEALTH_ROWS = {
    "p50": "LUA p50",
    "p99": "LUA p99",
    "sweep": "sweep",
    "report": "ctl health",
}


def _cell(kind: str, targets: int) -> dict[str, float]:
    apart = ["unshare", "-n" if os.geteuid() == 0 else "-rn"]
    command = [*apart, sys.executable, "-m", "tests.bench.health_cell", kind, str(targets)]
    # Targets and questions on one core; the server goes to its own.
    command = harness.on_core(harness.LOAD_CORE, command)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


ROWS: dict[str, Row] = {
    "static-hot": static_hot,
    "static-cold": static_cold,
    "signed-static": signed_static,
    **{f"denial-{way}": partial(denial_rows.denial, way=way) for way in denial_rows.WAYS},
    **{
        f"signed-{name}": partial(denial_rows.algorithm, name=name)
        for name in denial_rows.ALGORITHMS
    },
    "lua-arbitrary": lua_rows.lua_arbitrary,
    "lua-shared": lua_rows.lua_shared,
    "lua-strings": lua_rows.lua_strings,
    "lua-codes": lua_rows.lua_codes,
    "lua-idiom": lua_rows.lua_idiom,
    "lua-counted": count_rows.counted,
    "lua-hostile": hostile_rows.hostile,
    "million": million_build,
    "presigned": publish_rows.presigned,
    "transfers": axfr_rows.transfers,
    "ixfr": transfer_rows.ixfr,
    "rebuild": build_rows.rebuild,
    "reload": reload,
    "health": health,
    "scrape": scrape_rows.scrape,
    "recorded": recorded_rows.recorded,
}

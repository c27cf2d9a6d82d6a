"""The row about IXFR of one change in a zone of a million records, beside Knot and BIND as
primaries of the same zone with the same change.

A client asks again and again, one request after the other on a connection each, over TSIG, from the
serial before the change. What counts are octets, seconds from the request to the last octet, CPU
time of the server for a request, and its memory.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

import dns.query
import dns.tsig
import dns.tsigkeyring
import dns.update

from tests.bench import harness, inputs, peers
from tests.bench.harness import Figure
from tests.bench.inputs import ZONE
from tests.bench.peers import TSIG_NAME, TSIG_SECRET, Running

RECORDS: Final = 1_000_000
BEFORE: Final = 2026010100
"""The serial of `inputs.APEX`; the change brings the next one."""
CHANGED: Final = RECORDS // 2
ROUNDS: Final = 3
REQUESTS: Final = 200


@dataclass(frozen=True, slots=True)
class Seen:
    """Of requests, medians: octets of the answer with their lengths, seconds, and CPU seconds of
    the server; and its memory in octets."""

    octets: float
    seconds: float
    cpu: float
    memory: float


def ixfr(folder: Path) -> Iterator[Figure]:
    """IXFR of one change in 1,000,000 records."""
    zone = folder / "zone"
    inputs.static_zone(zone, RECORDS)
    made = peers.project(folder / "lzc", zone)
    harness.run(made.lzc("build"))
    changed = zone.read_text().replace(str(BEFORE), str(BEFORE + 1))
    old = f"host{CHANGED} 300 IN A "
    start = changed.index(old) + len(old)
    changed = changed[:start] + "192.0.2.99" + changed[changed.index("\n", start) :]
    fresh = folder / "changed"
    fresh.write_text(changed)
    fresh.replace(zone)
    harness.run(made.lzc("build"))
    unchanged = folder / "unchanged"
    inputs.static_zone(unchanged, RECORDS)
    name = f"host{RECORDS - 1}.{ZONE}"
    with contextlib.ExitStack() as stack:
        running = {
            "lzc": stack.enter_context(peers.lzc(made, name)),
            "Knot": stack.enter_context(_knot(folder / "Knot", unchanged, name)),
            "BIND": stack.enter_context(_bind(folder / "BIND", unchanged, name)),
        }
        seen: dict[str, list[Seen]] = {name: [] for name in running}
        for _ in range(ROUNDS):
            for peer, one in running.items():
                seen[peer].append(_ask(one.port))
    row = "IXFR of one change in 1,000,000 records"
    kinds: tuple[tuple[str, Callable[[Seen], float], str, str], ...] = (
        ("octets", lambda one: one.octets, "B", "≤ 1024 B"),
        ("time", lambda one: one.seconds * 1e6, "µs", "≤ 1"),
        ("CPU of the server", lambda one: one.cpu * 1e6, "µs", ""),
        ("memory of the server", lambda one: one.memory / 2**20, "MiB", ""),
    )
    for what, value, unit, goal in kinds:
        ours = median(map(value, seen["lzc"]))
        for peer in ("Knot", "BIND"):
            theirs = median(map(value, seen[peer]))
            yield Figure(f"{row}: {what}", peer, theirs, ours, unit, goal)


def _ask(port: int) -> Seen:
    """Ask `REQUESTS` times from the other core."""
    servers = harness.listeners(port)
    before = sum(map(_cpu, servers))
    command = [sys.executable, "-m", "tests.bench.ask_ixfr", str(port), ZONE, str(BEFORE)]
    command.append(str(REQUESTS))
    done = subprocess.run(
        harness.on_core(harness.LOAD_CORE, command), capture_output=True, text=True, check=True
    )
    told = json.loads(done.stdout)
    cpu = (sum(map(_cpu, servers)) - before) / REQUESTS
    memory = sum(harness.proportional_memory(pid) for pid in servers)
    return Seen(told["octets"], told["seconds"], cpu, memory)


def _cpu(pid: int) -> float:
    """CPU seconds of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


@contextlib.contextmanager
def _knot(folder: Path, zone: Path, first: str) -> Iterator[Running]:
    """Knot DNS with a journal, and the change in it."""
    folder.mkdir(parents=True)
    port = harness.free_port()
    configuration = folder / "knot.conf"
    configuration.write_text(
        f"""server:
    rundir: "{folder}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{folder}"
log:
  - target: stderr
    any: warning
key:
  - id: {TSIG_NAME}
    algorithm: hmac-sha256
    secret: "{TSIG_SECRET}"
acl:
  - id: transfers
    key: {TSIG_NAME}
    action: transfer
zone:
  - domain: {ZONE}
    file: "{zone.resolve()}"
    zonefile-sync: -1
    journal-content: changes
    acl: transfers
"""
    )
    with harness.server(["knotd", "-c", str(configuration)], port, first, folder / "log") as taken:
        knotc = ["knotc", "-c", str(configuration)]
        host = f"host{CHANGED}"
        for words in (
            ["zone-begin", ZONE],
            ["zone-unset", ZONE, host, "A"],
            ["zone-set", ZONE, host, "300", "A", "192.0.2.99"],
            ["zone-commit", ZONE],
        ):
            subprocess.run([*knotc, *words], check=True, capture_output=True)
        _await_change(port)
        yield Running(port, taken)


@contextlib.contextmanager
def _bind(folder: Path, zone: Path, first: str) -> Iterator[Running]:
    """BIND with a journal, and the change in it."""
    folder.mkdir(parents=True)
    port = harness.free_port()
    own = folder / "zone"
    own.write_bytes(zone.read_bytes())
    (folder / "named.conf").write_text(
        f"""options {{
    directory "{folder}";
    pid-file "{folder}/named.pid";
    session-keyfile "{folder}/session.key";
    managed-keys-directory "{folder}";
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    notify no;
}};
controls {{ }};
key "{TSIG_NAME}" {{ algorithm hmac-sha256; secret "{TSIG_SECRET}"; }};
zone "{ZONE}" {{
    type primary;
    file "{own}";
    allow-transfer {{ key "{TSIG_NAME}"; }};
    allow-update {{ key "{TSIG_NAME}"; }};
}};
"""
    )
    command = ["named", "-g", "-n", "1", "-c", str(folder / "named.conf")]
    with harness.server(command, port, first, folder / "log") as taken:
        update = dns.update.UpdateMessage(
            ZONE,
            keyring=dns.tsigkeyring.from_text({TSIG_NAME: TSIG_SECRET}),
            keyalgorithm=dns.tsig.HMAC_SHA256,
        )
        update.replace(f"host{CHANGED}", 300, "A", "192.0.2.99")
        dns.query.tcp(update, "127.0.0.1", port=port, timeout=60)
        _await_change(port)
        yield Running(port, taken)


def _await_change(port: int) -> None:
    name = f"host{CHANGED}.{ZONE}"
    for _ in range(600):
        answer = harness.question(port, name, 1)
        if answer is not None and bytes((192, 0, 2, 99)) in answer:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{name} did not change at port {port}")

"""LUA answers and sweeps over many health checks of one kind, in a network namespace of its own.

unshare -n python -m tests.bench.health_cell KIND TARGETS [SECONDS] prints a JSON object. KIND is
``up``, ``silent`` (connections time out), ``refusing``, ``http``, ``https``, or ``http-silent`` and
``https-silent`` (connections are accepted, requests or handshakes are not answered).
"""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench import harness, inputs, peers
from tests.bench.health_targets import Targets, address, zone
from tests.bench.health_watch import Watch

_A_RECORD = 10
_RATE = 1000
_SETTLE = 15.0


def codes(kind: str, targets: int, port: int) -> list[str]:
    """Records with ten targets each. More than one API call, so that each answer runs Lua."""
    made = []
    for start in range(0, targets, _A_RECORD):
        listed = ",".join(f"'{address(start + one)}'" for one in range(_A_RECORD))
        if kind.startswith("http"):
            scheme = kind.removesuffix("-silent")
            call = f"ifurlup('{scheme}://www.example.com:{port}/',{{{listed}}})"
        else:
            call = f"ifportup({port},{{{listed}}})"
        made.append(f";local found={call} return found")
    return made


def question(number: int, label: str, zone: str) -> bytes:
    """A query for the A records of a label below a zone, with the low 16 bits of ``number`` for its
    ID."""
    labels = [label, *zone.split(".")]
    name = b"".join(bytes((len(one),)) + one.encode() for one in labels)
    return number.to_bytes(4, "big")[2:] + b"\0\0\0\1\0\0\0\0\0\0" + name + b"\0\0\1\0\1"


def ask(port: int, labels: list[str], seconds: float) -> dict[str, float]:
    """Ask at a steady rate, one question at a time in flight; times in milliseconds."""
    times = []
    lost = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(1)
        udp.connect(("127.0.0.1", port))
        begin = time.monotonic()
        count = int(seconds * _RATE)
        for number in range(count):
            query = question(number, labels[number % len(labels)], inputs.ZONE)
            pause = begin + number / _RATE - time.monotonic()
            if pause > 0:
                time.sleep(pause)
            elif pause < -5:
                break
            sent = time.perf_counter()
            udp.send(query)
            try:
                while udp.recv(4096)[:2] != query[:2]:
                    pass
            except TimeoutError:
                lost += 1
            times.append((time.perf_counter() - sent) * 1000)
    times.sort()
    middle, high = times[len(times) // 2], times[len(times) * 99 // 100]
    return {"p50": middle, "p99": high, "longest": times[-1], "lost": lost, "asked": len(times)}


async def measure(kind: str, targets: int, seconds: float, folder: Path) -> dict[str, float]:
    """Serve such a zone and measure, once the checks go round."""
    async with Targets() as ports:
        port = {
            "up": ports.accepting,
            "silent": ports.silent,
            "refusing": ports.refusing,
            "http": ports.http,
            "http-silent": ports.accepting_silent,
            "https": ports.https,
            "https-silent": ports.accepting_silent,
        }[kind]
        source = folder / "zone"
        labels = zone(source, codes(kind, targets, port))
        made = peers.project(folder / "lzc", source)
        await asyncio.to_thread(harness.run, made.lzc("build"))
        name = f"{labels[0]}.{inputs.ZONE}"

        def run() -> dict[str, float]:
            with peers.lzc(made, name) as running:
                watch = Watch(made.folder / "build" / "control.sock")
                end = time.monotonic() + _SETTLE
                while time.monotonic() < end:
                    watch.look()
                    time.sleep(2)
                found = ask(running.port, labels, seconds)
                watch.look()
                watch.forget()
                end = time.monotonic() + 2 * seconds
                while time.monotonic() < end:
                    watch.look()
                    time.sleep(1)
                return {
                    **found,
                    "startup": running.startup,
                    "sweep": watch.longest,
                    "late": watch.latest,
                    "report": watch.report,
                    **{f"checks {one}": count for one, count in watch.statuses.items()},
                }

        return await asyncio.to_thread(run)


def main() -> None:
    """Measure one kind and print what was found."""
    kind, targets = sys.argv[1], int(sys.argv[2])
    seconds = float(sys.argv[3]) if len(sys.argv) > 3 else 10.0
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="lzc-health-") as folder:
        print(json.dumps(asyncio.run(measure(kind, targets, seconds, Path(folder)))))


if __name__ == "__main__":
    main()

"""What a scrape of metrics takes from answers: a server of many zones and checks, asked at a steady
rate without a scrape, with one each 15 seconds as Prometheus makes them, and with one after the
other.

Server on one core, questions on the other. Who scrapes gives way to who asks, and who asks has
real-time priority where we are root, so that what is measured is the server. Turns without a scrape
and with some follow each other again and again, and each is told. Checks are made once, before the
first turn: ten thousand at once, as targets of one bundle begin, would be in some turns and not in
others.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from lzc.serve.supervise import control
from tests.bench import harness
from tests.bench.harness import Figure
from tests.bench.health_cell import question

ZONES: Final = 1_000
CHECKS: Final = 10_000
_RATE: Final = 500
_SECONDS: Final = 15.0
_TURNS: Final = 3
_EACH: Final = 15.0
_SETTLE: Final = 300.0
_REAL_TIME: Final = 10
_SCRAPES: Final = {
    "each 15 s, identity": (_EACH, "identity"),
    "all the time, identity": (0.0, "identity"),
    "all the time, gzip": (0.0, "gzip"),
}
"""Seconds between two, and the coding that is asked for."""
_APEX: Final = "@ SOA ns1 hostmaster 1 3600 900 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n"
_SCRAPER: Final = """
import os, sys, time, urllib.request
os.nice(19)
url, pause, coding = sys.argv[1], float(sys.argv[2]), sys.argv[3]
request = urllib.request.Request(url, headers={"Accept-Encoding": coding})
while True:
    begun = time.monotonic()
    with urllib.request.urlopen(request) as answer:
        octets = len(answer.read())
    print(octets, time.monotonic() - begun, flush=True)
    time.sleep(max(0.0, begun + pause - time.monotonic()))
"""


@dataclass(frozen=True, slots=True)
class Seen:
    """Milliseconds of answers, median and 99th percentile; ``scrapes`` with the octets and the
    longest seconds of one, and CPU seconds of the supervisor."""

    p50: float
    p99: float
    lost: int
    scrapes: int
    octets: int
    longest: float
    cpu: float


def scrape(folder: Path) -> Iterator[Figure]:
    """LUA and static answers while metrics of 10,000 checks and 1,000 zones are scraped."""
    names = _sources(folder)
    port, http = harness.free_port(), harness.free_port()
    config = folder / "lzc.toml"
    config.write_text(
        '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\nhealth-check-interval = 86400\n'
        f'[serve]\nlisten = ["127.0.0.1:{port}"]\nhttp = "127.0.0.1:{http}"\nhealth-grace = 0\n'
    )
    lzc = [sys.executable, "-m", "lzc"]
    harness.run([*lzc, "build", "-c", str(config)])
    url = f"http://127.0.0.1:{http}/metrics"
    command = [*lzc, "serve", "-c", str(config)]
    with harness.server(command, port, names["static"][0], folder / "log"):
        with urllib.request.urlopen(url) as answer:
            answer.read()
        supervisor = min(harness.listeners(port))
        _wait_for_checks(folder / "build" / "control.sock")
        for kind, labels in names.items():
            turns: dict[str, list[Seen]] = {}
            for _ in range(_TURNS):
                rest = _measure(port, labels, url, None, supervisor)
                turns.setdefault("", []).append(rest)
                for what, scraped in _SCRAPES.items():
                    turns.setdefault(what, []).append(
                        _measure(port, labels, url, scraped, supervisor)
                    )
            for what in _SCRAPES:
                yield from _figures(f"{kind}, scraped {what}", turns[""], turns[what])


def _figures(row: str, rests: list[Seen], seens: list[Seen]) -> Iterator[Figure]:
    """The median of the turns, and what each was; the cost of a scrape."""
    for quantile in ("p50", "p99"):
        pairs = [
            (float(getattr(one, quantile)), float(getattr(other, quantile)))
            for one, other in zip(rests, seens, strict=True)
        ]
        rest, seen = map(median, zip(*pairs, strict=True))
        goal = "≤ 1.5" if quantile == "p99" else ""
        yield Figure(f"{quantile}, {row}", "no scrape", rest, seen, "ms", goal)
        for turn, pair in enumerate(pairs, 1):
            yield Figure(f"  {quantile}, turn {turn}", "no scrape", *pair, "ms", "")
    cpu = sum(one.cpu for one in seens) - sum(one.cpu for one in rests)
    each = cpu / max(1, sum(one.scrapes for one in seens)) * 1000
    yield Figure("  supervisor's CPU of a scrape", "(none)", 0, each, "ms", "")
    longest = max(one.longest for one in seens) * 1000
    yield Figure("  longest scrape", "(none)", 0, longest, "ms", "")


def _wait_for_checks(path: Path) -> None:
    """Until each was made once."""
    end = time.monotonic() + _SETTLE
    while control.ask(path, "status")["checker"]["runs"] < CHECKS:
        if time.monotonic() > end:
            raise RuntimeError("the checker does not get through its checks")
        time.sleep(1)


def _sources(folder: Path) -> dict[str, list[str]]:
    """The zones; the names that are asked for, by kind."""
    (folder / "zones").mkdir(parents=True)
    each = CHECKS // ZONES
    for number in range(ZONES):
        targets = ",".join(
            f"'127.{one >> 16 & 255}.{one >> 8 & 255}.{one & 255}'"
            for one in range((number + 256) * each, (number + 257) * each)
        )
        (folder / "zones" / f"site{number}.example.zone").write_text(
            f"$ORIGIN site{number}.example.\n$TTL 60\n{_APEX}www A 192.0.2.7\n"
            f'up LUA A "ifportup(1,{{{targets}}})"\n'
            f"code LUA A \";local n=0 for i=1,20 do n=n+i end return '192.0.2.'..n\"\n"
        )
    return {
        "static": [f"www.site{number}.example" for number in range(ZONES)],
        "LUA": [f"code.site{number}.example" for number in range(ZONES)],
    }


def _measure(
    port: int, names: list[str], url: str, scraped: tuple[float, str] | None, supervisor: int
) -> Seen:
    with contextlib.ExitStack() as stack:
        lines: list[str] = []
        if scraped is not None:
            pause, coding = scraped
            command = [sys.executable, "-c", _SCRAPER, url, str(pause), coding]
            scraper = stack.enter_context(
                subprocess.Popen(
                    harness.on_core(harness.LOAD_CORE, command), stdout=subprocess.PIPE, text=True
                )
            )
            stack.callback(scraper.kill)
            reader = threading.Thread(target=lambda: lines.extend(scraper.stdout or ()))
            reader.start()
        before = cpu_of(supervisor)
        times, lost = ask(port, names)
        cpu = cpu_of(supervisor) - before
        made = [line.split() for line in lines]
    return Seen(
        times[len(times) // 2],
        times[len(times) * 99 // 100],
        lost,
        len(made),
        max((int(octets) for octets, _ in made), default=0),
        max((float(seconds) for _, seconds in made), default=0.0),
        cpu,
    )


def ask(port: int, names: list[str], seconds: float = _SECONDS) -> tuple[list[float], int]:
    """One question at a time at a steady rate, from the load's core: milliseconds, in order."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {int(harness.LOAD_CORE)})
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_REAL_TIME))
    times, lost = [], 0
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.settimeout(2)
            udp.connect(("127.0.0.1", port))
            begin = time.monotonic()
            for number in range(int(seconds * _RATE)):
                label, _, zone = names[number * 7 % len(names)].partition(".")
                query = question(number, label, zone)
                wait = begin + number / _RATE - time.monotonic()
                if wait > 0:
                    time.sleep(wait)
                sent = time.perf_counter()
                udp.send(query)
                try:
                    while udp.recv(4096)[:2] != query[:2]:
                        pass
                except TimeoutError:
                    lost += 1
                times.append((time.perf_counter() - sent) * 1000)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(0, cores)
    return sorted(times), lost


def cpu_of(pid: int) -> float:
    """Seconds of CPU time that a process has taken, all threads."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9

"""What it takes to have all of a server told: metrics that are scraped, the query log of one query
in a hundred, and dnstap of all of them. Worker and recorder share the server's core. Beside it what
dnstap takes of others, which have nothing else of it: all processes and threads on one core, too.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench import codes, harness, inputs, peers
from tests.bench.harness import Figure
from tests.bench.peers import Running
from tests.bench.scrape_rows import cpu_of

_TURNS: Final = 5
_SECONDS: Final = 5
"""How long a turn lasts: as long as it is from one scrape to the next, so that each has one."""
_EACH: Final = 5.0
"""Seconds between two scrapes. Prometheus makes one in 15 unless it is told otherwise, and people
who want to see more go down to 5."""
_SCRAPES: Final = 10
_APART: Final = 0.5
_READER: Final = """
import socket, sys, threading
from lzc.serve.observe.dnstap import CONTENT_TYPE
from lzc.serve.observe.frame_stream import control_frame
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print(flush=True)
def read(made):
    made.recv(512)
    made.sendall(control_frame(1, CONTENT_TYPE))
    room = bytearray(2**20)
    while made.recv_into(room):
        pass
while True:
    threading.Thread(target=read, args=listener.accept()[:1], daemon=True).start()
"""


def recorded(folder: Path) -> Iterator[Figure]:
    """Rates and CPU time an answer: of the packet cache, and of code of LUA records."""
    for kind in ("static", "LUA"):
        zone = folder / f"{kind}.zone"
        if kind == "static":
            inputs.static_zone(zone, 10_000)
            names = inputs.hosts(10_000)
        else:
            inputs.lua_zone(zone, 1000, codes.ARBITRARY)
            names = inputs.hosts(1000, "lua")
        queries = inputs.queries(folder / f"{kind}.queries", names)
        http = harness.free_port()
        tap = folder / f"{kind}.tap"
        told = (
            f'[serve]\nhttp = "127.0.0.1:{http}"\nquery-log = 0.01\n'
            f'query-log-file = "queries"\ndnstap = "{tap}"\n'
        )
        with contextlib.ExitStack() as stack:
            stack.enter_context(_reading(tap))
            running = {}
            for name, more in (("nothing recorded", ""), ("lzc", told)):
                made = peers.project(folder / kind / name, zone, signed=False, extra=more)
                harness.run(made.lzc("build"))
                running[name] = stack.enter_context(peers.lzc(made, names[0]))
            url = f"http://127.0.0.1:{http}/metrics"
            yield _scrape(kind, running["lzc"], url)
            with _scraped(url):
                yield from _figures(kind, running, queries)
            yield _lost(kind, url)
        if kind == "static":
            yield from _others(folder, zone, names[0], queries)


def _figures(kind: str, running: Mapping[str, Running], queries: Path) -> Iterator[Figure]:
    """In turns, after one that warms up."""
    off, on = "nothing recorded", "lzc"
    rates, costs = _in_turns(running, queries, _spent)
    yield Figure(f"recorded, {kind}", off, rates[off], rates[on], "q/s", "≥ 0.95")
    for place, process in enumerate(("worker", "recorder and others", "together")):
        row = f"  CPU an answer, {process}"
        yield Figure(row, off, costs[off][place], costs[on][place], "µs", "")


def _others(folder: Path, zone: Path, first: str, queries: Path) -> Iterator[Figure]:
    """Without and with dnstap: the second value is theirs, too."""
    for name, start in (("NSD", peers.nsd), ("BIND", peers.bind)):
        with contextlib.ExitStack() as stack:
            tap = folder / f"{name}.tap"
            stack.enter_context(_reading(tap))
            off, on = f"{name}, no dnstap", f"{name}, dnstap"
            running = {
                off: stack.enter_context(start(folder / off, zone, first)),
                on: stack.enter_context(start(folder / on, zone, first, dnstap=tap)),
            }
            rates, costs = _in_turns(running, queries, _spent_by_all)
        yield Figure(f"recorded, static: {name} itself", off, rates[off], rates[on], "q/s", "")
        yield Figure("  CPU an answer, together", off, costs[off][0], costs[on][0], "µs", "")


def _in_turns(
    running: Mapping[str, Running], queries: Path, spent: Callable[[int], list[float]]
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Medians of rates, and of CPU time an answer in microseconds: what ``spent`` says in seconds
    of the server at a port, and their sum."""
    rates: dict[str, list[float]] = {name: [] for name in running}
    costs: dict[str, list[list[float]]] = {name: [] for name in running}
    for turn in range(_TURNS + 1):
        for name, server in running.items():
            before = spent(server.port)
            load = harness.load(server.port, queries, _SECONDS)
            took = [now - then for now, then in zip(spent(server.port), before, strict=True)]
            if turn:
                rates[name].append(load.rate)
                answers = load.rate * _SECONDS
                costs[name].append([seconds / answers * 1e6 for seconds in (*took, sum(took))])
    return (
        {name: median(found) for name, found in rates.items()},
        {
            name: [median(column) for column in zip(*found, strict=True)]
            for name, found in costs.items()
        },
    )


def _scrape(kind: str, server: Running, url: str) -> Figure:
    """What one takes of the core, where nothing else is to be done, beyond what passing time takes.
    The first one waits for the process that makes them."""
    spent = []
    for scrapes in (1, 0, _SCRAPES):
        before = sum(_spent(server.port))
        for turn in range(_SCRAPES):
            if turn < scrapes:
                with urllib.request.urlopen(url) as answer:
                    answer.read()
            time.sleep(_APART)
        spent.append(sum(_spent(server.port)) - before)
    took = (spent[2] - spent[1]) / _SCRAPES
    return Figure(f"  CPU of a scrape, {kind}", "-", 0, took * 1e3, "ms", "")


def _lost(kind: str, url: str) -> Figure:
    """Of the frames of all turns."""
    with urllib.request.urlopen(url) as answer:
        text = answer.read().decode()
    sent, lost = (
        sum(map(float, re.findall(rf"^lzc_dnstap_frames{name} (\S+)$", text, re.M)))
        for name in ("_total", r"_lost_total\{.*\}")
    )
    return Figure(f"  frames that were lost, {kind}", "-", 0, 100 * lost / (sent + lost), "%", "0")


def _spent(port: int) -> list[float]:
    """Seconds of CPU time of the worker of a server, and of all its other processes."""
    holders = harness.listeners(port)
    supervisor = min(holders)
    (worker,) = (pid for pid in holders if pid != supervisor)
    others = [pid for pid in harness.descendants(supervisor) if pid != worker]
    return [cpu_of(worker), sum(map(cpu_of, others))]


def _spent_by_all(port: int) -> list[float]:
    """Seconds of CPU time of all processes of a server."""
    return [sum(map(cpu_of, harness.descendants(min(harness.listeners(port)))))]


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    command = harness.on_core(harness.LOAD_CORE, [sys.executable, "-c", _READER, str(path)])
    with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
        assert reader.stdout is not None
        reader.stdout.readline()
        try:
            yield
        finally:
            reader.kill()


@contextlib.contextmanager
def _scraped(url: str) -> Iterator[None]:
    over = threading.Event()

    def scrape() -> None:
        while not over.wait(_EACH):
            with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
                answer.read()

    thread = threading.Thread(target=scrape)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

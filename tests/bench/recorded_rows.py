"""What it takes to have all of a server told: metrics that are scraped, the query log of one query
in a hundred, and dnstap of all of them. Worker and recorder share the server's core."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench import codes, harness, inputs, peers, turns
from tests.bench.harness import Figure
from tests.bench.peers import Running
from tests.bench.scrape_rows import cpu_of

_TURNS: Final = 5
_EACH: Final = 1.0
"""Seconds between two scrapes."""
_READER: Final = """
import socket, sys
from lzc.serve.observe.dnstap import CONTENT_TYPE
from lzc.serve.observe.frame_stream import control_frame
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen()
print(flush=True)
while True:
    made, _ = listener.accept()
    made.recv(512)
    made.sendall(control_frame(1, CONTENT_TYPE))
    room = bytearray(2**20)
    while made.recv_into(room):
        pass
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
            stack.enter_context(_scraped(f"http://127.0.0.1:{http}/metrics"))
            yield from _figures(kind, running, queries)


def _figures(kind: str, running: Mapping[str, Running], queries: Path) -> Iterator[Figure]:
    """In turns, after one that warms up."""
    rates: dict[str, list[float]] = {name: [] for name in running}
    costs: dict[str, list[list[float]]] = {name: [] for name in running}
    for turn in range(_TURNS + 1):
        for name, server in running.items():
            before = _spent(server.port)
            load = harness.load(server.port, queries, turns.SECONDS)
            took = [now - then for now, then in zip(_spent(server.port), before, strict=True)]
            if turn:
                rates[name].append(load.rate)
                answers = load.rate * turns.SECONDS
                costs[name].append([seconds / answers * 1e6 for seconds in (*took, sum(took))])
    off, on = "nothing recorded", "lzc"
    yield Figure(f"recorded, {kind}", off, median(rates[off]), median(rates[on]), "q/s", "≥ 0.95")
    each = {
        name: [median(column) for column in zip(*found, strict=True)]
        for name, found in costs.items()
    }
    for place, process in enumerate(("worker", "recorder and others", "together")):
        row = f"  CPU an answer, {process}"
        yield Figure(row, off, each[off][place], each[on][place], "µs", "")


def _spent(port: int) -> list[float]:
    """Seconds of CPU time of the worker of a server, and of all its other processes."""
    holders = harness.listeners(port)
    supervisor = min(holders)
    (worker,) = (pid for pid in holders if pid != supervisor)
    others = [pid for pid in harness.descendants(supervisor) if pid != worker]
    return [cpu_of(worker), sum(map(cpu_of, others))]


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

"""The row about neighbours: LUA answers while other records try to take the server."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from tests.bench import harness, health_cell, inputs, peers
from tests.bench.codes import ARBITRARY, strings
from tests.bench.harness import Figure
from tests.bench.inputs import ZONE

OTHERS = "hostile.example"
"""The zone of the hostile records: to share one with them costs more than to share a server."""

_RECORDS = 10
_PAUSE = 0.002
"""Seconds between two questions to hostile records."""
_SECONDS = 20.0

HOSTILE = [
    "while true do pcall(function() while true do end end) end",
    "local function f() return (('x'):gsub('.', f)) end return f()",
    "local co = coroutine.wrap(function() while true do coroutine.yield() end end) "
    "while true do co() end",
    "return tostring((('a'):rep(26)):find(('a?'):rep(26) .. ('a'):rep(26)))",
    "return tostring((('a'):rep(2^19)):find('.-.-.-b'))",
    "local t = {} while true do t[#t + 1] = ('x'):rep(1000) .. #t end",
    "local s = ('1'):rep(2^20) for i = 1, 20 do s = s .. s:sub(1, 2^20) local n = s + 0 end "
    "return s",
    "local s = ('x'):rep(2^20) for i = 1, 8 do local t = (s .. i):upper():lower() end "
    "return '192.0.2.1'",
]
"""Each in a variant of its own for every record: what is known of one is not known of the next."""


def hostile(folder: Path) -> Iterator[Figure]:
    """Times of answers from ordinary records, alone and beside hostile ones that are asked without
    an end; in milliseconds, and how many did not come within a second."""
    zone, others = folder / "zone", folder / "others"
    inputs.lua_zone(zone, 100, ARBITRARY)
    names = []
    with others.open("w") as out:
        out.write(inputs.APEX.replace(ZONE, OTHERS))
        for kind, number in itertools.product(range(len(HOSTILE)), range(_RECORDS)):
            names.append(f"h{kind}-{number}")
            out.write(f"{names[-1]} 60 IN LUA A {strings(f';local n={number} {HOSTILE[kind]}')}\n")
    for mode, limit in itertools.product(("isolated", "shared"), (1000, 0)):
        extra = f'[zone."{OTHERS}"]\nsource = "{others}"\n'
        made = peers.project(folder / f"{mode}-{limit}", zone, mode=mode, extra=extra)
        text = made.config.read_text().replace("[lua]\n", f"[lua]\nexec-limit = {limit}\n")
        made.config.write_text(text)
        harness.run(made.lzc("build"))
        labels = [f"lua{number}" for number in range(100)]
        with peers.lzc(made, f"lua0.{ZONE}") as running:
            alone = health_cell.ask(running.port, labels, _SECONDS / 4)
            with _asked(running.port, names):
                beside = health_cell.ask(running.port, labels, _SECONDS)
        for field in ("p50", "p99", "longest", "lost"):
            unit = "answers" if field == "lost" else "ms"
            row = f"LUA {field}, {mode}, exec-limit {limit}"
            yield Figure(row, "no hostile records", alone[field], beside[field], unit, "")


@contextlib.contextmanager
def _asked(port: int, labels: list[str]) -> Iterator[None]:
    """Ask for the hostile names one after the other, whether answers come or not."""
    over = threading.Event()

    def ask() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.setblocking(False)
            udp.connect(("127.0.0.1", port))
            for label in itertools.cycle(labels):
                if over.is_set():
                    return
                with contextlib.suppress(OSError):
                    udp.send(health_cell.question(0, label, OTHERS))
                with contextlib.suppress(OSError):
                    udp.recv(4096)
                time.sleep(_PAUSE)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()

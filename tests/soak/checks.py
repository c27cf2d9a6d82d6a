"""Run checks for a long time: is one of them ever late, and does memory stay where it was?

python -m tests.soak checks [--minutes 15] [--records 2000]
"""

from __future__ import annotations

import argparse
import asyncio
import socket
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from lzc.serve.supervise import control
from tests.bench import harness, inputs, peers
from tests.bench.health_cell import question
from tests.bench.health_targets import Ports, Targets, address, zone
from tests.bench.health_watch import Watch

_LOOK = 4.0
_WARM = 60.0
_RATE = 100


def codes(records: int, ports: Ports) -> list[str]:
    """Records of every kind: most targets are up, some refuse, some are silent, some have an
    interval or a timeout of their own."""
    made = []
    for number in range(records):
        first, second = address(2 * number), address(2 * number + 1)
        pair = f"{{'{first}','{second}'}}"
        url = f"http://www.example.com:{ports.http}/"
        match number % 10:
            case 0:
                made.append(f"ifportup({ports.silent},{pair})")
            case 1:
                made.append(f"ifportup({ports.refusing},{pair})")
            case 2 | 3:
                made.append(f"ifurlup('{url}',{pair})")
            case 4:
                made.append(f"ifportup({ports.accepting},{pair},{{interval=10,timeout=3}})")
            case 5:
                made.append(f"ifportup({ports.silent},{pair},{{timeout=1,interval=7}})")
            case _:
                made.append(f"ifportup({ports.accepting},{pair})")
    return made


def memory(pid: int) -> dict[str, float]:
    """MiB (PSS) of the supervisor and all processes below it, by what they are."""
    pids = harness.descendants(pid)
    return {f"{one}": harness.proportional_memory(one) / 2**20 for one in pids}


async def soak(folder: Path, minutes: float, records: int) -> bool:
    """Print the figures; True when no check was late."""
    async with Targets() as ports:
        source = folder / "zone"
        labels = zone(source, codes(records, ports))
        made = peers.project(folder / "lzc", source)
        await asyncio.to_thread(harness.run, made.lzc("build"))
        port = harness.free_port()
        command = made.lzc("serve", "--listen", f"127.0.0.1:{port}")
        with (folder / "log").open("wb") as sink:
            process = await asyncio.create_subprocess_exec(*command, stdout=sink, stderr=sink)
        try:
            name = f"{labels[-1]}.{inputs.ZONE}"
            # A question at a time: there is nothing to be told by.
            while await asyncio.to_thread(harness.question, port, name, 0.5) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            sockets = made.folder / "build" / "control.sock"
            return await _watch(process.pid, Watch(sockets), port, labels, minutes)
        finally:
            process.terminate()
            await process.wait()


async def _watch(pid: int, watch: Watch, port: int, labels: list[str], minutes: float) -> bool:
    asking = asyncio.create_task(_ask(port, labels))
    end = time.monotonic() + _WARM + 60 * minutes
    warm = time.monotonic() + _WARM
    start: dict[str, float] = {}
    while time.monotonic() < end:
        await asyncio.sleep(_LOOK)
        await asyncio.to_thread(watch.look)
        if not start and time.monotonic() > warm:
            start = memory(pid)
            watch.forget()
            print(f"{sum(watch.statuses.values())} checks: {watch.statuses}", flush=True)
    asking.cancel()
    now = memory(pid)
    print(f"results seen                    {watch.runs}")
    print(f"longest between two of a check  {watch.longest:.2f} s")
    print(f"latest, past interval + timeout {watch.latest:+.2f} s")
    print(f"slowest report                  {watch.report * 1000:.0f} ms")
    status = await asyncio.to_thread(control.ask, watch.socket, "status")
    checker = str(status["checker"]["pid"])
    for one, before in start.items():
        what = "checker" if one == checker else "supervisor" if one == str(pid) else "worker"
        print(f"memory of the {what:17} {before:.1f} -> {now.get(one, 0):.1f} MiB")
    print(f"processes that died             {len(start.keys() - now.keys())}")
    return watch.latest <= 0 and start.keys() <= now.keys()


async def _ask(port: int, labels: list[str]) -> None:
    """Keep workers interested, at a gentle rate."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        udp.connect(("127.0.0.1", port))
        number = 0
        while True:
            await asyncio.sleep(1 / _RATE)
            number += 1
            try:
                udp.send(question(number, labels[number % len(labels)], inputs.ZONE))
                while True:
                    udp.recv(4096)
            except BlockingIOError:
                pass


def main(given: Sequence[str]) -> int:
    """1 when a check was late or a process died."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak checks")
    parser.add_argument("--minutes", type=float, default=15)
    parser.add_argument("--records", type=int, default=2000)
    arguments = parser.parse_args(given)
    with tempfile.TemporaryDirectory(prefix="lzc-soak-") as folder:
        return int(not asyncio.run(soak(Path(folder), arguments.minutes, arguments.records)))

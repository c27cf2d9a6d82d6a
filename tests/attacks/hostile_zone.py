"""A zone whose author wants the names of others not to be answered, and clients who help him.

    python -m tests.attacks.hostile_zone [--full]

Each record is one that the build takes, and each query a small one; what matters is what an answer
costs, in time that nobody is charged for and in memory that is never given back. Prints how many
queries of each kind were answered in a second, and what the worker grew by.
"""

from __future__ import annotations

import argparse
import resource
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lzc.wire import rrtype as rr
from lzc.wire.name import from_text
from tests.unit.live_server import LiveServer, Project

_WINDOW = 32
_OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
_ADDRESSES = ",".join(f"'10.0.0.{number}'" for number in range(100))


@dataclass(slots=True)
class Found:
    """Queries answered in a second by kind; ``lost`` those of the zone of others that were not;
    octets that the worker ``grew`` by; what it counts as errors, and ``restarts``."""

    rates: dict[str, float] = field(default_factory=dict)
    lost: int = 0
    grew: int = 0
    failed: int = 0
    restarts: int = 0


def zone(full: bool) -> str:
    """The hostile one, after its SOA and NS."""
    many = 1700 if full else 800
    lines = [f"cut NS n{one}.cut\nn{one}.cut A 192.0.2.1" for one in range(many)]
    lines += [f"names PTR host{one}.a.b.c.d.e.f.g.example.net." for one in range(many // 2)]
    lines += [f"both A 10.{one >> 8}.{one & 255}.1" for one in range(2 * many)]
    lines.append(
        "both LUA A \";local t={} for i=1,800 do t[i]='11.'..math.floor(i/256)..'.'..(i%256)"
        "..'.1' end return t\""
    )
    sample = f'"pickrandomsample(50,{{{_ADDRESSES}}})"'
    lines.append(f"$GENERATE 1-{4000 if full else 400} s$ LUA A {sample}")
    lines.append(f"*.w LUA A {sample}")
    text = "x" * 250
    lines.append(
        '*.t LUA TXT ( "\'" ' + f'"{text}" ' * (200 if full else 40) + '"\'..qname:toString()" )'
    )
    return "\n".join(lines) + "\n"


def queries(kind: str, count: int) -> Iterator[bytes]:
    """Queries for names of a kind, the good one's among them."""
    for number in range(count):
        name, qtype = {
            "good": ("www.good.example.", rr.A),
            "cut": (f"x{number}.cut.bad.example.", rr.A),
            "names": ("names.bad.example.", rr.PTR),
            "both": ("both.bad.example.", rr.A),
            "samples": (f"s{number % 400 + 1}.bad.example.", rr.A),
            "wildcard": (f"x{number}.w.bad.example.", rr.A),
            "texts": (f"x{number}.t.bad.example.", rr.TXT),
        }[kind]
        yield from_text(name) + struct.pack(">HH", qtype, 1) + _OPT


def ask(port: int, kind: str, count: int) -> tuple[float, int]:
    """Seconds that ``count`` queries took, and how many of them had no answer."""
    lost = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(10)
        udp.connect(("127.0.0.1", port))
        began = time.monotonic()
        for number, question in enumerate(queries(kind, count), 1):
            udp.send(struct.pack(">6H", number & 0xFFFF, 0, 1, 0, 0, 1) + question)
            if number % _WINDOW == 0 or number == count:
                try:
                    while int.from_bytes(udp.recv(65535)[:2], "big") != number & 0xFFFF:
                        pass
                except TimeoutError:
                    lost += 1
        return time.monotonic() - began, lost


def _resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def run(full: bool) -> Found:
    """Start a server, attack it, and say what was seen."""
    found = Found()
    count = 3000 if full else 400
    with tempfile.TemporaryDirectory(prefix="lzc-attack-zone-") as folder:
        project = Project(Path(folder), "[lua]\nenable = true\nexec-limit = 0\n")
        project.build(
            {"bad.example": zone(full), "good.example": "www A 192.0.2.1\n"},
            signed=["bad.example"],
        )
        with LiveServer(project) as server:
            (worker,) = server.control("status")["workers"]
            before = _resident(worker["pid"])
            for kind in ("cut", "names", "both", "samples", "wildcard", "texts"):
                seconds, _ = ask(server.port, kind, count)
                found.rates[kind] = count / seconds
                seconds, lost = ask(server.port, "good", 100)
                found.lost += lost
            (worker,) = server.control("status")["workers"]
            found.grew = _resident(worker["pid"]) - before
            found.failed, found.restarts = worker["errors"], worker["restarts"]
    return found


def main(options: list[str] | None = None) -> None:
    """Attack, and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.hostile_zone")
    parser.add_argument("--full", action="store_true", help="not the short form of the tests")
    found = run(parser.parse_args(options).full)
    for kind, rate in found.rates.items():
        print(f"{kind:10} {rate:10,.0f} queries a second")
    print(
        f"grew by {found.grew / 2**20:.0f} MiB, {found.lost} lost of others, {found.failed} failed,"
        f" {found.restarts} restarts"
    )


if __name__ == "__main__":
    main()

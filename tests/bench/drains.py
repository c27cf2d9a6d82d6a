"""Take a zone by AXFR over TSIG many times at once, at next to no cost for who takes it.

python -m tests.bench.drains PORT ZONE TIMES OCTETS SECONDS

One process reads all connections, each from a loopback address of its own as if they were so many
secondaries, and has the kernel throw away what comes (MSG_TRUNC), so that nothing is copied: it
knows by the number of octets when one is whole. Who has it all begins anew until the seconds are
over; with 0 of them each takes it once. Prints a line when it begins, and JSON at its end: see
`Drained`.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from dataclasses import asdict, dataclass
from typing import Final

from tests.bench.drain import request

_READ: Final = 1 << 18


@dataclass(frozen=True, slots=True)
class Drained:
    """``seconds`` that it took; ``ends``: of the first transfers of each, from the start, in order;
    ``octets`` of all, ``cpu``: seconds of the process."""

    seconds: float
    ends: list[float]
    octets: int
    cpu: float


def drains(port: int, zone: str, times: int, octets: int, seconds: float) -> Drained:
    """Take it; raises `SystemExit` where another number of octets comes."""
    wire = request(zone)
    scratch = bytearray(_READ)
    left: dict[int, int] = {}
    sockets: dict[int, socket.socket] = {}
    events = select.epoll()

    def begin(address: str) -> None:
        tcp = socket.create_connection(("127.0.0.1", port), source_address=(address, 0))
        tcp.sendall(wire)
        tcp.setblocking(False)
        events.register(tcp, select.EPOLLIN)
        sockets[tcp.fileno()], left[tcp.fileno()] = tcp, octets

    print("begins", flush=True)
    started, cpu = time.monotonic(), time.process_time()
    for number in range(times):
        begin(f"127.0.1.{number + 1}")
    ends: list[float] = []
    taken = 0
    while left:
        for fd, _ in events.poll():
            got = sockets[fd].recv_into(scratch, _READ, socket.MSG_TRUNC)
            taken += got
            left[fd] -= got
            if not got or left[fd] < 0:
                raise SystemExit(f"a transfer of {octets - left[fd]} octets instead of {octets}")
            if left[fd]:
                continue
            del left[fd]
            tcp = sockets.pop(fd)
            address = tcp.getsockname()[0]
            events.unregister(fd)
            tcp.close()
            now = time.monotonic() - started
            if len(ends) < times:
                ends.append(now)
            if now < seconds:
                begin(address)
    return Drained(time.monotonic() - started, ends, taken, time.process_time() - cpu)


if __name__ == "__main__":
    _port, _zone, _times, _octets, _seconds = sys.argv[1:6]
    found = drains(int(_port), _zone, int(_times), int(_octets), float(_seconds))
    print(json.dumps(asdict(found)))

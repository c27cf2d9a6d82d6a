"""Ask over UDP at a fixed pace and print how long answers took, as JSON.

python -m tests.attacks.probe PORT NAMES SECONDS

A question goes out every few milliseconds whether the one before was answered or not, so that a
server that stops for a while is noticed as often as its clients would. It says when it begins, and
ends when its standard input is closed, or after SECONDS.
"""

from __future__ import annotations

import json
import random
import select
import socket
import struct
import sys
import time
from dataclasses import asdict, dataclass

from lzc.serve.ipc.process import enlarge
from lzc.serve.transport.sockets import RECEIVE_BUFFER
from tests.bench.inputs import ZONE

PACE = 0.004
"""Seconds between two questions."""
PATIENCE = 2.0
"""Seconds after which an answer is lost."""
_TIMESTAMPS = 35


@dataclass(frozen=True, slots=True)
class Seen:
    """Times in milliseconds, of those that were answered."""

    sent: int
    lost: int
    p50: float
    p99: float
    longest: float


def question(ident: int, label: str, qtype: int = 1) -> bytes:
    """A query for a name in the zone."""
    labels = [part.encode() for part in (label, *ZONE.split("."))]
    name = b"".join(bytes((len(one),)) + one for one in labels)
    return struct.pack(">HHHHHH", ident, 0, 1, 0, 0, 0) + name + struct.pack(">BHH", 0, qtype, 1)


def probe(port: int, names: int, seconds: float) -> Seen:
    """Ask until standard input is closed."""
    chance = random.Random(port)
    sent: list[float] = []
    took: dict[int, float] = {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        # The kernel says when an answer came: this process may have to wait for its core.
        udp.setsockopt(socket.SOL_SOCKET, _TIMESTAMPS, 1)
        enlarge(udp, socket.SO_RCVBUF, RECEIVE_BUFFER)
        udp.setblocking(False)
        udp.connect(("127.0.0.1", port))
        print("asking", flush=True)
        begin = time.monotonic()
        over = begin + seconds
        ending = False
        while (now := time.monotonic()) < over:
            if not ending:
                due = begin + len(sent) * PACE
                if now >= due:
                    label = f"host{chance.randrange(names)}"
                    sent.append(time.time())
                    udp.send(question(len(sent) - 1 & 0xFFFF, label))
                    # When this process had to wait, much is due: answers must not overflow.
                    _receive(udp, sent, took)
                    continue
                readable, _, _ = select.select([udp, sys.stdin], [], [], due - now)
                if sys.stdin in readable:
                    ending, over = True, now + PATIENCE
            else:
                if len(took) == len(sent):
                    break
                select.select([udp], [], [], over - now)
            _receive(udp, sent, took)
    times = sorted(1000 * one for one in took.values() if one < PATIENCE)
    half, most, longest = (_at(times, share) for share in (0.5, 0.99, 1))
    return Seen(len(sent), len(sent) - len(times), half, most, longest)


def _at(times: list[float], share: float) -> float:
    return times[min(int(len(times) * share), len(times) - 1)] if times else 0.0


def _receive(udp: socket.socket, sent: list[float], took: dict[int, float]) -> None:
    while True:
        try:
            answer, control, _, _ = udp.recvmsg(512, 64)
        except OSError:
            return
        came = time.time()
        for _, kind, data in control:
            if kind == _TIMESTAMPS and len(data) == 16:
                whole, nano = struct.unpack("=qq", data)
                came = whole + nano / 1e9
        number = int.from_bytes(answer[:2], "big")
        # IDs come again after 65536 questions: the last one of them is meant.
        number += (len(sent) - 1 - number) // 65536 * 65536
        took.setdefault(number, came - sent[number])


if __name__ == "__main__":
    print(json.dumps(asdict(probe(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))))

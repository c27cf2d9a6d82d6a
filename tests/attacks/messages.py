"""Messages that no client sends: every header, counts that lie, options and TSIG RRs of all shapes.

    python -m tests.attacks.messages [--full]

They go to a server of our own on loopback, one after the other. What is looked at: that responses
are not answered (two servers would answer each other for ever), that what is not answered comes
back little longer than it was asked, and that nothing in the server failed.
"""

from __future__ import annotations

import argparse
import random
import socket
import struct
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lzc.wire.name import from_text
from tests.unit.live_server import LiveServer, Project

ZONE = 'www A 192.0.2.1\nwho LUA TXT "bestwho:toString()"\n'
QUESTION = from_text("www.example.org.") + b"\0\1\0\1"
WHO = from_text("who.example.org.") + b"\0\x10\0\1"
OPT = b"\0\0\x29\x10\0\0\0\x80\0\0\0"
_WINDOW = 64
"""Messages on their way before one that is answered for sure."""


@dataclass(slots=True)
class Found:
    """``sent`` messages by kind, and ``answered``; ``longer`` are refusals half as long again as
    what was asked; ``failed`` what the server counts as errors, ``restarts`` those of workers."""

    sent: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    longer: int = 0
    failed: int = 0
    restarts: int = 0


def header(ident: int, flags: int, *counts: int) -> bytes:
    """A header with these counts."""
    return struct.pack(">6H", ident, flags, *counts)


def messages(full: bool) -> Iterator[tuple[str, bytes]]:
    """The messages with their kind, each with ID 7."""
    chance = random.Random(1)
    for flags in range(0, 65536, 1 if full else 61):
        yield "response" if flags & 0x8000 else "header", header(7, flags, 1, 0, 0, 0) + QUESTION
    tails = (b"", OPT, OPT * 2, OPT * 100, QUESTION * 3, b"\xc0\x0c" * 20, bytes(99), b"\xff" * 50)
    for counts in ((0, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 0, 1), (65535,) * 4):
        for opcode in range(16):
            for tail in tails:
                yield "counts", header(7, opcode << 11, *counts) + QUESTION + tail
    for version in range(256):
        opt = b"\0\0\x29\x10\0\0" + bytes((version,)) + b"\x80\0\0\0"
        yield "edns", header(7, 0, 1, 0, 0, 1) + QUESTION + opt
    for _ in range(20_000 if full else 500):
        yield "options", header(7, 0, 1, 0, 0, 1) + WHO + _options(chance)
        yield "tsig", header(7, chance.choice((0, 0x2000, 0x2800)), 1, 0, 0, 1) + _tsig(chance)
        octets = bytes(
            chance.choice((0, 1, 12, 41, 192, 250, 255, chance.randrange(256)))
            for _ in range(chance.randrange(80))
        )
        flags = chance.choice((0, 0x100, 0x2000, 0x7800))
        some = [chance.randrange(3) for _ in range(4)]
        yield "noise", header(7, flags, *some) + QUESTION[: chance.choice((0, 9, 99))] + octets


def _options(chance: random.Random) -> bytes:
    """An OPT RR with a client subnet, mostly a bad one, and perhaps a cookie."""
    subnet = struct.pack(
        ">HBB", chance.choice((0, 1, 2, 3)), chance.choice((0, 24, 32, 33, 128, 129)), 0
    )
    subnet += bytes(chance.choice((0, 255)) for _ in range(chance.choice((0, 3, 4, 16, 17))))
    options = struct.pack(">HH", 8, len(subnet)) + subnet
    if chance.random() < 0.3:
        options += struct.pack(">HH", 10, chance.choice((7, 8, 16, 24, 40, 41))) + bytes(24)
    return b"\0\0\x29\x10\0\0\0\x80\0" + struct.pack(">H", len(options)) + options


def _tsig(chance: random.Random) -> bytes:
    """A question and a TSIG RR that is wrong in some way."""
    name = chance.choice(
        (b"\0", from_text("transfer.example."), b"\xc0\x0c", from_text("a." * 120))
    )
    algorithm = chance.choice((b"\0", b"\xc0\x0c", from_text("hmac-sha256."), from_text("gss.")))
    mac = bytes(chance.choice((0, 1, 9, 10, 16, 31, 32, 33, 500)))
    rdata = algorithm + struct.pack(
        ">HIHH", chance.choice((0, 65535)), chance.choice((0, 2**32 - 1)), 300, len(mac)
    )
    rdata += mac + struct.pack(">HHH", 7, chance.choice((0, 16, 18, 65535)), 6) + bytes(6)
    size = chance.choice((len(rdata), len(rdata), len(rdata) - 1, 0))
    return QUESTION + name + b"\0\xfa\0\xff" + bytes(4) + struct.pack(">H", size) + rdata


def attack(port: int, full: bool, found: Found) -> None:
    """Send all messages, and read what comes back for each."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.settimeout(60)
        udp.connect(("127.0.0.1", port))
        waiting: list[tuple[str, bytes]] = []
        for kind, message in messages(full):
            found.sent[kind] += 1
            # The ID says which one an answer is for; that after them is of a good query.
            udp.send(len(waiting).to_bytes(2, "big") + message[2:])
            waiting.append((kind, message))
            if len(waiting) == _WINDOW:
                _read(udp, waiting, found)
                waiting.clear()
        _read(udp, waiting, found)


def _read(udp: socket.socket, waiting: list[tuple[str, bytes]], found: Found) -> None:
    udp.send(header(_WINDOW, 0, 1, 0, 0, 0) + QUESTION)
    while (ident := int.from_bytes((answer := udp.recv(65535))[:2], "big")) != _WINDOW:
        kind, message = waiting[ident]
        found.answered[kind] += 1
        refused = answer[3] & 15 != 0
        # An OPT RR comes back where one came, whatever was wrong with it (RFC 6891 §7), and names
        # of a TSIG RR are written out.
        found.longer += refused and len(answer) > len(message) * 3 // 2 + len(OPT)


def run(full: bool) -> Found:
    """Start a server, attack it, and say what was seen."""
    found = Found()
    with tempfile.TemporaryDirectory(prefix="lzc-attack-messages-") as folder:
        project = Project(Path(folder), "[lua]\nenable = true\n")
        project.build({"example.org": ZONE})
        with LiveServer(project) as server:
            attack(server.port, full, found)
            assert server.answers("www.example.org") == ["192.0.2.1"]
            server.wait_for(lambda: server.control("status")["totals"]["queries_udp"])
            (worker,) = server.control("status")["workers"]
            found.failed, found.restarts = worker["errors"], worker["restarts"]
    return found


def main(options: list[str] | None = None) -> None:
    """Attack, and print what was seen."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.messages")
    parser.add_argument("--full", action="store_true", help="not the short form of the tests")
    found = run(parser.parse_args(options).full)
    for kind, count in found.sent.items():
        print(f"{kind:10} {count:7} sent {found.answered[kind]:7} answered")
    print(f"{found.longer} longer, {found.failed} failed, {found.restarts} restarts")


if __name__ == "__main__":
    main()

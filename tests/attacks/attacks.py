"""The attacks: each is made on one server, and says what it has seen."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import dns.message
import dns.tsig
import dns.tsigkeyring

from tests.attacks.connections import Pipeline, alive, bare, drive
from tests.attacks.probe import Seen, question
from tests.attacks.servers import OTHER_KEY, Attacked, Probe
from tests.bench.inputs import ZONE
from tests.bench.peers import TSIG_NAME, TSIG_SECRET

QUERIES = 200
"""Of one connection at once."""
_ASKED = 100
"""Of so many requests without a key, one waits for its answer."""
_LIMIT = 60.0
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much of it: the short form is for machines that are busy."""

    connections: int
    sustained: int
    seconds: float
    bare: int
    limited: int
    transfers: int
    unsigned: int
    names: int
    patience: float
    """Seconds that the server may take to close what is too many."""


SHORT = Size(200, 50, 0.5, 1200, 200, 60, 400, 50_000, 60.0)
FULL = Size(1000, 200, 10.0, 8000, 1000, 200, 12_000, 200_000, 5.0)
PER_CLIENT = 1024
"""Connections that the settings of lzc allow one client."""
LIMITED = 50
"""What they allow for `limits`."""


@dataclass(frozen=True, slots=True)
class Report:
    """What one attack did to one server."""

    server: str
    seen: Seen
    kills: int
    more: dict[str, float] = field(default_factory=dict)


def _frames(server: Attacked, seed: int, *, strangers: bool = False) -> bytes:
    chance = random.Random(seed)
    found = []
    for ident in range(QUERIES):
        number = chance.randrange(server.names)
        # Of each stranger another RRset says that there is none such.
        label = f"host{number}-" if strangers else f"host{number}"
        query = question(ident, label)
        if strangers:
            # DO, so that each answer is signed.
            query = query[:11] + b"\x01" + query[12:] + bytes.fromhex("00002904d0000080000000")
        found.append(len(query).to_bytes(2, "big") + query)
    return b"".join(found)


def _pipelined(
    server: Attacked, connections: int, seconds: float, *, strangers: bool = False
) -> Report:
    made = [
        Pipeline(server.port, _frames(server, number, strangers=strangers), QUERIES)
        for number in range(connections)
    ]
    try:
        cpu = server.cpu
        with Probe(server) as probe:
            took = drive(made, seconds)
        cpu = server.cpu - cpu
    finally:
        for one in made:
            one.sock.close()
    answered = sum(one.answered for one in made)
    unanswered = sum(one.asked - one.answered for one in made)
    more = {
        "answers/s": answered / took,
        "CPU µs/answer": 1e6 * cpu / max(answered, 1),
        "unanswered": unanswered,
    }
    return Report(server.name, probe.seen, server.kills, more)


def pipelines(server: Attacked, size: Size) -> Report:
    """Very many connections send 200 queries each, all at once."""
    return _pipelined(server, size.connections, 0.0)


def sustained(server: Attacked, size: Size) -> Report:
    """Many connections send 200 queries each, again and again."""
    return _pipelined(server, size.sustained, size.seconds)


def expensive(server: Attacked, size: Size) -> Report:
    """As `sustained`, with names that do not exist in a signed zone: most take a signature."""
    return _pipelined(server, size.sustained, size.seconds, strangers=True)


def connects(server: Attacked, size: Size) -> Report:
    """Thousands of connections that say nothing, as fast as they can be had."""
    begin = time.monotonic()
    with Probe(server) as probe, bare(server.port, size.bare) as socks:
        took = time.monotonic() - begin
        open_now = _remaining(socks, PER_CLIENT, size.patience)
    more = {"connects/s": size.bare / took, "open": open_now}
    return Report(server.name, probe.seen, server.kills, more)


def limits(server: Attacked, size: Size) -> Report:
    """More connections than ``tcp-connections`` allows."""
    with Probe(server) as probe, bare(server.port, size.limited) as socks:
        open_now = _remaining(socks, LIMITED, size.patience)
    return Report(server.name, probe.seen, server.kills, {"open": open_now})


def _remaining(socks: list[socket.socket], allowed: int, patience: float) -> int:
    """How many are open still, when those that are too many should have been closed."""
    over = time.monotonic() + patience
    while (count := alive(socks)) > allowed and time.monotonic() < over:
        time.sleep(0.1)
    return count


def _request(key: str | None) -> bytes:
    query = dns.message.make_query(ZONE, "AXFR")
    if key is not None:
        keyring = dns.tsigkeyring.from_text({key: TSIG_SECRET})
        query.use_tsig(keyring, algorithm=dns.tsig.HMAC_SHA256)
    wire = query.to_wire()
    return len(wire).to_bytes(2, "big") + wire


@contextlib.contextmanager
def _not_reading(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Ask for the zone on that many connections, and read nothing."""
    request = _request(TSIG_NAME)
    socks = []
    try:
        for _ in range(count):
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect(("127.0.0.1", port))
            sock.sendall(request)
            socks.append(sock)
        yield socks
    finally:
        for sock in socks:
            sock.close()


def transfer(port: int, key: str, address: str = "127.0.0.1", limit: float = 100.0) -> float:
    """Seconds until the whole zone is there, asked for again when it is refused or breaks off;
    infinite when it is not there in time."""
    begin = time.monotonic()
    soa = b"\x00\x06\x00\x01"
    while time.monotonic() - begin < limit:
        with contextlib.suppress(OSError), socket.socket() as sock:
            sock.bind((address, 0))
            sock.settimeout(limit)
            sock.connect(("127.0.0.1", port))
            sock.sendall(_request(key))
            stream = sock.makefile("rb")
            apexes = 0
            while head := stream.read(2):
                message = stream.read(int.from_bytes(head, "big"))
                if message[3] & 15:
                    break
                apexes += message.count(soa)
                if apexes == 2:
                    return time.monotonic() - begin
        time.sleep(0.2)
    return float("inf")


def transfers(server: Attacked, size: Size) -> Report:
    """One holder of a TSIG key asks for the zone very often and does not read; then two others
    want it: another key, and another address with the same key."""
    with Probe(server) as probe, _not_reading(server.port, size.transfers):
        time.sleep(0.5)
        other_key = transfer(server.port, OTHER_KEY)
        other_address = transfer(server.port, TSIG_NAME, "127.0.0.2")
    more = {"other key, s": other_key, "other address, s": other_address}
    return Report(server.name, probe.seen, server.kills, more)


def requests(server: Attacked, size: Size) -> Report:
    """While all places for transfers may be taken, thousands of requests without a key come, each
    on a connection that ends at once."""
    request = _request(None)
    waited = refused = 0
    with Probe(server) as probe, _not_reading(server.port, size.transfers):
        time.sleep(0.5)
        before = server.memory
        over = time.monotonic() + _LIMIT
        for sent in range(size.unsigned):
            with contextlib.suppress(OSError), socket.socket() as sock:
                sock.settimeout(10 if sent % _ASKED == 0 else 0.5)
                sock.connect(("127.0.0.1", server.port))
                sock.sendall(request)
                if sent % _ASKED == 0:
                    waited += 1
                    answer = sock.recv(512)
                    refused += len(answer) > 5 and answer[5] & 15 == 5
            if time.monotonic() > over:
                break
        after = server.memory
    more = {"MiB more": after - before, "asked": waited, "refused at once": refused}
    return Report(server.name, probe.seen, server.kills, more)


Attack = Callable[[Attacked, Size], Report]

ATTACKS: dict[str, Attack] = {
    one.__name__: one
    for one in (pipelines, sustained, expensive, connects, limits, transfers, requests)
}

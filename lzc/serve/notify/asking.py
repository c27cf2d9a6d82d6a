"""Asking a secondary for the serial that it has, here and now: over UDP, and over TCP where that
brings nothing."""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lzc.config import SecondarySection, parse_endpoint
from lzc.serve.notify.message import Reply, Request
from lzc.wire import name as wire_name
from lzc.wire.tsig import TsigKey

TRIES: Final = 3
"""Datagrams, each with a new TSIG, before TCP is tried."""
_LONGEST: Final = 65535


@dataclass(frozen=True, slots=True)
class Told:
    """What a secondary said: its serial, or what is wrong in a sentence; and over which transport,
    ``udp`` or ``tcp``, empty where none brought an answer."""

    serial: int | None
    problem: str
    transport: str


def ask_serial(
    section: SecondarySection,
    keys: Mapping[bytes, TsigKey],
    apex: bytes,
    wait: float,
) -> Told:
    """The serial of a zone (lower-case wire name) at a secondary; ``keys`` are by lower-case wire
    name, ``wait`` are the seconds for each try. Never raises for what comes back, or does not."""
    key = None
    if section.tsig is not None:
        key = keys.get(wire_name.from_text(section.tsig, wire_name.ROOT).lower())
        if key is None:
            return Told(None, f"the secret of TSIG key {section.tsig} cannot be used", "")
    problem = ""
    for exchange, transport in (*((_over_udp, "udp"),) * TRIES, (_over_tcp, "tcp")):
        what = random.getrandbits(16), apex, key, time.time()
        request = Request(*what, polls=True, software=section.software)
        try:
            reply = exchange(request, parse_endpoint(section.address), wait)
        except TimeoutError:
            problem = "no answer to a query for the SOA, neither over UDP nor over TCP"
            continue
        except OSError as error:
            problem = f"no answer to a query for the SOA: {error.strerror or error}"
            continue
        return _told(reply, transport)
    return Told(None, problem, "")


def _told(reply: Reply, transport: str) -> Told:
    if reply.serial is None and not reply.problem:
        return Told(None, "no SOA in its answer", transport)
    return Told(reply.serial, reply.problem, transport)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _over_udp(request: Request, address: tuple[str, int], wait: float) -> Reply:
    with socket.socket(_family(address[0]), socket.SOCK_DGRAM) as sock:
        # Connected, so that it is known at once where nobody listens.
        sock.connect(address)
        sock.send(request.wire)
        end = time.monotonic() + wait
        while (left := end - time.monotonic()) > 0:
            sock.settimeout(left)
            answer = sock.recv(_LONGEST)
            if request.is_answered_by(answer):
                return request.read(answer, time.time())
    raise TimeoutError


def _over_tcp(request: Request, address: tuple[str, int], wait: float) -> Reply:
    with contextlib.closing(socket.socket(_family(address[0]), socket.SOCK_STREAM)) as sock:
        sock.settimeout(wait)
        sock.connect(address)
        sock.sendall(len(request.wire).to_bytes(2, "big") + request.wire)
        size = int.from_bytes(_exactly(sock, 2), "big")
        answer = _exactly(sock, size)
    if not request.is_answered_by(answer):
        raise ConnectionError("it answered another question")
    return request.read(answer, time.time())


def _exactly(sock: socket.socket, size: int) -> bytes:
    octets = b""
    while len(octets) < size:
        more = sock.recv(size - len(octets))
        if not more:
            raise ConnectionError("it closed the connection")
        octets += more
    return octets

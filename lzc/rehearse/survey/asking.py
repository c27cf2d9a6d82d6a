"""Whom the questions of a survey go to: a bundle, on the server's own path, or a running server."""

from __future__ import annotations

import os
import socket
import time
from typing import Final

from lzc.rehearse.assumed import Circumstances
from lzc.rehearse.rehearsal import Scene, Staging
from lzc.rehearse.survey.inspection import Asked, NoAnswer
from lzc.wire import message

TIMEOUT: Final = 2.0
"""Seconds in which a server has to answer, at each of ``TRIES``, and over TCP at each octet."""
TRIES: Final = 3
MOST_SILENT: Final = 5
"""Questions in a row without an answer after which a server is not asked any more."""


class BundleAsker:
    """Asks a bundle as a client on loopback does, all health checks being up; records that draw
    random numbers begin with ``seed``."""

    def __init__(self, staging: Staging, now: float, *, clock_set: bool, seed: int = 1) -> None:
        self._scene = Scene(staging, Circumstances(now, clock_set=clock_set, dnssec=True))
        self._seed = seed

    def ask(self, qname: bytes, qtype: int) -> Asked:
        """As `Asker` has it."""
        answer = self._scene.ask(qname, qtype, self._seed)
        if answer is None:
            raise NoAnswer("no answer")
        return Asked(answer.wire, answer.reasons)


class ServerAsker:
    """Asks a server at an address and port, over UDP, and over TCP what is truncated.

    Never waits longer than ``TRIES`` times ``TIMEOUT``; when a server was silent for
    ``MOST_SILENT`` questions in a row, all further ones fail at once.
    """

    def __init__(self, address: str, port: int) -> None:
        self._where = (address, port)
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._udp: socket.socket | None = None
        self._tcp: socket.socket | None = None
        self._silent = 0

    def ask(self, qname: bytes, qtype: int) -> Asked:
        """As `Asker` has it."""
        if self._silent >= MOST_SILENT:
            raise NoAnswer("not asked, as the server does not answer any more")
        ident = os.urandom(2)
        query = ident + Circumstances(0.0, dnssec=True).message(qname, qtype)[2:]
        try:
            wire = self._over_udp(query)
            if wire[2] << 8 & message.TC:
                wire = self._over_tcp(query)
        except OSError as error:
            self._silent += 1
            self._close()
            if isinstance(error, TimeoutError):
                raise NoAnswer(f"no answer within {TRIES} times {TIMEOUT:g} s") from None
            raise NoAnswer(f"no answer: {error.strerror or error}") from None
        self._silent = 0
        return Asked(wire)

    def _over_udp(self, query: bytes) -> bytes:
        if self._udp is None:
            self._udp = socket.socket(self._family, socket.SOCK_DGRAM)
            self._udp.connect(self._where)
        for _ in range(TRIES):
            self._udp.send(query)
            end = time.monotonic() + TIMEOUT
            while (left := end - time.monotonic()) > 0:
                self._udp.settimeout(left)
                try:
                    wire = self._udp.recv(65535)
                except TimeoutError:
                    break
                if _is_answer(wire, query):
                    return wire
        raise TimeoutError

    def _over_tcp(self, query: bytes) -> bytes:
        """On a connection that is kept; a new one where the server closed that meanwhile."""
        if self._tcp is not None:
            try:
                return self._exchange(self._tcp, query)
            except OSError:
                self._tcp.close()
                self._tcp = None
        self._tcp = socket.create_connection(self._where, TIMEOUT)
        return self._exchange(self._tcp, query)

    def _exchange(self, tcp: socket.socket, query: bytes) -> bytes:
        tcp.settimeout(TIMEOUT)
        tcp.sendall(len(query).to_bytes(2, "big") + query)
        while True:
            wire = _receive(tcp, int.from_bytes(_receive(tcp, 2), "big"))
            if _is_answer(wire, query):
                return wire

    def _close(self) -> None:
        for one in (self._udp, self._tcp):
            if one is not None:
                one.close()
        self._udp = self._tcp = None


def _receive(tcp: socket.socket, octets: int) -> bytes:
    found = b""
    while len(found) < octets:
        more = tcp.recv(octets - len(found))
        if not more:
            raise ConnectionResetError("the server closed the connection")
        found += more
    return found


def _is_answer(wire: bytes, query: bytes) -> bool:
    """Whether a message is the response with that ID; it may have no question where it is an
    error."""
    return len(wire) >= message.HEADER.size and wire[:2] == query[:2] and bool(wire[2] & 0x80)

"""A server as a child process: started in its own folder, waited for, stopped, its log kept."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import dns.exception
import dns.message
import dns.query

from tests.patience import PATIENCE
from tests.unit.forked import Forked

LOOPBACK = "127.0.0.1"


_PORTS: Final[list[int]] = [*range(10_000, 30_000)]
"""Below the ephemeral ports of Linux, those not given yet: what is given is bound later."""
random.shuffle(_PORTS)


def free_port() -> int:
    """A port on which nothing listens on the loopback interface, over UDP and over TCP. None is
    given twice."""
    while True:
        port = _PORTS.pop()
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
            contextlib.suppress(OSError),
        ):
            tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tcp.bind((LOOPBACK, port))
            udp.bind((LOOPBACK, port))
            return port


def wait_until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Poll until ``condition`` holds. Raises `AssertionError` naming ``what`` after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)


def serial_at(port: int, zone: str) -> int | None:
    """The serial a server answers with for a zone; ``None`` while it has none."""
    query = dns.message.make_query(zone, "SOA")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.setblocking(False)
        # Connected, it hears at once that nobody listens yet.
        udp.connect((LOOPBACK, port))
        try:
            answer = dns.query.udp(query, LOOPBACK, port=port, timeout=1, sock=udp)
        except (dns.exception.DNSException, OSError):
            return None
    for rrset in answer.answer:
        for rdata in rrset:
            return int(getattr(rdata, "serial", 0))
    return None


Start = Callable[[Sequence[str], Path, Path], "subprocess.Popen[bytes] | Forked"]
"""Runs arguments in a folder, as the leader of a group of processes that write to the end of a
file."""


def program(arguments: Sequence[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """Runs the program that the first argument names."""
    with log.open("ab") as file:
        return subprocess.Popen(
            arguments,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )


class Process:
    """A running program and its log."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, name: str, start: Start = program
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._child = start(arguments, folder, self.log)

    @property
    def pid(self) -> int:
        return self._child.pid

    def running(self) -> bool:
        return self._child.poll() is None

    def signal(self, number: signal.Signals) -> None:
        self._child.send_signal(number)

    def stop(self, seconds: float = PATIENCE) -> int:
        """Ask it to end, and kill its whole process group when it does not; the exit status."""
        if self.running():
            self._child.send_signal(signal.SIGTERM)
        try:
            return self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            return self._child.wait(PATIENCE)

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


@contextlib.contextmanager
def running(
    arguments: Sequence[str], folder: Path, name: str, start: Start = program
) -> Iterator[Process]:
    """Run a program while the block runs; its log is printed, for pytest to show on failure."""
    process = Process(arguments, folder, name, start)
    try:
        yield process
    finally:
        process.stop()
        print(f"----- {name}: {process.log}\n{process.log_text()[-20_000:]}")


def wait_for_zone(process: Process, port: int, zone: str, seconds: float = PATIENCE) -> int:
    """Wait until a server answers for ``zone``; its serial. Fails at once when it has ended."""

    serials: list[int] = []

    def answered() -> bool:
        assert process.running(), f"{process.name} ended:\n{process.log_text()}"
        serial = serial_at(port, zone)
        if serial is not None:
            serials.append(serial)
        return bool(serials)

    wait_until(answered, f"{process.name} answers for {zone}", seconds)
    return serials[0]

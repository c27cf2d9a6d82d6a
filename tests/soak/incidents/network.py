"""Targets of health checks on a network that may begin to swallow every packet."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tests.patience import PATIENCE, SOON
from tests.peers._peers.process import free_port

_FILL: Final = 16


class Network:
    """Listens on one port of each address, in a thread of its own."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self.port = free_port()
        self._listeners = {address: _listener(address, self.port) for address in addresses}
        self._filled: list[socket.socket] = []
        self._silent: set[socket.socket] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def swallow(self, addresses: Iterable[str]) -> None:
        """Connections to these get no answer from now on, like those to a host that is gone."""
        for address in addresses:
            listener = self._listeners[address]
            self._silent.add(listener)
            # A queue that is full: the kernel drops what comes next.
            for _ in range(_FILL):
                client = socket.socket()
                client.setblocking(False)
                client.connect_ex((address, self.port))
                self._filled.append(client)

    def close(self) -> None:
        """Give up all of them."""
        self._end.set()
        self._thread.join(PATIENCE)
        for one in (*self._filled, *self._listeners.values()):
            one.close()

    def _run(self) -> None:
        while not self._end.is_set():
            open_ = [one for one in self._listeners.values() if one not in self._silent]
            for one in select.select(open_, [], [], SOON)[0]:
                if one not in self._silent:
                    with contextlib.suppress(OSError):
                        one.accept()[0].close()


def _listener(address: str, port: int) -> socket.socket:
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind((address, port))
    made.listen(0)
    made.setblocking(False)
    return made


@contextlib.contextmanager
def network(addresses: Sequence[str]) -> Iterator[Network]:
    """While the block runs."""
    made = Network(addresses)
    try:
        yield made
    finally:
        made.close()

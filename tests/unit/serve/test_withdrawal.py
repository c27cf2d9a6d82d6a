"""Sockets that share an address: one is taken out, and what comes afterwards goes to the others."""

from __future__ import annotations

import select
import socket

import pytest

from lzc.config import parse_endpoint
from lzc.serve.transport import sockets
from lzc.serve.transport.withdrawal import withdraw
from tests.patience import PATIENCE

MANY = 64


@pytest.mark.parametrize("endpoint", ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"])
def test_a_withdrawn_socket_keeps_what_it_has_and_gets_nothing_more(endpoint: str) -> None:
    bound = sockets.bind([endpoint], 2)
    (leaving,), (staying,) = bound.of_worker[0], bound.of_worker[1]
    host, port = parse_endpoint(bound.endpoints[0])
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    target = ("::1" if family == socket.AF_INET6 else "127.0.0.1", port)

    def send(text: bytes) -> list[socket.socket]:
        made = [socket.socket(family, socket.SOCK_DGRAM) for _ in range(MANY)]
        for one in made:
            one.settimeout(PATIENCE)
            one.sendto(text, target)
        return made

    def received(listener: sockets.Listener) -> list[tuple[bytes, tuple[str, int]]]:
        found = []
        while select.select([listener.udp], [], [], 0)[0]:
            found.append(listener.udp.recvfrom(100))
        return found

    before = send(b"before")
    withdraw(leaving)
    after = send(b"after")
    late = received(leaving)
    rest = received(staying)
    # The kernel dealt out what came before; of what came after, nothing went to the one that left.
    assert {text for text, _ in late} == {b"before"}
    assert len(late) + len(rest) == 2 * MANY
    for text, client in late:
        leaving.udp.sendto(b"answer to " + text, client)
    ports = {client[1] for _, client in late}
    answered = [one for one in before if one.getsockname()[1] in ports]
    assert [one.recv(100) for one in answered] == [b"answer to before"] * len(late)

    clients = [socket.socket(family) for _ in range(MANY)]
    for one in clients:
        one.setblocking(False)
        one.connect_ex(target)
    # Its SYNs are sent again, when it is gone.
    accepted = 0
    leaving.close()
    staying.tcp.settimeout(PATIENCE)
    kept = []
    while accepted < MANY:
        kept.append(staying.tcp.accept()[0])
        accepted += 1
    for one in clients:
        assert one.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    for one in (*before, *after, *clients, *kept):
        one.close()
    staying.close()

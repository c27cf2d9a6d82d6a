"""A worker that starts while others switch to a new bundle: once the reload is acknowledged, it
answers nobody from the old one, so that no secondary looks in vain for a serial it was told of."""

from __future__ import annotations

import os
import select
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import dns.message
import pytest

from tests.patience import PATIENCE
from tests.unit.live_server import LiveServer, Project, query_wire, udp_socket

HELD = """
import asyncio, os, time
from pathlib import Path
from lzc.serve.worker import worker
held = Path(args["source"]).parent
was_open, was_prepare = worker.Worker.open, worker.Worker.prepare

def slow_open(self, *given):
    serving = was_open(self, *given)
    while not hasattr(self, "_serving") and (held / "hold-start").exists():
        (held / "starting").touch()
        time.sleep(0.01)
    return serving

async def slow_prepare(self, *given, **named):
    while (held / f"hold-{os.getpid()}").exists() or (held / "hold-all").exists():
        (held / "preparing").touch()
        self._setup.slot.beat(time.monotonic())
        await asyncio.sleep(0.01)
    await was_prepare(self, *given, **named)
    (held / f"prepared-{os.getpid()}").touch()

worker.Worker.open, worker.Worker.prepare = slow_open, slow_prepare
"""
CLIENTS = 40
"""Enough that each of two workers has some."""
OLD, NEW = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    project = Project(tmp_path)
    project.build({"example.org": f"www A {OLD}\n"})
    with LiveServer(project, workers=2, inject=HELD, watchdog=PATIENCE) as server:
        yield server


def pids(server: LiveServer) -> list[int]:
    return [one["pid"] for one in server.control("status")["workers"]]


def build(server: LiveServer) -> str:
    return server.project.build({"example.org": f"www A {NEW}\n"}, serial=2)


def asked(server: LiveServer) -> list[socket.socket]:
    """Many clients, each with a port of its own, which have asked."""
    socks = [udp_socket(server.port) for _ in range(CLIENTS)]
    for sock in socks:
        sock.send(query_wire("www.example.org"))
    return socks


def answers(socks: list[socket.socket], seconds: float) -> set[str]:
    """What they are told, until all of them are, or for so long nobody is; those are taken out."""
    found = set()
    while socks:
        ready, _, _ = select.select(socks, [], [], seconds)
        if not ready:
            break
        for sock in ready:
            message = dns.message.from_wire(sock.recv(4096))
            found |= {str(rdata) for rrset in message.answer for rdata in rrset}
            socks.remove(sock)
            sock.close()
    return found


def test_a_worker_that_started_during_a_switch_answers_from_the_new_bundle_alone(
    server: LiveServer, tmp_path: Path
) -> None:
    (tmp_path / "hold-start").touch()
    os.kill(pids(server)[0], signal.SIGKILL)
    server.wait_for((tmp_path / "starting").exists)
    new = build(server)
    reloaded = server.control("reload")
    assert reloaded["bundle"] == new, reloaded
    (tmp_path / "hold-all").touch()
    (tmp_path / "hold-start").unlink()
    server.wait_for((tmp_path / "preparing").exists)
    clients = asked(server)
    assert answers(clients, 0.5) == {NEW}
    (tmp_path / "hold-all").unlink()
    assert answers(clients, PATIENCE) <= {NEW}
    assert not clients


def test_a_worker_in_the_place_of_one_that_had_prepared_takes_part(
    server: LiveServer, tmp_path: Path
) -> None:
    first, second = pids(server)
    (tmp_path / f"hold-{second}").touch()
    new = build(server)
    found = []
    reload = threading.Thread(target=lambda: found.append(server.control("reload")))
    reload.start()
    server.wait_for((tmp_path / "preparing").exists)
    # Had it not prepared, its end would be one of the new bundle's.
    server.wait_for((tmp_path / f"prepared-{first}").exists)
    # Who answers this has heard of it.
    assert server.control("status")["workers"][0]["ready"]
    os.kill(first, signal.SIGKILL)
    server.wait_for(lambda: pids(server)[0] not in (0, first))
    server.wait_for(lambda: server.control("status")["workers"][0]["ready"])
    (tmp_path / f"hold-{second}").unlink()
    reload.join(PATIENCE)
    assert found[0]["ok"], found
    assert found[0]["bundle"] == new
    assert answers(asked(server), PATIENCE) == {NEW}

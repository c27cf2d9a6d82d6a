"""How many checks run at once, and in which order; what they connect to; how they are shown."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from pathlib import Path

import pytest

from lzc.bundle.check_list import CheckList
from lzc.health_check import Check, Endpoint
from lzc.serve.health.admission import CheckPolicy
from lzc.serve.health.checker import Checker
from lzc.serve.health.checker_main import report_when_asked
from lzc.serve.health.runs import ConcurrencyLimit, connection_of
from lzc.serve.health.scheduled_check import show
from lzc.serve.ipc.health_table import HealthTable
from tests.patience import PATIENCE
from tests.unit.live_server import UNHURRIED, LiveServer, Project


def test_a_lane_runs_so_many_at_once_in_the_order_they_came() -> None:
    begun: list[int] = []
    concurrency = ConcurrencyLimit(2)
    for number in range(5):
        concurrency.enter(lambda number=number: begun.append(number))  # type: ignore[misc]
    assert begun == [0, 1]
    concurrency.leave()
    assert begun == [0, 1, 2]
    concurrency.leave()
    concurrency.leave()
    assert begun == [0, 1, 2, 3, 4]
    concurrency.leave()
    concurrency.leave()
    concurrency.enter(lambda: begun.append(5))
    assert begun[-1] == 5


def test_a_run_that_ends_while_it_begins_lets_the_next_one_in() -> None:
    begun: list[int] = []
    concurrency = ConcurrencyLimit(1)

    def at_once(number: int) -> None:
        begun.append(number)
        concurrency.leave()

    for number in range(3):
        concurrency.enter(lambda number=number: at_once(number))  # type: ignore[misc]
    assert begun == [0, 1, 2]


@pytest.mark.parametrize(
    ("url", "port"),
    [
        ("http://www.example.com/", 80),
        ("https://www.example.com/", 443),
        ("https://www.example.com:8443/x", 8443),
        ("http://[2001:db8::1]:81/", 81),
        ("http://www.example.com:0/", 0),
        ("http://www.example.com:99999/", None),
        ("http:///", None),
    ],
)
def test_an_http_check_begins_with_a_connection_to_its_candidate(
    url: str, port: int | None
) -> None:
    expected = None if port is None else Endpoint("192.0.2.1", port)
    assert connection_of(Check("192.0.2.1", url=url)) == expected


def test_a_check_without_a_candidate_has_to_look_its_host_up_first() -> None:
    assert connection_of(Check("", url="http://www.example.com/")) is None


def test_checks_that_differ_are_shown_differently() -> None:
    assert show(Check("192.0.2.1", 443)) == "192.0.2.1:443"
    assert show(Check("2001:db8::1", 443, timeout=5)) == "[2001:db8::1]:443 timeout=5"
    check = Check("192.0.2.1", url="http://www.example.com/", stringmatch="ok", httpcode=204)
    assert show(check) == "http://www.example.com/ at 192.0.2.1 with 'ok' httpcode=204"
    # A check has the octets of a record's text one for one.
    url, wanted = (text.encode().decode("latin-1") for text in ("http://x.example/é", "ü"))
    check = Check("192.0.2.1", url=url, stringmatch=wanted)
    assert show(check) == "http://x.example/é at 192.0.2.1 with 'ü'"


def test_what_is_shown_of_a_check_holds_no_secrets() -> None:
    headers = (("Authorization", "Bearer secret"), ("X-Probe", "1"))
    check = Check("192.0.2.1", url="http://me:secret@www.example.com/@", headers=headers)
    shown = show(check)
    assert shown == "http://***@www.example.com/@ at 192.0.2.1 headers=Authorization,X-Probe"


def test_who_asks_for_a_report_and_leaves_costs_others_nothing(tmp_path: Path) -> None:
    project = Project(tmp_path, f"{UNHURRIED}health-check-interval = 60\n")
    checks = [Check("127.0.0.1", 1 + number) for number in range(5000)]
    project.build({"example.org": ""}, checks=checks)
    with LiveServer(project) as server:
        for _ in range(3):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(project.output / "control.sock"))
                sock.sendall(b'{"do":"health"}\n')
                assert sock.recv(100)
        server.wait_for(lambda: len(server.control("health")["checks"]) == 5000)
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(project.output / "control.sock"))
            # Two answers on one connection, each a line.
            sock.sendall(b'{"do":"health"}\n{"do":"health"}\n')
            with sock.makefile("rb") as file:
                assert [len(json.loads(file.readline())["checks"]) for _ in range(2)] == [5000] * 2


def test_a_report_leaves_even_while_the_checker_is_busy() -> None:
    async def busy() -> None:
        reports = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        asking, asked = socket.socketpair()
        checker = Checker(HealthTable(16384), reports[1], CheckPolicy(60.0))
        checks = tuple(Check("127.0.0.1", 1 + number) for number in range(8000))
        checker.load(CheckList(checks))
        thread = threading.Thread(target=report_when_asked, args=(asked, checker), daemon=True)
        thread.start()
        ours, theirs = socket.socketpair()
        ours.settimeout(PATIENCE)
        with theirs:
            socket.send_fds(asking, [b"?"], [theirs.fileno()])
        # The event loop is in this line until all is here, which fills the socket many times.
        message = json.loads(ours.makefile("rb").read())
        assert message["ok"]
        assert len(message["checks"]) == 8000
        await checker.close()
        asking.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE)
        assert not thread.is_alive()

    asyncio.run(busy())

"""Targets, records and machines that do their worst: no check of another suffers from it."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import socket
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.health_check import Check
from lzc.lua.health.reach import CheckReach
from lzc.serve.health.runs import Runs
from lzc.serve.ipc.health_table import DOWN, UP, HealthTable
from lzc.serve.observe.log_lines import ErrorLog
from tests.patience import PATIENCE, SOON
from tests.unit.clinic import LOCAL, Clinic, listening, play, self_signed
from tests.unit.live_server import UNHURRIED, LiveServer, Project


@pytest.mark.difference("D-42")
def test_a_run_comes_never_later_than_its_interval() -> None:
    async def scene(clinic: Clinic) -> None:
        checks = [Check(LOCAL, 1, stringmatch=str(number)) for number in range(200)]
        clinic.load(checks)
        for check in checks:
            await clinic.becomes(check, False)
        delays = [
            entry.timer.when() - entry.started
            for entry in clinic.checker.scheduled()
            if entry.timer is not None
        ]
        assert len(delays) == 200
        # To the time between two looks at the clock, in which the machine may do something else.
        assert 53.9 < min(delays) < 56 < 58 < max(delays) < 65

    play(scene, interval=60)


@pytest.mark.parametrize("number", [-1, -(10**30), 10**30, 10**300])
def test_a_record_may_say_any_number(number: int) -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        site = await asyncio.start_server(lambda _, writer: writer.close(), LOCAL, 0)
        url = f"http://www.example.com:{site.sockets[0].getsockname()[1]}/"
        checks = [
            Check(LOCAL, port, interval=number),
            Check(LOCAL, port, timeout=number),
            Check(LOCAL, port, minimum_failures=number),
            Check(LOCAL, url=url, interval=number, byteslimit=number, httpcode=number),
            Check(LOCAL, url=url, timeout=number),
        ]
        clinic.load(checks)
        async with asyncio.timeout(PATIENCE):
            while clinic.table.counts() and not clinic.table.complete():  # noqa: ASYNC110
                await asyncio.sleep(SOON)
        assert all(entry.timer is not None for entry in clinic.checker.scheduled())
        assert all(clinic.known(check)["runs"] == 1 for check in checks)
        site.close()
        sock.close()

    play(scene, interval=60)


def test_want_of_files_is_not_the_targets_fault() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        plain = [Check(LOCAL, port, stringmatch=str(number)) for number in range(20)]
        clinic.load(plain)
        for check in plain:
            await clinic.becomes(check, True)
        runs = sum(clinic.known(check)["runs"] for check in plain)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            async with asyncio.timeout(PATIENCE):
                while clinic.checker.errors.total < 2 * len(plain):  # noqa: ASYNC110
                    await asyncio.sleep(SOON)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert all(clinic.view.status(check) is True for check in plain)
        async with asyncio.timeout(PATIENCE):
            while sum(clinic.known(check)["runs"] for check in plain) < runs + 40:  # noqa: ASYNC110
                await asyncio.sleep(SOON)
        sock.close()

    play(scene, interval=0.05)


@pytest.mark.parametrize("files", [16, 896, 3968, 100_000])
def test_all_that_runs_at_once_fits_into_the_limit_of_files(files: int) -> None:
    async def scene() -> None:
        runs = Runs(ErrorLog(), CheckReach(), lambda *_: None, files)
        lanes = (runs.connections, runs.requests, runs.slow_requests)
        assert sum(lane.limit for lane in lanes) <= files
        assert all(lane.limit > 0 for lane in lanes)
        assert runs.connections.limit == max(lane.limit for lane in lanes)
        await runs.close()

    asyncio.run(scene())


def test_a_handshake_that_hangs_times_out_and_holds_nobody_up(tmp_path: Path) -> None:
    async def scene(clinic: Clinic) -> None:
        async def page(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n" + b"x" * 40_000)
            writer.close()

        sock, port = listening()
        server = await asyncio.start_server(page, LOCAL, 0, ssl=self_signed(tmp_path))
        good = Check(
            LOCAL, url=f"https://www.example.com:{server.sockets[0].getsockname()[1]}/", timeout=60
        )
        hanging = [
            Check(LOCAL, url=f"https://www.example.com:{port}/", timeout=1, stringmatch=str(number))
            for number in range(100)
        ]
        clinic.load([*hanging, good])
        await clinic.becomes(good, True)
        for check in hanging:
            assert (await clinic.becomes(check, False))["error"] == "timed out"
        assert clinic.known(good)["status"] == "up"
        server.close()
        sock.close()

    play(scene, interval=60)


def test_hosts_that_cannot_be_looked_up_hold_up_no_others(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answered = threading.Event()
    look_up = socket.getaddrinfo

    def slowly(host: str, *args: Any, **options: Any) -> Any:
        if host.startswith("slow"):
            answered.wait(PATIENCE)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        return look_up(LOCAL if host == "fine.example" else host, *args, **options)

    async def scene(clinic: Clinic) -> None:
        async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(page, LOCAL, 0)
        port = server.sockets[0].getsockname()[1]
        slow = [Check("", url=f"http://slow{number}.example/", timeout=100) for number in range(40)]
        fine = Check("", url=f"http://fine.example:{port}/", timeout=100)
        clinic.load([*slow, fine])
        await clinic.becomes(fine, True)
        assert all(clinic.view.status(check) is None for check in slow)
        # Nor do they hold up the operator, whose word is saved before it is answered.
        async with asyncio.timeout(PATIENCE):
            assert (await clinic.checker.force("192.0.2.1", "down", 0, anyway=True))["ok"]
        answered.set()
        for check in slow:
            assert "Temporary failure" in (await clinic.becomes(check, False))["error"]
        server.close()

    monkeypatch.setattr(socket, "getaddrinfo", slowly)
    play(scene, interval=60, file=tmp_path / "health")


def test_what_is_no_tls_says_so() -> None:
    async def scene(clinic: Clinic) -> None:
        async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(babble, LOCAL, 0)
        port = server.sockets[0].getsockname()[1]
        check = Check(LOCAL, url=f"https://www.example.com:{port}/")
        clinic.load([check])
        assert (await clinic.becomes(check, False))["error"].startswith("TLS: ")
        server.close()

    play(scene, interval=60)


keys = st.integers(0, 90).map(lambda number: (number * 7).to_bytes(8, "little") + bytes(8))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), keys), max_size=200))
def test_slots_given_up_end_no_chain_and_are_empty_again_at_the_end(
    steps: list[tuple[bool, bytes]],
) -> None:
    table = HealthTable(128)
    present: set[bytes] = set()
    for adding, key in steps:
        if not adding:
            table.remove(key)
            present.discard(key)
        elif table.add(key) >= 0:
            present.add(key)
        assert all(table.find(one) >= 0 for one in present)
    for key in list(present):
        table.remove(key)
    # Else a search for what is not there would go through all slots some day.
    states = bytes(table.octets[128 + 18 :: 64])
    assert states == bytes(128)


def test_statuses_stay_when_the_checker_is_killed(tmp_path: Path) -> None:
    sock, port = listening()
    with sock:
        project = Project(tmp_path, f"{UNHURRIED}health-check-interval = 1\n")
        up, down = Check(LOCAL, port), Check("127.0.0.2", port)
        text = f"up LUA A \"ifportup({port},{{'{LOCAL}','127.0.0.2'}},{{backupSelector='all'}})\"\n"
        project.build({"example.org": text}, checks=[up, down])
        with LiveServer(project) as server:

            def report() -> dict[str, tuple[str, float]]:
                return {
                    one["check"]: (one["status"], one["since"])
                    for one in server.control("health").get("checks", ())
                }

            def checker() -> dict[str, int]:
                found: dict[str, int] = server.control("status")["checker"]
                return found

            server.wait_for(lambda: {one for one, _ in report().values()} == {"up", "down"})
            before, pid = report(), checker()["pid"]
            server.control("force", target="127.0.0.9", state="drain", seconds=0)
            for _ in range(2):
                os.kill(checker()["pid"], signal.SIGKILL)
                while checker()["pid"] in (0, pid):
                    assert server.answers("up.example.org") == [LOCAL]
                pid = checker()["pid"]
                server.wait_for(lambda: report() == before)
            assert checker()["restarts"] == 2
            assert server.answers("up.example.org") == [LOCAL]
            sock.close()
            server.wait_for(lambda: report()[f"{LOCAL}:{port}"][0] == "down")


def test_a_checker_that_hangs_is_replaced(tmp_path: Path) -> None:
    sock, port = listening()
    with sock:
        project = Project(tmp_path, f"{UNHURRIED}health-check-interval = 1\n")
        check = Check(LOCAL, port)
        project.build({"example.org": ""}, checks=[check])
        with LiveServer(project, watchdog=0.4) as server:

            def status() -> str:
                found = server.control("health").get("checks", ())
                return found[0]["status"] if found else ""

            server.wait_for(lambda: status() == "up")
            os.kill(server.control("status")["checker"]["pid"], signal.SIGSTOP)
            server.wait_for(lambda: server.control("status")["checker"]["restarts"] == 1)
            assert server.logged("the health checker did not respond for 4 s: killing it")
            sock.close()
            server.wait_for(lambda: status() == "down")


def test_statuses_of_a_table_are_those_that_were_set() -> None:
    table = HealthTable(64)
    first, second = bytes(16), bytes(8) + b"otherkey"
    offset = table.add(first)
    table.set(offset, UP, 0.1, 1.0)
    table.set(table.add(second), DOWN, 0.1, 1.0)
    table.remove(first)
    # The second lies behind the grave of the first, and is found while that is filled anew.
    assert table.add(bytes(8) + b"thirdkey") == offset
    assert table.read(table.find(second)).status == DOWN
    assert table.find(first) == -1

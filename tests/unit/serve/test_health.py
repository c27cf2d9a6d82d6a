"""Health checks against real ports that are open, closed or silent: when they begin and end."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc.cli.ctl import command as ctl
from lzc.health_check import Check
from lzc.serve.ipc.health_table import UP
from tests.patience import PATIENCE, SOON
from tests.unit.clinic import LOCAL, Clinic, full, listening, play
from tests.unit.live_server import UNHURRIED, LiveServer, Project


def test_a_port_that_accepts_is_up_and_goes_down_when_it_closes() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        check = Check(LOCAL, port)
        assert clinic.view.status(check) is None
        before = clinic.view.generation()
        clinic.load([check])
        await clinic.becomes(check, True)
        assert clinic.view.generation() != before
        before = clinic.view.generation()
        sock.close()
        known = await clinic.becomes(check, False)
        assert clinic.view.generation() != before
        assert known["error"] == "Connection refused"
        assert known["check"] == f"127.0.0.1:{port}"

    play(scene)


def test_a_target_that_does_not_answer_is_down_after_the_timeout() -> None:
    async def scene(clinic: Clinic) -> None:
        socks, port = full()
        known_port = listening()
        slow, fine = Check(LOCAL, port, timeout=1), Check(LOCAL, known_port[1])
        clinic.load([slow, fine])
        await clinic.becomes(fine, True)
        assert clinic.view.status(slow) is None
        known = await clinic.becomes(slow, False)
        assert known["error"] == "timed out"
        assert known["latency"] >= 0.9
        for sock in [*socks, known_port[0]]:
            sock.close()

    play(scene)


@pytest.mark.difference("D-41")
def test_without_any_time_a_target_is_down() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        check = Check(LOCAL, port, timeout=0)
        clinic.load([check])
        assert (await clinic.becomes(check, False))["error"] == "timed out"
        sock.close()

    play(scene)


def test_checks_connect_from_the_source_address() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        sock.settimeout(PATIENCE)
        clinic.load([Check(LOCAL, port, source="127.0.0.9")])
        client, address = await asyncio.to_thread(sock.accept)
        assert address[0] == "127.0.0.9"
        client.close()
        wrong = Check(LOCAL, port, source="192.0.2.1")
        clinic.load([wrong])
        assert "assign requested address" in (await clinic.becomes(wrong, False))["error"]
        sock.close()

    play(scene)


def test_an_unlisted_check_starts_when_a_worker_asks_for_it() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        check = Check(LOCAL, port)
        assert clinic.view.status(check) is None
        await clinic.becomes(check, True)
        assert clinic.told == [check]
        sock.close()

    play(scene)


def test_a_check_that_the_next_bundle_drops_ends_and_others_keep_their_status() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        kept, dropped = Check(LOCAL, port), Check(LOCAL, port, timeout=3)
        clinic.load([kept, dropped])
        await clinic.becomes(kept, True)
        await clinic.becomes(dropped, True)
        clinic.load([kept])
        assert clinic.view.status(kept) is True
        assert clinic.known(dropped)["error"] == "not checked"
        assert clinic.table.find(dropped.key()) == -1
        sock.close()

    play(scene)


def test_an_unlisted_check_ends_when_nobody_asks_any_more() -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        check = Check(LOCAL, port)
        await clinic.becomes(check, True)
        generation = clinic.view.generation()
        async with asyncio.timeout(PATIENCE):
            # A worker asks again when the generation changes, if it still needs the check.
            while clinic.view.generation() == generation:  # noqa: ASYNC110
                await asyncio.sleep(SOON)
            assert clinic.view.status(check) is True
            while clinic.table.find(check.key()) >= 0:  # noqa: ASYNC110
                await asyncio.sleep(SOON)
        assert clinic.view.status(check) is None
        sock.close()

    play(scene, interval=0.02, expire=0.2)


def test_a_target_that_never_was_up_is_down_at_its_first_failure() -> None:
    async def scene(clinic: Clinic) -> None:
        check = Check(LOCAL, 1, minimum_failures=10)
        clinic.load([check])
        assert (await clinic.becomes(check, False))["failures"] == 1

    play(scene, interval=60)


def test_a_clock_that_was_set_back_makes_no_negative_times(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def scene(clinic: Clinic) -> None:
        sock, port = listening()
        sock.close()
        check = Check(LOCAL, port)
        clinic.table.set(clinic.table.add(check.key()), UP, 0.1, time.time() + 3600)
        clinic.load([check])
        await clinic.becomes(check, False)

    with caplog.at_level("INFO", "lzc"):
        play(scene)
    assert caplog.messages[0].endswith("is down (Connection refused), was up for 0 s")


@pytest.mark.difference("D-24")
def test_the_server_checks_what_its_bundle_lists_and_ctl_shows_it(tmp_path: Path) -> None:
    sock, port = listening()
    with sock:
        project = Project(tmp_path, f"{UNHURRIED}health-check-interval = 1\n")
        up, down = Check(LOCAL, port), Check(LOCAL, 1)
        project.build({"example.org": ""}, checks=[up, down])
        with LiveServer(project) as server:

            def statuses() -> dict[str, str]:
                found = server.control("health")["checks"]
                return {one["check"]: one["status"] for one in found}

            server.wait_for(
                lambda: statuses() == {f"127.0.0.1:{port}": "up", "127.0.0.1:1": "down"}
            )
            shown = CliRunner().invoke(ctl, ["status", "-c", str(project.config)])
            assert "2 checks (1 up, 1 down, 0 unknown), 0 of at most 2000" in shown.output
            project.build({"example.org": ""}, checks=[up], serial=2)
            server.control("reload")
            server.wait_for(lambda: statuses() == {f"127.0.0.1:{port}": "up"})
            assert json.dumps(server.control("health"))

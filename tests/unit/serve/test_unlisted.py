"""Checks that only answers ask for: clients may make up as many as they like, and get a few."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import dns.edns
import pytest
from click.testing import CliRunner

from lzc.cli.ctl import command as ctl
from lzc.health_check import Check
from lzc.serve.health import saved_state as health_state
from lzc.serve.health.saved_state import Known, SavedHealth
from lzc.serve.health.unlisted import BURST, NEW_A_SECOND, Unlisted
from lzc.serve.ipc.health_table import UP, Health, HealthTable
from tests.patience import PATIENCE, SOON
from tests.unit.clinic import LOCAL, Clinic, listening, play
from tests.unit.live_server import UNHURRIED, LiveServer, Project


def test_so_many_begin_at_once_and_then_so_many_a_second() -> None:
    def admitted(unlisted: Unlisted, now: float) -> int:
        count = 0
        while unlisted.admits(now):
            unlisted.begin()
            count += 1
        return count

    unlisted = Unlisted(10_000, 100.0)
    assert [admitted(unlisted, now) for now in (100.0, 100.5, 101.5, 1000.0)] == [
        BURST,
        NEW_A_SECOND // 2,
        NEW_A_SECOND,
        BURST,
    ]
    assert admitted(Unlisted(3, 0.0), 0.0) == 3
    assert admitted(Unlisted(0, 0.0), 1000.0) == 0


def test_operators_are_told_once_in_a_while() -> None:
    unlisted = Unlisted(7, 0.0)
    assert unlisted.news(1000.0) == ""
    unlisted.note(refused=3)
    unlisted.note(evicted=2)
    text = unlisted.news(1000.0)
    assert "3 checks that no bundle lists were refused and 2 given up" in text
    assert "raise unlisted-health-checks in [lua]" in text
    unlisted.note(refused=5)
    assert unlisted.news(1059.0) == ""
    assert "5 checks" in unlisted.news(1060.0)


ZONE = b"\7example\3org\0"


def closed(number: int) -> Check:
    """A check that is made of the same refusing port again and again."""
    return Check(LOCAL, 1, interval=60, stringmatch=str(number))


def test_the_one_asked_for_longest_ago_makes_room() -> None:
    async def scene(clinic: Clinic) -> None:
        for number in range(3):
            await clinic.becomes(closed(number), False)
        # All have been asked for since they were added; the next look goes through them in turn.
        await clinic.becomes(closed(3), False)
        assert clinic.table.find(closed(0).key()) == -1
        for number in (1, 3):
            assert clinic.view.status(closed(number)) is False
        await clinic.becomes(closed(4), False)
        assert clinic.table.find(closed(2).key()) == -1
        assert clinic.table.find(closed(1).key()) >= 0
        counts = clinic.table.counts()
        assert (counts["unlisted"], counts["unlisted_evicted"]) == (3, 2)

    play(scene, interval=60, unlisted=3)


def test_none_are_made_where_none_are_allowed_and_they_are_counted() -> None:
    async def scene(clinic: Clinic) -> None:
        assert clinic.view.status(closed(0)) is None
        async with asyncio.timeout(PATIENCE):
            while not clinic.table.counts()["unlisted_refused"]:  # noqa: ASYNC110
                await asyncio.sleep(SOON)
        assert clinic.table.counts()["checks"] == 0

    play(scene, unlisted=0)


def test_what_a_bundle_lists_gets_room_when_the_table_is_full_of_others() -> None:
    async def scene(clinic: Clinic) -> None:
        most = 1024 // 2
        for number in range(most):
            clinic.checker.add_unlisted(closed(number), closed(number).key(), ZONE)
        assert clinic.table.counts()["checks"] == most
        listed = [closed(number) for number in range(most - 100, most + 100)]
        clinic.load(listed)
        assert all(clinic.table.find(check.key()) >= 0 for check in listed)
        assert clinic.table.counts() == {
            "checks": most,
            "up": 0,
            "down": 0,
            "unknown": most,
            "unlisted": most - 200,
            "unlisted_evicted": 100,
            "unlisted_refused": 0,
            "barred": 0,
            "computed": 0,
            "changes": 0,
            "runs": 0,
        }
        # Listed ones do not make room, not even for each other.
        clinic.load(closed(number) for number in range(1000, 1000 + most + 1))
        assert clinic.table.counts()["checks"] == most
        assert clinic.table.counts()["unlisted"] == 0
        clinic.checker.add_unlisted(closed(0), closed(0).key(), ZONE)
        assert clinic.table.counts()["unlisted_refused"] == 1

    play(scene, interval=60, unlisted=1000)


def test_of_those_remembered_the_ones_asked_for_last_are_made_again(tmp_path: Path) -> None:
    file = tmp_path / "health"
    result = Health(UP, 1.0, 0.1, 2.0, 1, UP)
    checks = [closed(number) for number in range(10)]
    health_state.save(file, SavedHealth({one.key(): Known(result, check=one) for one in checks}))

    async def scene(clinic: Clinic) -> None:
        clinic.load([])
        assert [clinic.table.find(one.key()) >= 0 for one in checks] == [False] * 7 + [True] * 3
        # Saved in the order in which they were asked for.
        assert clinic.view.status(checks[7]) is True
        clinic.checker.add_unlisted(closed(20), closed(20).key(), ZONE)
        assert list(clinic.checker.saved().known) == [checks[9].key(), checks[7].key()]

    play(scene, interval=60, unlisted=3, file=file)


def test_a_slot_that_nobody_remembers_is_given_up_before_listed_ones_need_room() -> None:
    async def scene() -> None:
        table = HealthTable(64)
        for number in range(32):
            table.add(bytes((number,)) * 16)
        table.loaded()
        table.words[1] += 5  # what a checker leaves that was killed while it counted
        clinic = Clinic(table=table, interval=60)
        listed = [closed(number) for number in range(32)]
        clinic.load(listed)
        assert all(table.find(check.key()) >= 0 for check in listed)
        assert table.counts()["checks"] == 32
        await clinic.checker.close()

    asyncio.run(scene())


def test_what_is_asked_for_before_the_bundle_is_read_keeps_no_slot_of_others() -> None:
    async def scene() -> None:
        table = HealthTable(64)
        table.add(bytes(16))  # left by a checker that was killed
        table.loaded()
        clinic = Clinic(table=table, interval=60)
        clinic.checker.add_unlisted(closed(1), closed(1).key(), ZONE)
        clinic.load([])
        assert table.in_use() == [closed(1).key()]
        await clinic.checker.close()

    asyncio.run(scene())


@pytest.mark.parametrize("by", ["name", "subnet"])
def test_clients_who_make_up_checks_keep_nobody_out(tmp_path: Path, by: str) -> None:
    sock, port = listening()
    with sock:
        toml = f"{UNHURRIED}unlisted-health-checks = 5\nhealth-check-interval = 1\n"
        project = Project(tmp_path, toml)
        number = (
            "tonumber(tostring(qname):match('^n(%d+)'))"
            if by == "name"
            else "tonumber(ecswho:toString():match('^10%.0%.(%d+)'))"
        )
        text = (
            f'*.made LUA A ";local n={number} return ifportup({port},'
            "{'127.0.1.'..n,'127.0.2.'..n},{backupSelector='all'})\"\n"
            f"up LUA A \"ifportup({port},{{'{LOCAL}','127.0.0.2'}},{{backupSelector='all'}})\"\n"
        )
        project.build({"example.org": text})
        with LiveServer(project) as server:

            def ask(number: int) -> None:
                name = f"n{number if by == 'name' else 0}.made.example.org"
                network = f"10.0.{number}.0/24" if by == "subnet" else "192.0.2.0/24"
                address, _, prefix = network.partition("/")
                subnet = dns.edns.ECSOption(address, int(prefix))
                server.ask(name, use_edns=0, options=[subnet])

            def checker() -> dict[str, int]:
                found: dict[str, int] = server.control("status")["checker"]
                return found

            for one in range(100):
                ask(one)
                assert checker()["unlisted"] <= 5
            server.wait_for(lambda: checker()["unlisted_refused"] > 0)
            assert checker()["unlisted"] == 5
            assert checker()["unlisted_limit"] == 5
            shown = CliRunner().invoke(ctl, ["status", "-c", str(project.config)]).output
            assert re.search(
                r"health +5 checks \(.*\), 5 of at most 5 that no bundle lists \(", shown
            )
            server.wait_for(lambda: server.logged("raise unlisted-health-checks in [lua]"))
            # Those of the next bundle are made, and answers use them.
            listed = [Check(LOCAL, port), Check("127.0.0.2", port)]
            project.build({"example.org": text}, checks=listed, serial=2)
            server.control("reload")
            server.wait_for(lambda: server.answers("up.example.org") == [LOCAL])
            for one in range(100, 200):
                ask(one)
            assert server.answers("up.example.org") == [LOCAL]
            assert checker()["checks"] <= 7


def test_workers_look_anew_some_times_a_second_however_many_come_and_go() -> None:
    async def scene(clinic: Clinic) -> None:
        generations = set()
        for number in range(300):
            clinic.checker.add_unlisted(closed(number), closed(number).key(), ZONE)
            await asyncio.sleep(0)
            generations.add(clinic.table.generation())
        # As often as time allowed meanwhile, and not for each that came or went.
        assert len(generations) < 100
        before = clinic.table.generation()
        clinic.load([closed(1000)])
        await clinic.becomes(closed(1000), False)
        assert clinic.table.generation() > before
        await clinic.becomes(closed(299), False)

    play(scene, interval=60, unlisted=10)

"""What is known of health outlives the server, and operators have the last word."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lzc.cli.ctl import command as ctl
from lzc.health_check import Check
from lzc.serve.health import saved_state as health_state
from lzc.serve.health.forces import force_of, target_of, targets_of, within
from lzc.serve.health.saved_state import Force, Known, SavedHealth
from lzc.serve.ipc.health_table import AUTO, DOWN, DRAIN, UNKNOWN, UP, Health, HealthTable
from lzc.serve.ipc.health_view import TableView
from tests.unit.clinic import LOCAL, full, listening
from tests.unit.live_server import UNHURRIED, LiveServer, Project

CHECK = Check("127.0.0.77", 443)
KEY = CHECK.key()
NOW = 1_800_000_000.0
RESULT = Known(Health(DOWN, 100.0, 0.5, 200.0, 7, DOWN), "timed out", 3)


def test_a_state_is_read_as_it_was_saved_and_is_for_its_owner_alone(tmp_path: Path) -> None:
    file = tmp_path / ".control.health"
    named = Known(Health(UP, 1.0, 0.1, 2.0, 1, UP), check=CHECK)
    state = SavedHealth(
        {KEY: named, bytes(16): RESULT}, {"127.0.0.77": Force("drain", NOW + 60, 60)}
    )
    health_state.save(file, state)
    health_state.save(file, state)
    os.utime(file, (NOW, NOW))
    assert health_state.load(file, NOW + 10) == state
    assert file.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("age", [health_state.FRESH + 1, -health_state.FRESH - 1])
def test_old_results_say_nothing_but_operators_words_still_hold(tmp_path: Path, age: float) -> None:
    file = tmp_path / "health"
    forced = {"127.0.0.77": Force("down"), "192.0.2.2": Force("up", NOW + 1e6, 2e6)}
    health_state.save(file, SavedHealth({KEY: RESULT}, forced))
    os.utime(file, (NOW - age, NOW - age))
    assert health_state.load(file, NOW) == SavedHealth({}, forced)


def test_a_file_of_a_server_from_before_zones_were_kept_is_read(tmp_path: Path) -> None:
    file = tmp_path / "health"
    forced = {"127.0.0.77": Force("down")}
    health_state.save(file, SavedHealth({KEY: RESULT}, forced))
    document = json.loads(file.read_text())
    document["known"] = {key: known[:4] for key, known in document["known"].items()}
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    os.utime(file, (NOW, NOW))
    assert health_state.load(file, NOW) == SavedHealth({KEY: RESULT}, forced)


def test_an_operators_word_expires_and_a_clock_set_back_does_not_prolong_it(
    tmp_path: Path,
) -> None:
    file = tmp_path / "health"
    health_state.save(file, SavedHealth({}, {"127.0.0.77": Force("up", NOW, 60)}))
    assert health_state.load(file, NOW - 1).forced
    assert not health_state.load(file, NOW).forced
    assert Force("up", NOW, 60).remaining(NOW - 1e6) == 60
    assert Force("up").remaining(NOW) is None


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"format":2,"known":{},"forced":{}}',
        b'{"format":1,"known":{"00":[[1,2,3],[1,1,0],"",null,""]},"forced":{}}',
        b'{"format":1,"known":{"%s":[[1,2,3],[9,1,0],"",null,""]},"forced":{}}' % (b"00" * 16),
        b'{"format":1,"known":{"%s":[[1,2,3],[1,1,0],"","{}",""]},"forced":{}}' % (b"00" * 16),
        b'{"format":1,"known":{"%s":[[1,2,3],[1,1e999,0],"",null,""]},"forced":{}}' % (b"00" * 16),
        b'{"format":1,"known":{},"forced":{"127.0.0.77":["sideways",0,0]}}',
        b'{"format":1,"known":{},"forced":{"127.0.0.77":["up",1%s,0]}}' % (b"0" * 400),
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "health"
    file.write_bytes(text)
    file.chmod(0o600)
    assert health_state.load(file, time.time()) == SavedHealth()


def test_a_file_that_others_may_write_or_that_is_a_link_is_not_read(tmp_path: Path) -> None:
    file, link = tmp_path / "health", tmp_path / "link"
    health_state.save(file, SavedHealth({KEY: RESULT}))
    link.symlink_to(file)
    assert health_state.load(link, time.time()) == SavedHealth()
    file.chmod(0o602)
    assert health_state.load(file, time.time()) == SavedHealth()
    assert health_state.load(tmp_path / "missing", time.time()) == SavedHealth()


def test_a_file_of_another_user_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it forces would count, and what it says is checked would be."""
    file = tmp_path / "health"
    state = SavedHealth({KEY: RESULT}, {"127.0.0.77": Force("up")})
    health_state.save(file, state)
    assert health_state.load(file, time.time()) == state
    if os.geteuid():
        monkeypatch.setattr(os, "geteuid", lambda: 4242)
    else:
        os.chown(file, 4242, 4242)
    assert health_state.load(file, time.time()) == SavedHealth()


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("127.0.0.77", "127.0.0.77"),
        (" 2001:DB8::0:1 ", "2001:db8::1"),
        ("127.0.0.77:80", "127.0.0.77:80"),
        ("[2001:db8:0::1]:80", "[2001:db8::1]:80"),
        (KEY.hex(), KEY.hex()),
        (KEY.hex()[:8], KEY.hex()),
    ],
)
def test_a_target_has_one_spelling(text: str, target: str) -> None:
    assert target_of(text, [KEY, bytes(16)]) == target


@pytest.mark.parametrize(
    "text", ["", "www", "127.0.0.77:0", "127.0.0.77:65536", "1.2.3", "abcdef12", "0" * 33, "00000"]
)
def test_what_is_no_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"neither|no check|more than one"):
        target_of(text, [KEY])


def test_an_id_must_not_be_that_of_two_checks() -> None:
    with pytest.raises(ValueError, match="more than one check"):
        target_of("abcdef", [b"\xab\xcd\xef" + bytes(13), b"\xab\xcd\xef" + bytes(12) + b"\1"])


def test_the_narrowest_word_counts() -> None:
    url = Check("2001:db8::1", url="https://www.example.com/")
    assert targets_of(url, url.key())[1:] == ("[2001:db8::1]:443", "2001:db8::1")
    assert targets_of(Check("", url="http://www.example.com/"), KEY) == (KEY.hex(),)
    assert targets_of(Check("", url="http://192.0.2.9:81/"), KEY)[1:] == (
        "192.0.2.9:81",
        "192.0.2.9",
    )
    forced = {"127.0.0.77": Force("down")}
    assert force_of(CHECK, KEY, forced) == Force("down")
    forced["127.0.0.77:443"] = Force("up")
    assert force_of(CHECK, KEY, forced) == Force("up")
    forced[KEY.hex()] = Force("drain")
    assert force_of(CHECK, KEY, forced) == Force("drain")
    assert force_of(Check("192.0.2.11", 443), bytes(16), forced) is None


def test_an_address_contains_its_ports() -> None:
    forced = dict.fromkeys(
        ["127.0.0.77", "127.0.0.77:80", "192.0.2.11", "192.0.2.11:80"], Force("up")
    )
    assert within("127.0.0.77", forced) == ["127.0.0.77", "127.0.0.77:80"]
    assert within("127.0.0.77:80", forced) == ["127.0.0.77:80"]


def test_an_operators_word_is_the_status_until_it_is_taken_back() -> None:
    table = HealthTable(64)
    offset = table.add(KEY)
    view = TableView(table, lambda check, zone: None)
    assert view.status(CHECK) is None
    assert table.force(offset, UP, 10.0)
    assert view.status(CHECK) is True
    assert not table.set(offset, DOWN, 0.1, 20.0)
    assert view.status(CHECK) is True
    assert table.force(offset, DRAIN, 30.0)
    assert view.status(CHECK) is False
    assert not table.set(offset, UP, 0.1, 40.0)
    before = view.generation()
    assert table.force(offset, AUTO, 50.0)
    assert view.status(CHECK) is True
    assert view.generation() != before
    assert table.read(offset) == Health(UP, 50.0, 0.1, 40.0, 1, UP, AUTO, 2)


def test_the_table_is_complete_when_everything_listed_has_a_status() -> None:
    table = HealthTable(64)
    offsets = [table.add(bytes((number,)) * 16) for number in range(4)]
    assert not table.complete()
    table.loaded()
    table.set(offsets[0], UP, 0.1, 1.0)
    table.restore(offsets[1], Health(DOWN, 1.0, 0.1, 2.0, 5, DOWN))
    table.remove(bytes((2,)) * 16)
    assert not table.complete()
    table.force(offsets[3], DOWN, 1.0)
    assert table.complete()
    table.force(offsets[3], AUTO, 2.0)
    assert not table.complete()
    assert table.read(offsets[1]) == Health(DOWN, 1.0, 0.1, 2.0, 5, DOWN, AUTO)
    assert table.read(offsets[3]).status == UNKNOWN


def test_the_table_counts_its_statuses() -> None:
    def counts() -> tuple[int, ...]:
        found = table.counts()
        assert found["checks"] == found["up"] + found["down"] + found["unknown"]
        return found["up"], found["down"], found["unknown"]

    table = HealthTable(64)
    first, second, third = (table.add(bytes((number,)) * 16) for number in range(3))
    assert counts() == (0, 0, 3)
    table.set(first, UP, 0.1, 1.0)
    table.set(second, DOWN, 0.1, 1.0)
    table.force(third, DRAIN, 1.0)
    assert counts() == (1, 2, 0)
    table.set(first, DOWN, 0.1, 2.0)
    table.set(second, UP, 0.1, 2.0)
    table.force(third, AUTO, 2.0)
    assert counts() == (1, 1, 1)
    table.remove(bytes(16))
    assert counts() == (1, 0, 1)
    table.words[9] += 5  # what a checker leaves that was killed while it counted
    table.in_use()
    assert counts() == (1, 0, 1)


def test_a_weight_is_seen_by_workers_and_its_change_too() -> None:
    table = HealthTable(64)
    view = TableView(table, lambda check, zone: None)
    assert view.weight(CHECK) == 1
    offset = table.add(KEY)
    table.set(offset, UP, 0.1, 1.0, 40)
    before = view.generation()
    assert view.weight(CHECK) == 40
    table.set(offset, UP, 0.1, 2.0, 41)
    assert view.weight(CHECK) == 41
    assert view.generation() != before
    table.set(offset, DOWN, 0.1, 3.0)
    assert view.weight(CHECK) == 41


def ctl_health(project: Project, *arguments: str) -> Any:
    run = CliRunner().invoke(ctl, ["health", *arguments, "-c", str(project.config)])
    assert run.exit_code == 0, run.output
    return run.output


def lua_zone(port: int) -> str:
    return f"up LUA A \"ifportup({port},{{'{LOCAL}','127.0.0.2'}},{{backupSelector='all'}})\"\n"


@pytest.mark.difference("D-30")
def test_operators_force_targets_and_the_restarted_server_still_knows(tmp_path: Path) -> None:
    sock, port = listening()
    with sock:
        project = Project(tmp_path, f"{UNHURRIED}health-check-interval = 60\n")
        first, second = Check(LOCAL, port), Check("127.0.0.2", port)
        project.build({"example.org": lua_zone(port)}, checks=[first, second])
        with LiveServer(project) as server:
            server.wait_for(lambda: server.control("health")["checks"][0]["status"] == "up")
            # The second refuses, as the socket listens on the first alone.
            assert server.answers("up.example.org") == [LOCAL]
            out = ctl_health(project, "force", LOCAL, "drain")
            assert out == f"{LOCAL} is forced to drain: 1 check\n"
            out = ctl_health(project, "force", f"127.0.0.2:{port}", "up", "--for", "10m")
            assert out == f"127.0.0.2:{port} is forced to up for 10 min: 1 check\n"
            server.wait_for(lambda: server.answers("up.example.org") == ["127.0.0.2"])
            project.build({"example.org": lua_zone(port)}, checks=[first, second], serial=2)
            assert server.control("reload")["changed"]
            assert server.answers("up.example.org") == ["127.0.0.2"]
            server.wait_for(lambda: server.logged(f"health: {LOCAL} is forced to drain by hand"))
        assert (project.output / ".control.health").stat().st_mode & 0o777 == 0o600
        with LiveServer(project) as server:
            assert server.answers("up.example.org") == ["127.0.0.2"]
            drained, up = ctl_health(project).splitlines()
            assert drained.startswith(f"drained  {first.key().hex()[:8]}  {LOCAL}:{port}, for ")
            assert "by hand (checks find it up)" in drained
            assert up.startswith("up ")
            assert "by hand for another 10 min (checks find it down)" in up
            ctl_health(project, "force", first.key().hex()[:8], "up")
            server.wait_for(lambda: server.answers("up.example.org") == [LOCAL])
            ctl_health(project, "force", first.key().hex()[:8], "up", "--for", "1s")
            server.wait_for(lambda: server.answers("up.example.org") == ["127.0.0.2"])
            out = ctl_health(project, "force", LOCAL, "auto")
            assert out == f"{LOCAL} is left to its checks again: 1 check\n"
            said = f"health: {LOCAL} is left to its checks again, by hand"
            server.wait_for(lambda: server.logged(said))
            ctl_health(project, "force", "127.0.0.2", "auto")
            server.wait_for(lambda: server.answers("up.example.org") == [LOCAL])
            for bad in ({"target": "www"}, {"state": "left"}, {"seconds": -1}, {"seconds": "x"}):
                request = {"target": LOCAL, "state": "up", "seconds": 0, **bad}
                assert not server.control("force", **request)["ok"]  # type: ignore[arg-type]


def test_a_word_about_nothing_holds_for_checks_to_come(tmp_path: Path) -> None:
    project = Project(tmp_path, UNHURRIED)
    project.build({"example.org": ""})
    with LiveServer(project) as server:
        server.wait_for(lambda: server.control("health")["ok"])
        forced = ctl_health(project, "force", "127.0.0.77", "up", "--anyway")
        assert "no check at present" in forced
        project.build({"example.org": ""}, checks=[CHECK], serial=2)
        server.control("reload")
        server.wait_for(lambda: server.control("health")["checks"])
        answer = json.loads(ctl_health(project, "--format", "json"))
        assert [one["status"] for one in answer["checks"]] == ["up"]
        assert answer["checks"][0]["forced"] == "up"


@pytest.mark.parametrize("bad", ["", "0s", "10y", "367d", "-5m", "m"])
def test_a_time_that_is_none_is_a_fault_of_usage(bad: str) -> None:
    arguments = ["health", "force", "127.0.0.77", "up", f"--for={bad}"]
    assert CliRunner().invoke(ctl, arguments).exit_code == 2


def test_what_is_taken_back_is_taken_back_for_good() -> None:
    arguments = ["health", "force", "127.0.0.77", "auto", "--for=5m"]
    run = CliRunner().invoke(ctl, arguments)
    assert run.exit_code == 2
    assert "leave --for out" in run.output


def served_first(tmp_path: Path, grace: float, port: int) -> list[str]:
    project = Project(
        tmp_path,
        f"{UNHURRIED}[serve]\nhealth-grace = {grace}\n",
    )
    checks = [Check(LOCAL, port), Check("127.0.0.2", port)]
    project.build({"example.org": lua_zone(port)}, checks=checks)
    with LiveServer(project) as server:
        return server.answers("up.example.org")


def test_the_first_answer_uses_results_that_come_within_the_grace(tmp_path: Path) -> None:
    sock, port = listening()
    with sock:
        assert served_first(tmp_path, 60, port) == [LOCAL]


def test_results_that_do_not_come_within_the_grace_are_not_waited_for(tmp_path: Path) -> None:
    socks, port = full()
    assert served_first(tmp_path, 0.1, port) == [LOCAL, "127.0.0.2"]
    for sock in socks:
        sock.close()


def refused(project: Project, *arguments: str) -> str:
    run = CliRunner().invoke(ctl, ["health", "force", *arguments, "-c", str(project.config)])
    assert run.exit_code == 1
    assert not run.stdout
    return run.stderr


def test_a_word_about_what_no_check_looks_at_is_refused_and_names_what_is_near(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path, UNHURRIED)
    checks = [CHECK, Check("127.0.0.77", 80), Check("127.0.0.78", 443), Check("127.1.2.3", 1)]
    project.build({"example.org": ""}, checks=checks)
    with LiveServer(project) as server:
        server.wait_for(lambda: len(server.control("health")["checks"]) == 4)
        said = refused(project, "127.0.0.77:444", "down")
        assert "no check looks at 127.0.0.77:444; there are: 127.0.0.77, 127.0.0.77:443," in said
        assert "--anyway" in said
        assert "127.0.0.78" in refused(project, "127.0.0.87", "drain")
        # Taken back where nothing is: that one may still be forced whose name was meant.
        assert "no check looks at" in refused(project, "127.0.0.79", "auto")
        assert "0 checks" not in ctl_health(project, "force", "127.0.0.77", "auto")
        ctl_health(project, "force", "127.0.0.79", "up", "--anyway")
        ctl_health(project, "force", "127.0.0.79", "auto")
        assert {one["forced"] for one in server.control("health")["checks"]} == {None}


def test_a_word_that_cannot_be_kept_counts_and_is_no_success(tmp_path: Path) -> None:
    project = Project(tmp_path, UNHURRIED)
    project.build({"example.org": ""}, checks=[CHECK])
    fresh = project.output / ".control.health.new"
    fresh.mkdir()
    with LiveServer(project) as server:
        server.wait_for(lambda: server.control("health")["checks"])
        said = refused(project, "127.0.0.77", "up")
        assert "127.0.0.77 is up now, but the server will have forgotten that" in said
        assert str(fresh) in said
        assert server.control("health")["checks"][0]["status"] == "up"
        assert str(fresh) in server.control("status")["checker"]["unsaved"]
        status = CliRunner().invoke(ctl, ["status", "-c", str(project.config)]).stdout
        assert "NOT SAVED   health, and what is forced: " in status
        told = [line for line in server.log if "cannot be saved" in line]
        assert len(told) == 1
        assert "Traceback" not in told[0] and ".py" not in told[0]
        fresh.rmdir()
        assert "is forced to drain" in ctl_health(project, "force", "127.0.0.77", "drain")
        assert server.control("status")["checker"]["unsaved"] == ""

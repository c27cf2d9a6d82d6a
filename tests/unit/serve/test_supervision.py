"""Processes that die, hang or cannot start."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest

from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.supervise.worker_process import SHORT_LIFE, WorkerProcess
from tests.patience import PATIENCE
from tests.unit import lzc_process
from tests.unit.live_server import UNHURRIED, LiveServer, Project, query_wire, udp_socket

# No limit ends this, as `project` has none: it stands for what a limit does not know of.
ENDLESS = ";while true do end"

ZONE = f"""\
www A 192.0.2.1
stuck LUA TXT "{ENDLESS}"
fine LUA A "'192.0.2.7'"
"""

HASTY = """
from lzc.serve.supervise.worker_process import WorkerProcess

as_before = WorkerProcess.without_progress

def without_progress(worker, now):
    running = worker.slot.running_lua()
    return as_before(worker, now) if running is not None and b"stuck" in running[1] else 0.0

WorkerProcess.without_progress = without_progress
"""
"""Has a watchdog look at workers only that are stuck: it need not wait for those that are slow."""
AT_ONCE = 0.2
"""Seconds of such a watchdog."""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path, f"{UNHURRIED}exec-limit = 0\n")
    made.build({"example.org": ZONE})
    return made


@pytest.fixture
def server(project: Project) -> Iterator[LiveServer]:
    with LiveServer(project, watchdog=1.5) as running:
        yield running


def worker(server: LiveServer) -> dict[str, int]:
    found: dict[str, int] = server.control("status")["workers"][0]
    return found


def replaced(server: LiveServer, pid: int) -> bool:
    now = worker(server)
    return bool(now["ready"]) and now["pid"] != pid


def test_a_killed_worker_is_replaced_and_queries_meanwhile_are_answered(
    server: LiveServer,
) -> None:
    pid = worker(server)["pid"]
    os.kill(pid, signal.SIGSTOP)
    with udp_socket(server.port) as sock:
        for ident in range(20):
            sock.send(query_wire("www.example.org", ident=ident))
        os.kill(pid, signal.SIGKILL)
        assert {sock.recv(512)[1] for _ in range(20)} == set(range(20))
    server.wait_for(lambda: replaced(server, pid))
    assert worker(server)["restarts"] == 1


def test_a_worker_that_does_not_respond_is_replaced(server: LiveServer) -> None:
    pid = worker(server)["pid"]
    os.kill(pid, signal.SIGSTOP)
    server.wait_for(lambda: replaced(server, pid))
    assert server.logged("did not respond")
    assert server.answers("www.example.org") == ["192.0.2.1"]


@pytest.fixture
def hasty(project: Project) -> Iterator[LiveServer]:
    with LiveServer(project, watchdog=AT_ONCE, inject=HASTY) as running:
        yield running


def test_a_record_that_hangs_a_worker_is_quarantined_until_the_next_bundle(
    hasty: LiveServer,
) -> None:
    server, pid = hasty, worker(hasty)["pid"]
    with udp_socket(server.port) as sock:
        sock.send(query_wire("stuck.example.org", "TXT"))
        server.wait_for(lambda: replaced(server, pid))
    assert server.logged("busy with stuck.example.org. TXT")
    assert server.logged("QUARANTINE: the LUA record that answers stuck.example.org.")
    assert server.ask("stuck.example.org", "TXT").rcode() == dns.rcode.SERVFAIL
    assert server.answers("fine.example.org") == ["192.0.2.7"]
    assert [one["name"] for one in server.control("status")["quarantine"]] == ["stuck.example.org."]

    server.project.build({"example.org": ZONE.replace(ENDLESS, "'well'")}, serial=2)
    assert server.control("reload")["ok"]
    assert server.answers("stuck.example.org", "TXT") == ['"well"']
    assert server.control("status")["quarantine"] == []


ASK_AGAIN = 0.4
"""Seconds; a late answer is followed by another."""


def answers_in_time(server: LiveServer, name: str) -> list[str]:
    """What a resolver gets, which asks again when no answer comes: a worker that is killed may have
    taken a query with it."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        asked = dns.message.make_query(name, "A")
        try:
            reply = dns.query.udp(asked, "127.0.0.1", timeout=ASK_AGAIN, port=server.port)
        except dns.exception.Timeout:
            continue
        return [str(rdata) for rrset in reply.answer for rdata in rrset]
    return []


@pytest.mark.parametrize("workers", [1, 2])
def test_while_a_record_hangs_other_names_wait_for_a_new_worker_at_most(
    project: Project, workers: int
) -> None:
    with LiveServer(project, workers=workers, watchdog=AT_ONCE, inject=HASTY) as server:
        assert server.answers("fine.example.org") == ["192.0.2.7"]
        with udp_socket(server.port) as stuck:
            stuck.send(query_wire("stuck.example.org", "TXT"))
            # Each from a port of its own, so that the kernel spreads them over the workers.
            for number in range(8):
                name, expected = [("fine", "192.0.2.7"), ("www", "192.0.2.1")][number % 2]
                assert answers_in_time(server, f"{name}.example.org") == [expected]
            server.wait_for(lambda: server.logged("QUARANTINE: the LUA record that answers stuck"))
        status = server.control("status")
        assert sum(one["restarts"] for one in status["workers"]) == 1
        assert [one["name"] for one in status["quarantine"]] == ["stuck.example.org."]
        for _ in range(8):
            assert server.ask("stuck.example.org", "TXT").rcode() == dns.rcode.SERVFAIL
            assert server.answers("fine.example.org") == ["192.0.2.7"]
        totals = server.control("status")["totals"]
        server.wait_for(lambda: server.control("status")["totals"]["lua_quarantine"] >= 8)
        assert totals["lua_time"] == totals["lua_instructions"] == 0


HOSTILE = """\
known LUA A ";return os.time() > 0 and '192.0.2.8'"
late LUA A ";return os.time() > 1 and '192.0.2.9'"
picked LUA A "pickrandom({'192.0.2.10'})"
plain A 192.0.2.11
"""
STUCK = [f"stuck{number}" for number in range(10)]


@pytest.mark.parametrize("workers", [1, 2])
def test_where_code_of_a_zone_hangs_a_worker_its_code_that_never_ended_is_held_back(
    project: Project, workers: int
) -> None:
    endless = "".join(
        f'{name} LUA TXT ";local n = {number} while true do end"\n'
        for number, name in enumerate(STUCK)
    )
    other = "new LUA A \";return os.time() > 2 and '192.0.2.12'\"\n"
    project.build({"hostile.example": HOSTILE + endless, "example.org": other})
    with LiveServer(project, workers=workers, watchdog=AT_ONCE, inject=HASTY) as server:
        assert server.answers("known.hostile.example") == ["192.0.2.8"]
        with udp_socket(server.port) as stuck:
            stuck.send(query_wire("stuck0.hostile.example", "TXT"))
            server.wait_for(lambda: server.logged("QUARANTINE"))
        server.wait_for(lambda: all(one["ready"] for one in server.control("status")["workers"]))
        for _ in range(4):
            # Each from a port of its own, so that the kernel spreads them over the workers.
            for name, kind in [*((name, "TXT") for name in STUCK), ("late", "A")]:
                reply = server.ask(f"{name}.hostile.example", kind)
                assert reply.rcode() == dns.rcode.SERVFAIL
            assert server.answers("known.hostile.example") == ["192.0.2.8"]
            assert server.answers("picked.hostile.example") == ["192.0.2.10"]
            assert server.answers("plain.hostile.example") == ["192.0.2.11"]
            assert server.answers("new.example.org") == ["192.0.2.12"]
        server.wait_for(lambda: server.control("status")["totals"]["lua_held"] == 40)
        status = server.control("status")
        assert status["held_zones"] == ["hostile.example."]
        assert [one["name"] for one in status["quarantine"]] == ["stuck0.hostile.example."]
        assert sum(one["restarts"] for one in status["workers"]) == 1
        said = [line for line in server.log if "QUARANTINE" in line]
        assert len(said) == 1
        assert "all code of zone hostile.example. that never ran to its end" in said[0]
        project.build({"hostile.example": HOSTILE, "example.org": other}, serial=2)
        assert server.control("reload")["ok"]
        assert server.answers("late.hostile.example") == ["192.0.2.9"]
        assert server.control("status")["held_zones"] == []


LIMITED = """\
endless LUA TXT ";while true do end"
large LUA TXT ";local t = {} for i = 1, 400 do t[i] = ('x'):rep(1e6) .. i end"
slow LUA TXT ";local s = ('a'):rep(2^19) return (s..s):find(s..'b', 1, true)"
fine LUA A "'192.0.2.7'"
"""


def test_each_limit_is_counted_and_logged_once_with_the_name_of_the_record(tmp_path: Path) -> None:
    # Little memory, so that it is full long before the time is over.
    project = Project(tmp_path, "[lua]\nenable = true\nmemory-limit = 8388608\n")
    project.build({"example.org": LIMITED})
    with LiveServer(project) as server:
        for _ in range(3):
            for name in ("endless", "large", "slow"):
                assert server.ask(f"{name}.example.org", "TXT").rcode() == dns.rcode.SERVFAIL
                assert server.answers("fine.example.org") == ["192.0.2.7"]
        totals = server.wait_for(
            lambda: (now := server.control("status")["totals"])["lua_errors"] == 9 and now
        )
        assert totals["lua_instructions"] == 3
        assert totals["lua_memory"] >= 1
        assert totals["lua_time"] >= 1
        assert totals["lua_memory"] + totals["lua_time"] + totals["lua_quarantine"] == 6
        for name, why in [("endless", "instructions"), ("large", "memory"), ("slow", "time")]:
            lines = [line for line in server.log if f"SERVFAIL for {name}.example.org." in line]
            assert len(lines) == 1
            assert f"{why}: " in lines[0]
        assert worker(server)["restarts"] == 0


def test_a_killed_health_checker_is_replaced(project: Project) -> None:
    soon = "from lzc.serve.supervise import checker_process\nchecker_process.PAUSE = 0.05"
    with LiveServer(project, inject=soon) as server:
        pid = server.control("status")["checker"]["pid"]
        os.kill(pid, signal.SIGKILL)
        server.wait_for(lambda: server.control("status")["checker"]["pid"] not in (0, pid))
        assert server.control("health")["ok"]


def test_when_the_supervisor_is_killed_its_children_end(project: Project) -> None:
    with LiveServer(project) as server:
        status = server.control("status")
        pids = [status["workers"][0]["pid"], status["checker"]["pid"]]
        server.stop(signal.SIGKILL)
        server.wait_for(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_in_order(project: Project, number: int) -> None:
    with LiveServer(project) as server:
        pids = [one["pid"] for one in server.control("status")["workers"]]
        assert server.stop(number) == 0
    assert not (project.output / "control.sock").exists()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)


def serve(project: Project, *options: str) -> subprocess.CompletedProcess[str]:
    return lzc_process.ended("serve", "-c", str(project.config), *options)


@pytest.mark.parametrize("kind", [socket.SOCK_DGRAM, socket.SOCK_STREAM])
def test_a_port_in_use_is_said(project: Project, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as taken:
        # As another lzc would, which the kernel would let share the port.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        taken.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        endpoint = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = serve(project, "--listen", endpoint)
    assert ended.returncode == 1
    assert f"cannot listen on {endpoint}: Address already in use" in ended.stderr


def test_no_bundle_is_said(tmp_path: Path) -> None:
    ended = serve(Project(tmp_path), "--listen", "127.0.0.1:0")
    assert ended.returncode == 1
    assert "lzc build" in ended.stderr


def test_all_that_keeps_a_server_from_starting_is_said_at_once(tmp_path: Path) -> None:
    project = Project(
        tmp_path,
        '[tsig."a."]\nsecret-file = "a.tsig"\n[tsig."b."]\nsecret-file = "b.tsig"\n'
        '[serve]\ncookie-secret-file = "cookie"\ngeoip = ["geo.mmdb"]\n',
    )
    (tmp_path / "b.tsig").touch(0o600)
    ended = serve(project, "--listen", "127.0.0.1:0")
    assert ended.returncode == 1
    for rule in ("no-bundle", "tsig-secret-unreadable", "tsig-secret", "cookie-secret-unreadable"):
        assert ended.stderr.count(f"[{rule}]") == 1
    assert ended.stderr.endswith("lzc: 5 error(s), 0 warning(s)\n")


def test_a_second_server_of_the_same_project_is_refused(server: LiveServer) -> None:
    ended = serve(server.project, "--listen", "127.0.0.1:0")
    assert ended.returncode == 1
    assert "another lzc serve is running here" in ended.stderr


def test_a_wrong_listen_address_is_wrong_usage(project: Project) -> None:
    assert serve(project, "--listen", "localhost:53").returncode == 2


def test_a_worker_that_keeps_dying_is_restarted_ever_later() -> None:
    place = WorkerProcess(0, Scoreboard(1).slot(0))
    place.started = time.monotonic()
    pauses = [place.pause() for _ in range(9)]
    assert pauses == [0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
    place.started = time.monotonic() - SHORT_LIFE - 1
    assert place.pause() == 0.0

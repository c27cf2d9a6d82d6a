"""A server that is killed leaves nothing behind that keeps the next one from starting, or that adds
up."""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import dns.message
import pytest

from lzc import contained, private_folder
from lzc.bundle import verification
from lzc.private_folder import LOCK
from lzc.serve.supervise import control
from lzc.serve.supervise.source import Source
from tests.patience import PATIENCE, SOON
from tests.unit.live_server import UNHURRIED, LiveServer, Project

LONG = "".join(f'n{number} TXT "{"x" * 200}"\n' for number in range(20_000))
OPEN = """\
[serve]
tsig-required = false
[[secondary]]
name = "ns2"
address = "127.0.0.1:9"
software = "powerdns-5.1"
notify = false
"""
KILLED_WHEN_READY = """
import os, signal
from lzc.serve.supervise.supervisor import Supervisor
say = Supervisor._say_ready
def say_and_be_killed(self):
    say(self)
    os.kill(os.getpid(), signal.SIGKILL)
Supervisor._say_ready = say_and_be_killed
"""
KILLED_AT_STOP = """
import asyncio, os, signal
from lzc.serve.health.checker import Checker
from lzc.serve.supervise.checker_process import CheckerProcess
supervisor, close, stop = os.getpid(), Checker.close, CheckerProcess.stop
async def close_late(self):
    while os.getppid() == supervisor:
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.02)
    await close(self)
def stop_and_be_killed(self):
    stop(self)
    os.kill(os.getpid(), signal.SIGKILL)
Checker.close, CheckerProcess.stop = close_late, stop_and_be_killed
"""
STUCK = 'stuck LUA TXT ";while true do end"\n'


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def runs(pid: int) -> bool:
    """Whether a process is there, and not only its exit code."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def not_reading(port: int) -> socket.socket:
    """A client that asks for a zone and takes nothing of it but the first octets."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", port))
    wire = dns.message.make_query("example.org", "AXFR").to_wire()
    sock.sendall(len(wire).to_bytes(2, "big") + wire)
    assert sock.recv(1)
    return sock


@pytest.mark.parametrize("busy", ["transfer", "endless", "stopped"])
def test_the_next_server_starts_whatever_the_workers_were_at(
    tmp_path: Path, temporary: Path, busy: str
) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project", f"{UNHURRIED}exec-limit = 0\n{OPEN}")
    project.build({"example.org": LONG + STUCK})
    with LiveServer(project, watchdog=PATIENCE) as server:
        port, pids = server.port, [one["pid"] for one in server.control("status")["workers"]]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        if busy == "transfer":
            sock = not_reading(port)
        elif busy == "endless":
            sock.sendto(
                dns.message.make_query("stuck.example.org", "TXT").to_wire(), ("127.0.0.1", port)
            )
            slow = Path(f"/proc/{pids[0]}/stat")
            server.wait_for(lambda: int(slow.read_text().split()[13]) > 100)
        else:
            os.kill(pids[0], signal.SIGSTOP)
        with sock:
            server.stop(signal.SIGKILL)
            with LiveServer(project, listen=[f"127.0.0.1:{port}"]) as after:
                assert after.answers("n1.example.org", "TXT")
                assert not any(map(runs, pids))


@pytest.mark.parametrize("busy", ["transfer", "endless", "stopped", "checker"])
def test_whatever_its_processes_are_at_a_server_stops_long_before_they_are_given_up(
    tmp_path: Path, busy: str
) -> None:
    project = Project(tmp_path, f"{UNHURRIED}exec-limit = 0\n{OPEN}")
    project.build({"example.org": LONG + STUCK})
    with LiveServer(project, watchdog=PATIENCE) as server, contextlib.ExitStack() as stack:
        status = server.control("status")
        pid = status["workers"][0]["pid"]
        if busy == "transfer":
            stack.enter_context(not_reading(server.port))
        elif busy == "endless":
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                query = dns.message.make_query("stuck.example.org", "TXT").to_wire()
                sock.sendto(query, ("127.0.0.1", server.port))
            slow = Path(f"/proc/{pid}/stat")
            server.wait_for(lambda: int(slow.read_text().split()[13]) > 100)
        else:
            os.kill(status["checker"]["pid"] if busy == "checker" else pid, signal.SIGSTOP)
        assert server.stop() == 0
        # That is what is said when they had to be given up, after STOP_LIMIT.
        assert not server.logged("does not stop: killing it")


def test_a_server_that_is_killed_leaves_no_copies_of_geo_databases(
    tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project) as server:
        assert [one.name[:10] for one in temporary.iterdir()] == ["lzc-serve-"]
        server.stop(signal.SIGKILL)
        server.wait_for(lambda: not list(temporary.iterdir()))


def test_nor_does_one_that_is_killed_as_soon_as_it_says_that_it_serves(
    tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project, inject=KILLED_WHEN_READY) as server:
        assert server.process.wait(PATIENCE) == -signal.SIGKILL
        server.wait_for(lambda: not list(temporary.iterdir()))


def test_nor_one_that_is_killed_while_its_checker_stops(tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project, inject=KILLED_AT_STOP) as server:
        assert server.stop() == -signal.SIGKILL
        server.wait_for(lambda: not list(temporary.iterdir()))


def test_a_process_that_is_left_of_it_keeps_nothing_from_being_removed(
    tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.build({"example.org": "www A 192.0.2.1\n"})
    with LiveServer(project) as server:
        checker = server.control("status")["checker"]["pid"]
        os.kill(checker, signal.SIGSTOP)
        try:
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait(PATIENCE)
            (left,) = temporary.iterdir()
            with LiveServer(project):
                assert runs(checker)
                assert not left.exists()
        finally:
            os.kill(checker, signal.SIGKILL)
    assert not list(temporary.iterdir())


def test_nor_do_they_add_up_where_all_its_processes_are_killed(
    tmp_path: Path, temporary: Path
) -> None:
    (tmp_path / "project").mkdir()
    project = Project(tmp_path / "project")
    project.build({"example.org": "www A 192.0.2.1\n"})
    for _ in range(3):
        with LiveServer(project) as server:
            checker = server.control("status")["checker"]["pid"]
            os.kill(checker, signal.SIGSTOP)
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait(PATIENCE)
            os.kill(checker, signal.SIGKILL)
            while runs(checker):
                time.sleep(SOON)
        assert len(list(temporary.iterdir())) == 1
    with LiveServer(project):
        assert len(list(temporary.iterdir())) == 1
    assert not list(temporary.iterdir())


def test_only_folders_of_ours_whose_process_is_gone_are_removed(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    others = temporary / "lzc-others"
    others.mkdir()
    link = temporary / "lzc-link"
    target = tmp_path / "target"
    target.mkdir()
    (target / LOCK).touch()
    link.symlink_to(target)
    abandoned = temporary / "lzc-serve-abandoned"
    abandoned.mkdir()
    (abandoned / LOCK).touch()
    (abandoned / "geo-0.mmdb").write_bytes(b"x")
    odd = temporary / "lzc-serve-odd"
    odd.mkdir()
    (odd / LOCK).symlink_to(target / LOCK)
    with private_folder.private_folder("test") as first:
        with private_folder.private_folder("test") as second:
            assert first.is_dir() and second.is_dir()
            assert first.stat().st_mode & 0o777 == 0o700
        assert not second.exists()
        assert not abandoned.exists()
        assert others.exists() and link.exists() and odd.exists() and (target / LOCK).exists()
    assert not first.exists()


def test_a_folder_whose_removal_is_cut_short_is_known_to_be_abandoned(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    folder = temporary / "lzc-serve-abandoned"

    def removing(steps: int) -> int:
        """In a child that is gone before it has removed one more than so many entries."""
        done = 0

        def hook(event: str, _arguments: object) -> None:
            nonlocal done
            if event in ("os.remove", "os.rmdir"):
                if done == steps:
                    os._exit(1)
                done += 1

        sys.addaudithook(hook)
        private_folder.remove(folder)
        return 0

    for steps in itertools.count():
        (folder / "stamps").mkdir(parents=True, exist_ok=True)
        for name in (LOCK, "geo-0.mmdb", "stamps/one"):
            (folder / name).touch()
        child = contained.fork(functools.partial(removing, steps))
        whole = os.waitpid(child, 0)[1] == 0
        # At the very end it is empty.
        assert whole or (folder / LOCK).exists() or not list(folder.iterdir())
        private_folder.remove_abandoned()
        assert not whole or not folder.exists()
        if whole:
            break
        assert not folder.exists() or not list(folder.iterdir())
    assert steps == 5


def test_a_folder_of_a_process_that_was_killed_before_it_made_the_lock_is_removed(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    for name in ("lzc-serve-old_0123", "lzc-serve-new_0123", "lzc-others", "lzc-demo-kept0123"):
        (temporary / name).mkdir()
    (temporary / "lzc-demo-kept0123" / "lzc.toml").touch()
    for one in temporary.iterdir():
        if one.name != "lzc-serve-new_0123":
            os.utime(one, (0, 0))
    private_folder.remove_abandoned()
    left = {one.name for one in temporary.iterdir()}
    assert left == {"lzc-serve-new_0123", "lzc-others", "lzc-demo-kept0123"}


def test_a_folder_that_is_removed_before_it_has_a_lock_is_made_anew(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    make = tempfile.mkdtemp
    removed: list[str] = []

    def made_and_removed(prefix: str) -> str:
        path = make(prefix=prefix)
        if not removed:
            Path(path).rmdir()
            removed.append(path)
        return path

    monkeypatch.setattr("tempfile.mkdtemp", made_and_removed)
    with private_folder.private_folder("test") as folder:
        assert removed and [*temporary.iterdir()] == [folder]


def test_who_remembers_a_verification_makes_no_folder_that_was_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    folder = tmp_path / "lzc-serve-killed"
    folder.mkdir()
    stamps = Source.at(tmp_path, folder).stamps
    verification.write_stamp(stamps, "one", {})
    private_folder.remove(folder)
    with pytest.raises(OSError):
        verification.write_stamp(stamps, "another", {})
    assert not folder.exists()


def test_a_demo_that_is_killed_ends_its_server(tmp_path: Path, temporary: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "lzc", "demo"], stdout=subprocess.PIPE, text=True
    ) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if line.startswith("Questions"):
                break
        # It ends by itself, and its server with it, maybe before that one takes commands.
        demo.send_signal(signal.SIGSTOP)
        (folder,) = temporary.glob("lzc-demo-*")
        socket_of_server = folder / "build" / "control.sock"
        while not socket_of_server.exists():
            time.sleep(SOON)
        pid = control.ask(socket_of_server, "status")["pid"]
        demo.kill()
    end = time.monotonic() + PATIENCE
    while runs(pid):
        assert time.monotonic() < end
        time.sleep(SOON)


def test_a_socket_that_is_asked_by_too_many_at_once_is_not_taken_for_a_dead_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "control.sock"
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(path))
        assert control.left_behind(path)
        listener.listen(0)
        first.connect(str(path))
        assert control.occupied(path)
        assert not control.left_behind(path)

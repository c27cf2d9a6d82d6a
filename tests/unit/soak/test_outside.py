"""The run that sees what tests send to anywhere but loopback: it tells what was sent, and by
which test."""

from __future__ import annotations

import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from tests.away import NOT_ALLOWED, Sent, told
from tests.patience import PATIENCE
from tests.soak.outside import BEFORE, report
from tests.unit.own_network import moved_to_own_network, own_network

ROOT = Path(__file__).resolve().parents[3]

ON_LOOPBACK = """
import socket, subprocess, sys

def send(address, kind=socket.SOCK_DGRAM):
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, kind) as sock:
        sock.setblocking(False)
        sock.connect_ex(address)
        if kind == socket.SOCK_DGRAM:
            sock.send(b"x")

def test_on_loopback():
    for address in ("127.0.0.1", "127.9.9.9", "::1"):
        send((address, 53))
        send((address, 53), socket.SOCK_STREAM)
"""
OUTSIDE = """
def test_v4():
    send(("192.0.2.1", 5300))
    send(("192.0.2.1", 5300))

def test_v6_over_tcp():
    send(("2001:db8::53", 853), socket.SOCK_STREAM)

def test_quiet():
    pass

def test_by_another_process():
    code = "import socket; socket.socket(type=socket.SOCK_DGRAM).sendto(b'', ('203.0.113.9', 7))"
    subprocess.run([sys.executable, "-c", code], check=True)
"""


def run(folder: Path, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the tests in a text."""
    (folder / "test_x.py").write_text(text)
    return outside(f"--rootdir={folder}", str(folder / "test_x.py"), **environment)


def outside(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.soak", "outside", *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_what_stays_on_loopback_is_fine(tmp_path: Path) -> None:
    own_network()
    ended = run(tmp_path, ON_LOOPBACK)
    assert "1 passed" in ended.stdout, ended.stdout + ended.stderr
    assert ended.stdout.endswith("\nnothing was sent to anywhere but loopback\n")
    assert ended.returncode == 0


def test_what_leaves_loopback_is_told_with_its_test(tmp_path: Path) -> None:
    own_network()
    ended = run(tmp_path, ON_LOOPBACK + OUTSIDE)
    assert "5 passed" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == 1
    assert [line for line in ended.stdout.splitlines() if line.startswith("SENT")] == [
        "SENT OUTSIDE OF LOOPBACK: UDP 192.0.2.1:5300, 2 packet(s), while test_x.py::test_v4 ran",
        "SENT OUTSIDE OF LOOPBACK: TCP [2001:db8::53]:853, 1 packet(s), "
        "while test_x.py::test_v6_over_tcp ran",
        "SENT OUTSIDE OF LOOPBACK: UDP 203.0.113.9:7, 1 packet(s), "
        "while test_x.py::test_by_another_process ran",
    ]


def test_the_exit_code_of_pytest_is_kept(tmp_path: Path) -> None:
    own_network()
    assert run(tmp_path, "").returncode == pytest.ExitCode.NO_TESTS_COLLECTED


def test_a_run_that_is_killed_is_no_success(tmp_path: Path) -> None:
    own_network()
    ended = run(tmp_path, "import os\n\ndef test_killing():\n    os.kill(os.getpid(), 9)\n")
    assert "pytest was ended by signal 9" in ended.stdout
    assert "nothing was sent" not in ended.stdout
    assert ended.returncode == 1


def test_pytest_has_the_settings_it_has_without() -> None:
    own_network()
    ended = outside("--collect-only", "--quiet")
    assert "\ntests/unit/soak/test_outside.py: " in ended.stdout, ended.stdout + ended.stderr
    assert "\ntests/peers/" in ended.stdout
    assert ended.returncode == 0


@pytest.mark.parametrize(
    ("ci", "code", "passed"), [("true", 1, False), ("", 0, True)], ids=["in CI", "elsewhere"]
)
def test_where_no_network_is_to_be_had_it_says_so(
    tmp_path: Path, ci: str, code: int, passed: bool
) -> None:
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "unshare").write_text("#!/bin/sh\nexit 1\n")
    (programs / "unshare").chmod(0o755)
    ended = run(tmp_path, ON_LOOPBACK, PATH=f"{programs}:{os.environ['PATH']}", CI=ci)
    assert NOT_ALLOWED in ended.stderr
    assert (ended.returncode, "1 passed" in ended.stdout) == (code, passed), ended.stdout


@pytest.mark.parametrize(
    ("ci", "runner"),
    [("true", "-m tests.soak outside"), ("", "-m pytest")],
    ids=["CI", "elsewhere"],
)
def test_every_run_in_ci_sees_what_leaves(tmp_path: Path, ci: str, runner: str) -> None:
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "tests" / "run", tmp_path / "tests")
    for name, text in {
        ".ci/install": "#!/bin/sh\n",
        ".ci/debian": "#!/bin/sh\n",
        ".venv/bin/python": '#!/bin/sh\necho "$*"\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    ended = subprocess.run(
        [tmp_path / "tests" / "run", "-k", "some name"],
        env=os.environ | {"CI": ci},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.stdout == f"{runner} -k some name\n", ended.stderr


def test_a_packet_is_of_the_test_that_began_last_before_it() -> None:
    sent = [Sent("A", 5), Sent("A", 10), Sent("B", 19), Sent("A", 19), Sent("A", 20)]
    assert report(sent, ["10 x.py::test_one[a b]", "20 x.py::test_two"]) == [
        f"SENT OUTSIDE OF LOOPBACK: A, 1 packet(s), {BEFORE}",
        "SENT OUTSIDE OF LOOPBACK: A, 2 packet(s), while x.py::test_one[a b] ran",
        "SENT OUTSIDE OF LOOPBACK: B, 1 packet(s), while x.py::test_one[a b] ran",
        "SENT OUTSIDE OF LOOPBACK: A, 1 packet(s), while x.py::test_two ran",
    ]
    assert report([], ["10 x.py::test_one"]) == []


def of_ipv6(protocol: int, rest: bytes) -> bytes:
    return struct.pack("!IHBB16s15xB", 6 << 28, len(rest), protocol, 1, b"", 1) + rest


def test_only_what_the_kernel_sends_of_itself_is_not_told() -> None:
    echo, solicitation, report_of_groups = (bytes([kind, *bytes(7)]) for kind in (128, 133, 143))
    router_alert = bytes([58, 0, 5, 2, 0, 0, 1, 0])
    assert told(of_ipv6(58, solicitation)) is None
    assert told(of_ipv6(0, router_alert + report_of_groups)) is None
    assert told(of_ipv6(58, echo)) == "ICMPv6 ::1"
    assert told(of_ipv6(132, bytes(12))) == "protocol 132 of IP ::1"
    v4 = struct.pack("!B8xB6x4s", 0x45, 1, bytes([192, 0, 2, 7])) + bytes(8)
    assert told(v4) == "ICMP 192.0.2.7"
    assert told(b"\x00\x01\x08\x00") == "a packet that is not of IP: 00010800"


def test_a_thread_moves_to_a_network_with_loopback_alone_and_back() -> None:
    before = os.readlink("/proc/thread-self/ns/net")
    with moved_to_own_network(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        assert os.readlink("/proc/thread-self/ns/net") != before
        sock.bind(("127.0.0.1", 0))
        sock.sendto(b"x", sock.getsockname())
        assert sock.recv(1) == b"x"
        with pytest.raises(OSError, match="unreachable"):
            sock.sendto(b"x", ("192.0.2.1", 9))
    assert os.readlink("/proc/thread-self/ns/net") == before

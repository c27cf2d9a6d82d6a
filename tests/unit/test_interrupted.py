"""Ctrl-C ends every command with 130 and a line, at whatever moment it comes; so does a reader that
goes, or a full disk, without a word too many."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import PATIENCE
from tests.unit.command_line import HEAD, build_project

INTERRUPT_AT = """
import os, signal, sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    left = int(sys.argv.pop(1))
    def find_spec(self, name, path, target=None):
        self.left -= 1
        if self.left == 0:
            os.killpg(0, signal.SIGINT)
        return None

signal.signal(signal.SIGINT, signal.default_int_handler)
from lzc.__main__ import main
sys.meta_path.insert(0, Interrupting())
main()
"""
"""Ctrl-C comes with so many imports: each command imports as it goes. It is not ignored, even where
the tests run in the background of a script, whose commands ignore it."""

COMMANDS = [
    ["build"],
    ["check"],
    ["verify"],
    ["verify", "--dnssec"],
    ["diff"],
    ["query", "www.example.net"],
    ["test", "tests.toml"],
    ["keys", "list"],
    ["serve", "--listen", "127.0.0.1:0"],
    ["ctl", "status"],
    ["demo"],
    ["init", "new"],
    ["help", "health"],
    ["man", "-o", "pages"],
    ["rollback"],
    ["version", "-v"],
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("interrupted")
    build_project(folder, {"example.net": HEAD, "example.org": HEAD})
    test = '[[test]]\nname = "www.example.net"\nanswers = ["192.0.2.1"]\n'
    (folder / "tests.toml").write_text(test)
    (folder / "faulty.toml").write_text("[[test]]\n")
    return folder


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
@pytest.mark.parametrize("moment", [1, 5, 30, 90, 150])
def test_ctrl_c_ends_a_command_with_130(project: Path, command: list[str], moment: int) -> None:
    # What `lzc init` made when it was interrupted late, which it does not replace.
    shutil.rmtree(project / "new", ignore_errors=True)
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPT_AT, str(moment), *command],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        start_new_session=True,
    )
    assert "Traceback" not in ended.stderr
    assert "Aborted" not in ended.stderr
    assert "ignored" not in ended.stderr
    if "lzc: interrupted" in ended.stderr:
        assert ended.returncode == 130
    # A server that answers already stops in order; others may be through before so many imports.
    # Nobody serves here, and there is no bundle to go back to: 1, where that comes first.
    without = command[0] in ("ctl", "rollback")
    assert ended.returncode in (0, 130) or (without and ended.returncode == 1)


BUSY = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from lzc.compiler import workers
from lzc.__main__ import main

workers.POOL_OCTETS = 0
os.sched_getaffinity = lambda _: {0, 1}
as_before = workers.build_zone
parent = os.getpid()

def build_zone(job, totals):
    if os.getpid() != parent:
        os.killpg(0, signal.SIGINT)
        signal.pause()
    return as_before(job, totals)

workers.build_zone = build_zone
main()
"""


def test_ctrl_c_ends_a_build_in_several_processes_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "zones").mkdir()
    (tmp_path / "lzc.toml").write_text('[build]\nsources = ["zones/*.zone"]\n')
    for number in range(12):
        (tmp_path / f"zones/z{number}.example.zone").write_text(HEAD)
    ended = subprocess.run(
        [sys.executable, "-c", BUSY, "build"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        start_new_session=True,
    )
    assert ended.returncode == 130
    assert ended.stderr == "lzc: interrupted\n"


READING = [
    ["query", "www.example.net"],
    ["diff", "live", "lzc.toml"],
    ["keys", "list"],
    ["check", "--format", "json"],
    ["test", "--format", "json"],
    ["test", "--format", "json", "faulty.toml"],
    ["--help"],
]


@pytest.mark.parametrize("command", READING, ids=lambda command: command[0])
@pytest.mark.parametrize("stdout", ["full disk", "gone reader"])
def test_what_cannot_be_printed_is_no_traceback(
    project: Path, command: list[str], stdout: str
) -> None:
    script = f'sleep 0.2; exec "{sys.executable}" -m lzc "$@"'
    if stdout == "full disk":
        shell = ["bash", "-c", f"({script}) > /dev/full", "lzc", *command]
    else:
        shell = ["bash", "-c", f"set -o pipefail; ({script}) | true", "lzc", *command]
    ended = subprocess.run(shell, cwd=project, capture_output=True, text=True, timeout=PATIENCE)
    assert "Traceback" not in ended.stderr
    assert "ignored" not in ended.stderr
    if stdout == "full disk":
        assert ended.returncode == 1
        assert ended.stderr == "lzc: error: No space left on device\n"
    else:
        assert ended.stderr == ""

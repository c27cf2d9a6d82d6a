"""What a terminal and a shell get: colours of faults, and words that are completed; and the
versions that a report of a fault is to have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import lzc as package
from lzc.bundle.manifest import FORMAT
from lzc.cli import group
from tests.unit.several_zones import BROKEN, SeveralZones
from tests.unit.terminal import shown

ROOT = Path(__file__).resolve().parents[3]
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> SeveralZones:
    made = SeveralZones(tmp_path_factory.mktemp("terminal"))
    made.build()
    made.write("plain.example", BROKEN)
    return made


@pytest.mark.parametrize(
    ("setting", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True), ({"TERM": "dumb"}, False)],
)
def test_faults_have_colours_on_a_terminal_alone(
    project: SeveralZones, setting: dict[str, str], coloured: bool
) -> None:
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "TERM": "xterm", **setting}
    command = [sys.executable, "-m", "lzc", "check", "plain.example"]
    code, said = shown(command, "stderr", folder=project.folder, environment=environment)
    assert code == 1
    assert (b"\x1b[31m\x1b[1merror\x1b[0m: A record: not an IPv4" in said) is coloured
    assert (b"error: A record: not an IPv4" in said) is not coloured


def test_no_colours_into_a_pipe(project: SeveralZones) -> None:
    result = CliRunner().invoke(group, ["check", "-c", str(project.path), "plain.example"])
    assert b"\x1b" not in result.stderr_bytes


def _completed(project: SeveralZones, *words: str, shell: str = "bash") -> list[str]:
    environment = {
        **ENVIRONMENT,
        "PYTHONPATH": str(ROOT),
        "_LZC_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["lzc", *words]),
        "COMP_CWORD": str(len(words)),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "lzc"],
        cwd=project.folder,
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    return [line.partition(",")[2] for line in ended.stdout.splitlines() if line]


def test_zones_are_completed(project: SeveralZones) -> None:
    assert _completed(project, "check", "pl") == ["plain.example"]
    assert _completed(project, "build", "--zone", "") == [
        "lua.example",
        "plain.example",
        "signed.example",
    ]
    assert _completed(project, "keys", "ds", "s") == ["signed.example"]
    assert _completed(project, "check", "-c", "nowhere.toml", "pl") == []


def test_commands_options_and_ids_are_completed(project: SeveralZones) -> None:
    assert _completed(project, "ro") == ["rollback"]
    assert _completed(project, "rollback", "--as") == ["--as-is"]
    project.write("lua.example", "")
    before = project.live()
    project.build("lua.example")
    assert before in _completed(project, "rollback", before[:5])


def test_bash_takes_what_completes(project: SeveralZones) -> None:
    environment = {**ENVIRONMENT, "PYTHONPATH": str(ROOT), "_LZC_COMPLETE": "bash_source"}
    script = subprocess.run(
        [sys.executable, "-m", "lzc"], capture_output=True, text=True, env=environment, check=True
    ).stdout
    ask = (
        "COMP_WORDS=(lzc check pl); COMP_CWORD=2\n"
        '_lzc_completion lzc; printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    folder = project.folder / "bin"
    folder.mkdir(exist_ok=True)
    program = folder / "lzc"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m lzc "$@"\n')
    program.chmod(0o755)
    done = subprocess.run(
        ["bash", "-c", script + ask],
        cwd=project.folder,
        capture_output=True,
        text=True,
        env={**ENVIRONMENT, "PYTHONPATH": str(ROOT), "PATH": f"{folder}:{os.environ['PATH']}"},
        check=True,
    )
    assert done.stdout.splitlines() == ["plain.example"]


def test_version_says_what_lzc_is_made_of() -> None:
    short = CliRunner().invoke(group, ["version"])
    assert short.stdout == f"lzc {package.__version__}\n"
    found = json.loads(CliRunner().invoke(group, ["version", "-v", "--format", "json"]).stdout)
    assert found["lzc"] == package.__version__
    assert found["python"].endswith(".".join(map(str, sys.version_info[:3])))
    assert found["luajit"].startswith("LuaJIT 2.1")
    assert found["bundle format"] == str(FORMAT)
    assert {"click", "lmdb", "lupa"} <= found.keys()
    if (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
        head = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        assert found["commit"].startswith(head)
    assert "bundle format  5" in CliRunner().invoke(group, ["version", "-v"]).stdout

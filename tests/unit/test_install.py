"""`.ci/install` makes its virtual environment with Debian's python3-venv, or says what to do."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TOOLS = ("dirname", "cat", "sed", "id", "true", "env", "tee", "rm", "chmod", "mv")

# A Python as Debian has it before python3-venv is there.
BARE = """#!/bin/sh
case "$*" in
*ensurepip*) test -e "{installed}" ;;
"-m venv"*) mkdir -p .venv/bin && cp "{environment}" .venv/bin/python ;;
*) exec "{python}" "$@" ;;
esac
"""
# What stands for the Python of the environment that was made.
ENVIRONMENT = """#!/bin/sh
echo "$*" >>"{log}"
case "$*" in
-c*) exit 1 ;;
*/dev/stdin) cat >"{taken}" ;;
esac
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with the scripts and the lock, and a Python without ensurepip in ``python3``."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / ".ci", folder / ".ci")
    for name, text in (("environment", ENVIRONMENT), ("python3", BARE)):
        script = tmp_path / name
        script.write_text(
            text.format(
                installed=tmp_path / "installed",
                environment=tmp_path / "environment",
                python=sys.executable,
                log=tmp_path / "log",
                taken=tmp_path / "taken",
            )
        )
        script.chmod(0o755)
    return folder


def install(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it where nothing is on the PATH but the few tools it needs: no apt-get, no sudo."""
    tools = checkout.parent / "tools"
    tools.mkdir()
    for tool in ("mkdir", "cp", *TOOLS):
        found = shutil.which(tool)
        assert found, tool
        (tools / tool).symlink_to(found)
    return subprocess.run(
        [checkout / ".ci" / "install", *arguments],
        env={"PATH": str(tools), "PYTHON": str(checkout.parent / "python3")},
        capture_output=True,
        text=True,
    )


def test_where_it_cannot_be_installed_the_message_says_what_to_do(checkout: Path) -> None:
    ended = install(checkout)
    assert ended.returncode == 1
    assert "as root:\n    apt-get install python3-venv ca-certificates\n" in ended.stderr
    assert "PYTHON=... .ci/install" in ended.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("extra", ["", "dev"])
def test_once_it_is_there_all_comes_from_the_lock_by_hash(checkout: Path, extra: str) -> None:
    (checkout.parent / "installed").touch()
    ended = install(checkout, extra)
    assert ended.returncode == 0, ended.stderr
    lock = (ROOT / ".ci" / "requirements.lock").read_text()
    taken = (checkout.parent / "taken").read_text()
    assert taken == (lock if extra else lock.partition("# Only for the extra dev:\n")[0])
    calls = (checkout.parent / "log").read_text().splitlines()
    pip = [call for call in calls if call.startswith("-m pip") and " install " in call]
    assert [("--require-hashes" in call, "--no-deps" in call) for call in pip] == [
        (True, False),
        (False, True),
    ]


def test_the_scripts_name_no_host() -> None:
    for script in ("install", "debian", "lock", "run", "audit"):
        text = (ROOT / ".ci" / script).read_text()
        assert re.findall(r"\w+://|\b[\w-]+\.(?:org|com|net|io)\b", text) == [], script
        assert os.access(ROOT / ".ci" / script, os.X_OK)

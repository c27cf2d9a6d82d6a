"""``lzc export``: files are written, or shown as a diff against what lies there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lzc.cli import group
from tests.peers._peers import presence

FILES = ("lzc.rules.yml", "lzc-dashboard.json")


@pytest.fixture(autouse=True)
def _there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def export(*words: str) -> Result:
    return CliRunner().invoke(group, ["export", "prometheus", *words])


def test_where_nothing_lies_all_of_it_would_be_new(tmp_path: Path) -> None:
    result = export("-o", "there", "--diff")
    assert result.exit_code == 0
    for name in FILES:
        assert f"--- /dev/null\n+++ there/{name}\n@@ -0,0 +1," in result.stdout
    assert not (tmp_path / "there").exists()


def test_what_would_change_is_what_patch_makes_of_it(tmp_path: Path) -> None:
    export("-o", "there")
    result = export("-o", "there", "--diff")
    assert (result.exit_code, result.stdout) == (0, "nothing would change in there\n")
    result = export("-o", "there", "--job", "other", "--diff")
    assert result.exit_code == 0
    assert "-" in result.stdout and 'job="other"' in result.stdout
    presence.require("patch")
    subprocess.run(["patch", "-p0", "-s"], input=result.stdout, text=True, cwd=tmp_path, check=True)
    result = export("-o", "there", "--job", "other", "--diff")
    assert result.stdout == "nothing would change in there\n"


def test_a_file_of_any_octets_is_compared(tmp_path: Path) -> None:
    export("-o", ".")
    file = tmp_path / FILES[0]
    whole = file.read_bytes()
    file.write_bytes(b"\xff\x1b[31m\n" + whole)
    result = export("--diff")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert sum(line.startswith("-") for line in result.stdout.splitlines()) == 2
    file.write_bytes(whole.replace(b"\n", b"\r\n"))
    assert "line ends differ" in export("--diff").stdout


def test_a_folder_in_the_place_of_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / FILES[0]).mkdir()
    for words in ((), ("--diff",)):
        result = export(*words)
        assert result.exit_code == 1
        assert f"{FILES[0]}: error: cannot be" in result.stderr

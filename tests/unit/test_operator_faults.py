"""Files and folders that are missing, junk, of another kind, or a link to themselves: each command
says so, and none ends with a traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc.cli import group
from tests.unit.command_line import HEAD, build_project

COMMANDS = [
    *(["build"], ["check"], ["verify"], ["diff"], ["query", "www.example.net"], ["test"]),
    *(["rollback"], ["rollback", "--as-is"], ["rollback", "--list"], ["build", "--zone", "a"]),
    *(["keys", "list"], ["keys", "generate", "example.net"], ["ctl", "status"]),
]
PLACES = [
    *("lzc.toml", "zones", "zones/example.net.zone", "tests.toml", "keys"),
    *("build", "build/current", "build/.inputs", "build/.verified"),
]


def spoil(path: Path, how: str) -> None:
    was_folder = path.is_dir() and not path.is_symlink()
    if was_folder:
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if how == "loop":
        path.symlink_to(path.name)
    elif how == "junk":
        path.write_bytes(b"\xff\0[[[" * 50)
    elif how == "folder":
        path.mkdir()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("operator") / "whole"
    folder.mkdir()
    build_project(folder, {"example.net": HEAD})
    test = '[[test]]\nname = "www.example.net"\nanswers = ["192.0.2.1"]\n'
    (folder / "tests.toml").write_text(test)
    return folder


@pytest.mark.parametrize("how", ["gone", "loop", "junk", "folder"])
@pytest.mark.parametrize("place", PLACES)
def test_no_command_ends_with_a_traceback(
    whole: Path, tmp_path: Path, place: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, command in enumerate(COMMANDS):
        project = tmp_path / str(number)
        shutil.copytree(whole, project, symlinks=True)
        spoil(project / place, how)
        monkeypatch.chdir(project)
        run = CliRunner().invoke(group, command)
        assert run.exception is None or isinstance(run.exception, SystemExit), (command, run)
        assert run.exit_code in (0, 1, 2), command

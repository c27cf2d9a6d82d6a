"""What lzc tells people to run does what it says when it is pasted into a shell, whoever chose the
names in it: a zone's name may be that of a file in a pull request."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from lzc.cli import group
from tests.unit.command_line import CONFIG, HEAD, lzc

NAMES = ["a`touch`.example", "o'hara.example", "a|b.example", "a&b.example", "*.example"]


def shown(output: str, command: str) -> list[list[str]]:
    """The commands of a text, as a shell reads them."""
    lines = [line.partition("fix: ")[2] or line for line in output.splitlines()]
    ways = [way for line in lines for way in re.split(r"[,;] or (?:else: )?", line)]
    return [shlex.split(way) for way in ways if command in way]


@pytest.mark.parametrize("zone", NAMES)
def test_next_steps_of_a_new_project(tmp_path: Path, zone: str) -> None:
    folder = tmp_path / "it's `here`"
    output = CliRunner().invoke(group, ["init", str(folder), "--zone", zone]).output
    steps = output.partition("Next:")[2]
    config = str(folder / "lzc.toml")
    assert shown(steps, "lzc keys") == [["lzc", "keys", "generate", "-c", config, zone]]
    (query,) = shown(steps, "lzc query")
    assert query[2:5] == ["-c", config, f"whoami.{zone}"]


@pytest.mark.parametrize("zone", NAMES)
def test_keys_that_are_missing(tmp_path: Path, zone: str) -> None:
    (tmp_path / "zones").mkdir()
    (tmp_path / "zones" / f"{zone}.zone").write_text(HEAD)
    (tmp_path / "lzc.toml").write_text(
        CONFIG.partition("[zone")[0] + f'[zone."{zone}"]\ndnssec = true\n'
    )
    for result in (lzc(tmp_path, "build"), lzc(tmp_path, "keys", "ds", zone)):
        assert result.exit_code == 1
        (command,) = shown(result.stderr, "lzc keys generate")
        assert command[:3] == ["lzc", "keys", "generate"]
        assert command[-1].rstrip(".") == zone


def test_files_open_to_others(tmp_path: Path) -> None:
    folder = tmp_path / "`here`; there"
    folder.mkdir()
    (folder / "lzc.toml").write_text(CONFIG + '[dnssec]\nkeystore = "my keys"\n')
    keys = folder / "my keys"
    assert lzc(folder, "keys", "generate", "example.net").exit_code == 0
    keys.chmod(0o777)
    assert shown(lzc(folder, "keys", "list").stderr, "chmod") == [["chmod", "700", str(keys)]]
    keys.chmod(0o700)
    (private,) = keys.glob("*.private")
    private.chmod(0o644)
    (command,) = shown(lzc(folder, "keys", "list").stderr, "chmod")
    assert command[:2] == ["chmod", "600"]
    assert command[2].rstrip(";") == str(private)

"""The README keeps up with the program."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path

import click
import pytest

from lzc import config
from lzc.cli import COMMANDS, group
from lzc.config.table import Table

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
REFERENCE = README.partition("\n## lzc.toml\n")[2].partition("\n## ")[0]
SECTIONS: dict[str, type[Table]] = {
    "[build]": config.BuildSection,
    "[build.zone-limits]": config.ZoneLimitsSection,
    "[build.total-limits]": config.TotalLimitsSection,
    "[lua]": config.LuaSection,
    "[health]": config.HealthSection,
    "[dnssec]": config.DnssecSection,
    '[zone."NAME"]': config.ZoneSection,
    "[serve]": config.ServeSection,
    '[tsig."NAME."]': config.TsigSection,
    "[[secondary]]": config.SecondarySection,
}


def described(heading: str) -> set[str]:
    """The keys in the first column of a section's rows."""
    rows = REFERENCE.partition(f"| **`{heading}`** |")[2].partition("\n| **`")[0]
    first = [row.split("|")[1] for row in rows.splitlines()[1:] if row.startswith("| ")]
    return {key for cell in first for key in re.findall(r"`([a-z-]+)`", cell)}


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_the_configuration_is_described_and_no_other(heading: str) -> None:
    fields = SECTIONS[heading].model_fields.values()
    assert described(heading) == {field.alias for field in fields}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_described(name: str) -> None:
    assert f"| `lzc {name}" in README


def test_every_dependency_has_a_sentence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = README.partition("\n## Dependencies\n")[2].partition("\n## ")[0]
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=\[]", requirement)[0]
        assert re.search(rf"^\| .*\b{name}\b.* \| .+ \|$", listed, re.MULTILINE), name


@pytest.mark.parametrize("script", [".ci/install", "tests/run", ".ci/run"])
def test_the_scripts_it_names_can_be_run(script: str) -> None:
    assert script in README
    assert os.access(ROOT / script, os.X_OK)


def command_lines() -> list[str]:
    """What the README says to type: code between backticks, and lines of code."""
    spans = re.findall(r"`([^`\n]+)`", README)
    lines = re.findall(r"^ {4}(?:- run: )?(.+?)(?: {2,}#.*)?$", README, re.MULTILINE)
    return sorted({text for text in (*spans, *lines) if re.match(r"(\.venv/bin/)?lzc [a-z]", text)})


@pytest.mark.parametrize("line", command_lines())
def test_every_command_line_is_one_that_the_program_takes(line: str) -> None:
    context = click.Context(group)
    command: click.Command = group
    words = line.replace("\\|", "|").split()[1:]
    while isinstance(command, click.Group) and words and re.match(r"[a-z]", words[0]):
        # Of `keys generate|list` each is a command; what follows is that of the last.
        names = words.pop(0).split("|")
        assert set(names) <= set(command.list_commands(context))
        command = command.get_command(context, names[-1]) or command
    known = {option for each in command.get_params(context) for option in each.opts}
    given = {word.strip("[]") for word in words if word.startswith(("-", "[-"))}
    assert {option.partition("=")[0] for option in given} <= known


def test_command_lines_are_found() -> None:
    assert len(command_lines()) > 20

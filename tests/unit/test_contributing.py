"""What `.github/CONTRIBUTING.md` sends people to is there, and the hooks run what CI runs."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from tests.bench.rows import ROWS

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / ".github" / "CONTRIBUTING.md").read_text()
WHERE = re.compile(
    r"`(?P<path>(?:\.ci|\.github|lzc|tests|templates|fixtures)/[\w./-]*"
    r"|README\.md|CHANGELOG\.md|pyproject\.toml|\.pre-commit-config\.yaml)`"
    r"(?:\s+\(`(?P<name>\w+)`\))?"
)
PLACEHOLDER = "NAME"
RECIPES = ("function of PowerDNS", "lint rule", "RR type", "command", "row of the bench")


def places() -> list[tuple[str, str]]:
    """Files and folders that the guide names, each with what is to be found in it, or nothing."""
    return sorted({(found["path"], found["name"] or "") for found in WHERE.finditer(GUIDE)})


@pytest.mark.parametrize(("path", "name"), places())
def test_what_it_names_is_there(path: str, name: str) -> None:
    if PLACEHOLDER in path:
        assert (ROOT / path).parent.is_dir()
        return
    assert (ROOT / path).exists()
    assert not name or re.search(rf"\b{name}\b", (ROOT / path).read_text())


def test_there_is_a_recipe_for_what_is_added_most() -> None:
    for what in RECIPES:
        recipe = (
            GUIDE.partition(f"\n### Add a {what}\n")[2]
            or GUIDE.partition(f"\n### Add an {what}\n")[2]
        )
        steps = recipe.partition("\n#")[0]
        assert len(WHERE.findall(steps)) >= 2, what
    assert len(places()) > 40


def test_programs_and_rows_that_it_shows_can_be_run() -> None:
    modules = set(re.findall(r"python -m (tests(?:\.\w+)+)", GUIDE))
    assert "tests.bench" in modules
    for module in modules:
        found = importlib.util.find_spec(module)
        assert found, module
        main = f"{module}.__main__" if found.submodule_search_locations else module
        assert importlib.util.find_spec(main), module
    words = re.findall(r"python -m tests\.bench(?: --json \S+)?((?: [a-z]+)+)", GUIDE)
    assert words
    assert all(any(word in row for row in ROWS) for line in words for word in line.split())


def test_the_hooks_are_tools_of_the_environment_that_ci_runs_too() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    entries = re.findall(r"^ +entry: (.+)$", hooks, re.MULTILINE)
    ci = (ROOT / ".ci" / "run").read_text().splitlines()
    assert len(entries) == len(re.findall(r"^ +- id: ", hooks, re.MULTILINE)) == 3
    for entry in entries:
        tool = entry.removesuffix(" --force-exclude")
        assert tool.startswith(".venv/bin/")
        assert any(line.startswith(tool) for line in ci), tool
    assert hooks.count("language: system") == 3


def test_ci_holds_a_floor_for_what_the_tests_enter() -> None:
    coverage = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["coverage"]
    assert coverage["run"]["branch"]
    assert 50 < coverage["report"]["fail_under"] < 100
    assert "tests.at_once --outside --measured" in (ROOT / "tests" / "run").read_text()
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    tested = lines.index("tests/run")
    assert any(line.startswith(".venv/bin/coverage report") for line in lines[tested:])

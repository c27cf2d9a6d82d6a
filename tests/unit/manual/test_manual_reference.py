"""Tables of the manual to look things up in are as the code is."""

from __future__ import annotations

import re
import tomllib

import pytest

from lzc import config, manual
from lzc.cli import COMMANDS
from lzc.config.table import Table
from lzc.lua.functions import FUNCTIONS
from lzc.lua.health.options import OPTIONS
from lzc.lua.lint.environment import VARIABLES
from lzc.lua.lint.rules import RULES
from lzc.rehearse.expectation_file import TestTable
from tests.unit.manual.places import ROOT
from tests.unit.manual.reference import remade
from tests.unit.manual.shown import sources

SECTIONS: dict[str, type[Table]] = {
    "[build]": config.BuildSection,
    "[build.zone-limits]": config.ZoneLimitsSection,
    "[build.total-limits]": config.TotalLimitsSection,
    "[lua]": config.LuaSection,
    "[health]": config.HealthSection,
    "[dnssec]": config.DnssecSection,
    '[policy."NAME"]': config.PolicySection,
    '[zone."NAME"]': config.ZoneSection,
    "[serve]": config.ServeSection,
    '[tsig."NAME."]': config.TsigSection,
    "[[secondary]]": config.SecondarySection,
    '[catalog."NAME"]': config.CatalogSection,
    "[export]": config.ExportSection,
}


def cells(row: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]]


def described(heading: str) -> dict[str, str]:
    """The cell with the default of every key of a section."""
    table = manual.chapter("config").source.partition(f"| **`{heading}`** |")[2]
    rows = table.partition("\n| **`")[0].splitlines()[1:]
    found: dict[str, str] = {}
    for row in rows:
        if row.startswith("| "):
            keys, default, meaning = cells(row)
            assert meaning, row
            found |= dict.fromkeys(re.findall(r"`([a-z0-9-]+)`", keys), default)
    return found


@pytest.mark.parametrize("heading", SECTIONS)
def test_every_key_of_the_configuration_is_described_and_no_other(heading: str) -> None:
    fields = SECTIONS[heading].model_fields.values()
    assert described(heading).keys() == {field.alias for field in fields}


@pytest.mark.parametrize("heading", SECTIONS)
def test_defaults_that_are_shown_are_those_of_the_code(heading: str) -> None:
    shown = described(heading)
    for field in SECTIONS[heading].model_fields.values():
        literal = re.fullmatch(r"`([^`]+)`", shown[field.alias])
        if literal:
            assert tomllib.loads(f"key = {literal[1]}")["key"] == field.default, field.alias


def test_every_command_is_described() -> None:
    source = manual.chapter("commands").source
    for name in COMMANDS:
        assert f"| `lzc {name}" in source


def test_every_rule_is_listed_as_it_is() -> None:
    rows = [row for row in manual.chapter("rules").source.splitlines() if row.startswith("| `lua-")]
    assert rows == [
        f"| `{rule.id}` | {rule.severity} | {rule.summary} |" for rule in RULES.values()
    ]


def test_every_key_of_a_test_is_described() -> None:
    section = (
        manual.chapter("tests").source.partition("\n## Keys of a test\n")[2].partition("\n## ")[0]
    )
    first = [cells(row)[0] for row in section.splitlines() if row.startswith("| `")]
    found = {key for cell in first for key in re.findall(r"`([a-z-]+)`", cell)}
    assert found == {str(field.alias) for field in TestTable.model_fields.values()}


def test_every_function_variable_and_option_of_lua_records_is_described() -> None:
    source = manual.chapter("lua").source
    section = source.partition("\n## Functions\n")[2].partition("\n## ")[0]
    first = " ".join(cells(row)[0] for row in section.splitlines() if row.startswith("| `"))
    assert set(re.findall(r"`([A-Za-z0-9]+)\(", first)) == FUNCTIONS.keys()
    assert set(re.findall(r"`([A-Za-z_]+)`", first)) == VARIABLES.keys()
    options = set(re.findall(r"`([A-Za-z]+)`", section.rpartition("\n|")[2]))
    assert OPTIONS.keys() <= options


def test_every_dependency_has_a_sentence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    listed = manual.chapter("architecture").source.partition("\n## Dependencies\n")[2]
    for requirement in project["dependencies"]:
        name = re.split(r"[<>=\[]", requirement)[0]
        assert re.search(rf"^\| .*\b{name}\b.* \| .+ \|$", listed, re.MULTILINE), name


@pytest.mark.parametrize("name", manual.NAMES)
def test_what_is_made_from_the_code_is_as_it_would_be_made_now(name: str) -> None:
    source = manual.chapter(name).source
    assert remade(source) == source, "write it anew: python -m tests.unit.manual.reference"


@pytest.mark.parametrize("name", manual.NAMES)
def test_links_between_chapters_lead_to_one(name: str) -> None:
    targets = re.findall(r"\]\(([^)#]*)(?:#[^)]*)?\)", manual.chapter(name).source)
    assert {target.removesuffix(".md") for target in targets if "://" not in target} <= {
        *manual.NAMES
    }


def test_links_of_the_readme_lead_to_files() -> None:
    for target in re.findall(r"\]\(([^)#]+)", sources()["README"]):
        assert "://" in target or (ROOT / target).exists(), target

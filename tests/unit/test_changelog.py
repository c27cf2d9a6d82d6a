"""CHANGELOG.md has the form of Keep a Changelog 1.1.0: people and programs find their way in it."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from itertools import pairwise
from pathlib import Path

from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "CHANGELOG.md").read_text()
SECTIONS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
RELEASE = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\S+))?$", re.MULTILINE)


def releases() -> list[tuple[str, str | None, str]]:
    """Version, date, and text of each, as they stand."""
    found = list(RELEASE.finditer(TEXT))
    ends = [*(one.start() for one in found[1:]), len(TEXT)]
    return [
        (one["version"], one["date"], TEXT[one.end() : end])
        for one, end in zip(found, ends, strict=True)
    ]


def test_what_is_not_released_comes_first_and_releases_follow_newest_first() -> None:
    assert TEXT.startswith("# Changelog\n")
    (first, undated, _), *others = releases()
    assert (first, undated) == ("Unreleased", None)
    assert TEXT.count("\n## ") == 1 + len(others)
    dates = [date.fromisoformat(day or "") for _, day, _ in others]
    assert dates == sorted(dates, reverse=True)
    versions = [Version(version) for version, _, _ in others]
    assert all(newer > older for newer, older in pairwise(versions))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert all(version <= Version(project["version"]) for version in versions)


def test_entries_stand_under_the_six_headings_and_what_breaks_comes_first() -> None:
    for version, _, text in releases():
        head, *sections = re.split(r"^### ", text, flags=re.MULTILINE)
        assert head.strip() == "", version
        names = [section.partition("\n")[0] for section in sections]
        assert names == [name for name in SECTIONS if name in names], version
        for section in sections:
            lines = section.partition("\n")[2].strip().splitlines()
            assert lines, section
            assert all(line.startswith(("- ", "  ")) for line in lines), section
            breaking = [line.startswith("- **Breaking:**") for line in lines if line[0] == "-"]
            assert breaking == sorted(breaking, reverse=True), section

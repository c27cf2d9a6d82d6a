"""README is short, and what it names is there; the rest of it is held as the chapters are."""

from __future__ import annotations

import os

import pytest

from lzc import manual
from tests.unit.manual.places import ROOT
from tests.unit.manual.shown import sources

README = sources()["README"]


def test_it_is_read_in_one_sitting() -> None:
    assert len(README.splitlines()) <= 150


def test_the_two_commands_stand_alone_in_their_lines() -> None:
    assert "\n    .ci/install && .venv/bin/lzc demo\n" in README
    assert "\n    tests/run\n" in README


@pytest.mark.parametrize("script", [".ci/install", "tests/run", ".ci/run"])
def test_the_scripts_it_names_can_be_run(script: str) -> None:
    assert script in README
    assert os.access(ROOT / script, os.X_OK)


@pytest.mark.parametrize("name", manual.NAMES)
def test_it_leads_to_every_chapter(name: str) -> None:
    assert f"(lzc/manual/{name}.md)" in README

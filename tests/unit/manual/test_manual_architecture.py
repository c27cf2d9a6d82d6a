"""The chapter on architecture names the rooms there are, and modules that are where it says."""

from __future__ import annotations

import re

import pytest

from lzc import manual
from tests.unit.manual.places import ROOT
from tests.unit.test_house import FLOORS

CHAPTER = manual.chapter("architecture").source


def section(heading: str) -> str:
    return CHAPTER.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_every_room_has_a_line_and_no_other_has() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", section("The rooms"), re.MULTILINE)
    rooms = {path.name for path in (ROOT / "lzc").iterdir() if (path / "__init__.py").is_file()}
    assert {name for name, _ in rows} == rooms
    for name, text in rows:
        groups = set(re.findall(r"`(\w+)`", text))
        assert groups <= {path.name for path in (ROOT / "lzc" / name).iterdir()}, name


def test_rooms_stand_in_the_order_of_their_floors() -> None:
    level = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
    listed = re.findall(r"^\| `(\w+)` \|", section("The rooms"), re.MULTILINE)
    assert [level[name] for name in listed] == sorted(level[name] for name in listed)


@pytest.mark.parametrize("walk", ["a query", "a LUA record", "a health check", "a key"])
def test_modules_of_a_walk_are_where_it_says(walk: str) -> None:
    modules = re.findall(r"`([a-z0-9_/]+\.py)`", section(f"The walk of {walk}"))
    assert len(modules) > 8
    assert [name for name in modules if not (ROOT / "lzc" / name).is_file()] == []

"""A LUA record is followed through few files, and the chapter on architecture names them all."""

from __future__ import annotations

import re
from functools import cache

import pytest

from lzc import manual
from tests.unit.lua_walk import Walk, walk

MOST = {"plan": 21, "code": 23, "health": 25}
"""Files of each walk: who can do with fewer lowers it."""
PARTS = {
    "plan": ("Of every record", "With a plan"),
    "code": ("Of every record", "Code that is run"),
    "health": ("Of every record", "With a plan", "With health checks"),
}

traced = cache(walk)


def told(kind: str) -> set[str]:
    """The files that the manual names."""
    chapter = manual.chapter("architecture").source
    section = chapter.partition("\n## The walk of a LUA record\n")[2].partition("\n## ")[0]
    parts = dict(re.findall(r"^### (.*)\n((?:(?!### ).*\n?)*)", section, re.MULTILINE))
    found = {name for part in PARTS[kind] for name in re.findall(r"`([\w/]+\.py)`", parts[part])}
    # There as an example of a function, of which this record calls another.
    return found - {"lua/functions/pickrandom.py"} if kind == "health" else found


@pytest.mark.parametrize("kind", MOST)
def test_the_manual_names_the_files_of_the_walk(kind: str) -> None:
    assert told(kind) == traced(kind).files


@pytest.mark.parametrize("kind", MOST)
def test_the_walk_leads_through_few_files(kind: str) -> None:
    assert len(traced(kind).files) <= MOST[kind]


def test_the_manual_says_how_many_they_are() -> None:
    chapter = manual.chapter("architecture").source
    said = re.search(
        r"(\d+) for a record with a plan, (\d+) for one whose\s+code is run, (\d+) for one with"
        r" health checks",
        chapter,
    )
    assert said is not None
    assert [int(one) for one in said.groups()] == [len(traced(kind).files) for kind in MOST]


def test_a_record_in_one_line_is_read_in_bulk_and_goes_the_same_way_from_there() -> None:
    found: Walk = traced("line")
    assert found.files - traced("plan").files == {"source/bulk.py"}
    assert "source/records.py" not in found.files


def test_what_the_count_leaves_out_is_counted_beside_it() -> None:
    found = traced("health")
    assert {"zone/model.py", "bundle/node.py", "source/lexer.py"} <= found.beside
    assert "lua/lint/linter.py" in found.telling
    assert found.files | found.beside <= found.entered
    assert not found.files & found.beside
    assert not found.telling & found.entered

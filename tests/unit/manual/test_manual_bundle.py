"""The chapter on bundles says what the code writes."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from lzc import manual
from lzc.bundle import manifest, node, shards
from lzc.bundle.reader import Bundle
from lzc.bundle.zone_info import ZoneInfo
from lzc.health_check import Check
from lzc.lua.plan import Planner
from lzc.lua.plan.format import VERSION
from lzc.lua.plan.locations import Geolocator
from tests.unit.command_line import HEAD, build_project
from tests.unit.lua_running import Health
from tests.unit.manual.test_manual_reference import cells

CHAPTER = manual.chapter("bundle").source
FLAGS = (
    *("DELEGATION", "OCCLUDED", "ENT", "WILDCARD_CHILD", "HAS_LUA", "HAS_CNAME", "APEX"),
    "HAS_DNAME",
)


def table(first: str) -> list[list[str]]:
    """The rows of the table whose first column is called so."""
    behind = CHAPTER.partition(f"\n| {first} |")[2].partition("\n\n")[0]
    return [cells(row) for row in behind.splitlines()[2:]]


def test_formats_and_files_are_those_of_the_code() -> None:
    assert f"format {manifest.FORMAT}; a reader refuses any other" in CHAPTER
    assert f"the version of this form ({VERSION})" in CHAPTER
    assert f"2 to {shards.MOST} pairs" in CHAPTER
    listed = {row[0].strip("`") for row in table("file")}
    files = {manifest.MANIFEST, manifest.CHECKS, *manifest.shard_files(0)}
    assert {name.replace("NN", "00") for name in listed} == files


def test_flags_are_those_of_nodes() -> None:
    shown = {row[0].strip("`"): int(row[1]) for row in table("flag")}
    assert shown == {name: getattr(node, name) for name in FLAGS}


def test_fields_are_those_of_zones() -> None:
    shown = [name for row in table("field") for name in re.findall(r"`(\w+)`", row[0])]
    assert sorted(shown) == sorted(field.name for field in fields(ZoneInfo))


def test_fields_of_checks_are_all_there() -> None:
    section = CHAPTER.partition("\n## `checks.json`\n")[2]
    assert {field.name for field in fields(Check)} <= set(re.findall(r"`(\w+)`", section))


EXAMPLES: dict[str, list[Any]] = {
    "fixed": ["fixed", [0]],
    "random": ["random", [0]],
    "hashed": ["hashed", [0]],
    "sample": ["sample", 1, [0]],
    "weighted": ["weighted", "named", [[1, 0]]],
    "ring": ["ring", [[1, 0, "a"]]],
    "closest": ["closest", [[0, "c0000201"]]],
    "magic": ["magic"],
    "up": [
        "up",
        "random",
        "all",
        [[[0, "c0000201", {"address": "192.0.2.1", "port": 80}]]],
        True,
        False,
    ],
    "weights": ["weights", [[0, "c0000201", {"address": "192.0.2.1"}]]],
    "text": ["text", [["is", "192.0.2.1"]]],
    "forward": ["forward", None, None, "ending", 0],
    "forward6": ["forward6", None, None, "ending", 0],
    "reverse": ["reverse", "%1%.example.", {}, False],
    "reverse6": ["reverse6", "%1%.example.", {}, True],
    "if": ["if", [[["octets", 4], ["fixed", [0]]]], None],
}
"""A plan of each operation, as the chapter has them."""


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_operation_is_one_that_plans_have(name: str) -> None:
    document = {"v": VERSION, "as": "5.1", "type": 1, "data": ["c0000201"], "do": EXAMPLES[name]}
    Planner(None, Health(), lambda: 0.5).load(json.dumps(document).encode())


def test_the_chapter_has_each_operation_and_no_other() -> None:
    shown = [name for row in table("operation") for name in re.findall(r'`\["(\w+)"', row[0])]
    assert shown == [*EXAMPLES]


CONDITIONS: dict[str, list[Any]] = {
    "netmask": ["netmask", [["c0000200", 24]]],
    **{name: [name, ["de"]] for name in ("country", "continent", "region")},
    "asnum": ["asnum", [64496]],
    "code": ["code", "country", "de"],
    "octets": ["octets", 4],
    "not": ["not", ["octets", 4]],
    "every": ["every", [["octets", 4]]],
    "some": ["some", [["octets", 4]]],
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_each_condition_is_one_that_plans_have(name: str) -> None:
    kind, *arguments = CONDITIONS[name]
    assert Geolocator(None).condition(kind, *arguments)(b"\xc0\0\2\1") in (True, False)


def test_the_chapter_has_each_condition_and_no_other() -> None:
    shown = [name for row in table("condition") for name in re.findall(r'`\["(\w+)"', row[0])]
    assert shown == [*CONDITIONS]


def planned_text(*parts: list[Any]) -> bytes:
    document = {"v": VERSION, "as": "5.1", "type": 16, "data": [], "do": ["text", [*parts]]}
    return json.dumps(document).encode()


def test_a_text_has_each_part() -> None:
    planner = Planner(None, Health(), lambda: 0.5)
    arguments: dict[str, list[Any]] = {"is": ["x"], "geo": ["City"], "label": [1]}
    rows = table("part of a text")
    for name in [name for row in rows for name in re.findall(r'`\["(\w+)"', row[0])]:
        planner.load(planned_text([name, *arguments.get(name, [])]))
    with pytest.raises(ValueError, match="no plan"):
        planner.load(planned_text(["other"]))


def test_keys_of_nodes_are_put_together_as_it_says(tmp_path: Path) -> None:
    build_project(tmp_path, {"example.net": HEAD + "a\\000b.c 60 IN A 192.0.2.1\n"})
    with Bundle.open(tmp_path / "build/current") as bundle:
        (view,) = [bundle.zone(info.apex) for info in bundle.zones()]
        assert view is not None
        keys = [key for key, _ in view.nodes()]
    assert keys == [b"", b"c", b"c\0a\1\1b", b"ns1", b"www"]

"""Deltas held against bundles: what was, and what changed, has to give what is."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.bundle import delta_file, delta_store
from lzc.bundle.delta_file import Content, Delta, DeltaFile, zone_mark
from lzc.bundle.kept_deltas import KeptDeltas
from lzc.compare.deltas import verify
from tests.unit.answer.test_incremental import APEX, World, damaged


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "project")
    for number in range(5):
        made.build(f"a A 192.0.2.{number}\nb A 192.0.2.{number % 2}\n")
    return made


def test_those_between_bundles_that_are_here_are_applied(world: World) -> None:
    found = verify(world.output)
    assert (found.files, found.deltas, found.followed) == (4, 4, 2)
    assert found.damage == []


@pytest.mark.parametrize("offset", [3, 20, 60, 170, -3])
def test_damage_is_told_with_its_file(world: World, offset: int) -> None:
    path = world.deltas()[1]
    damaged(path, offset)
    ((place, text),) = verify(world.output).damage
    assert place == path
    assert str(path) in text


def test_a_delta_that_is_whole_and_wrong_is_told(world: World) -> None:
    path = world.deltas()[-1]
    with DeltaFile(path) as file:
        (step,) = file.steps(zone_mark(APEX))
        blocks = file.blocks(step)
    path.unlink()
    wrong = blocks.replace(bytes((192, 0, 2, 4)), bytes((192, 0, 2, 9)))
    assert wrong != blocks
    KeptDeltas([Delta(APEX, step.before, step.after, wrong)], 9, 1 << 20).save(world.output)
    ((_, text),) = verify(world.output).damage
    assert "does not lead from one zone to the other" in text


def test_a_folder_without_any_has_none_wrong(tmp_path: Path) -> None:
    assert verify(tmp_path).files == 0


def test_a_file_knows_its_zones_among_many(tmp_path: Path) -> None:
    apexes = [bytes((len(label),)) + label + b"\0" for label in (b"z%d" % n for n in range(300))]
    contents = [Content(1, bytes(32)), Content(2, bytes(32)), Content(3, bytes(32))]
    deltas = [
        Delta(apex, contents[step], contents[step + 1], b"%d %s" % (step, apex))
        for apex in apexes
        for step in range(1 + apex[2] % 2)
    ]
    KeptDeltas(deltas, 9, 1 << 20).save(tmp_path)
    (path,) = delta_store.files(tmp_path)
    with DeltaFile(path) as file:
        file.verify_head()
        assert file.count == len(deltas)
        for apex in apexes:
            steps = list(file.steps(zone_mark(apex)))
            assert [step.after.serial for step in steps] == [2, 3][: 1 + apex[2] % 2]
            assert [file.blocks(step) for step in steps] == [
                b"%d %s" % (number, apex) for number in range(len(steps))
            ]
        assert list(file.steps(zone_mark(b"\x05other\0"))) == []
        assert len(list(file.steps())) == len(deltas)


def test_the_octets_of_a_file_are_as_the_manual_says(tmp_path: Path) -> None:
    before, after = Content(7, bytes(range(32))), Content(8, bytes(32))
    name, parts = delta_file.encode([Delta(APEX, before, after, b"the delta")])
    octets = b"".join(parts)
    entry = octets[24:160]
    assert octets[:24] == b"lzc deltas 0001\n" + bytes(7) + b"\x01"
    assert entry[:24] == zone_mark(APEX) + b"\0\0\0\x07\0\0\0\x08"
    assert entry[24:88] == before.digest + after.digest
    assert entry[88:104] == bytes(7) + b"\xa0" + bytes(7) + b"\x09"
    assert octets[160:] == b"the delta"
    assert len(name) == 32

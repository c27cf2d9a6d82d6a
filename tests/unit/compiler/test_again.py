"""Building again what changed gives the octets, the id and the faults of building everything."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

import lzc
from lzc.bundle import current, manifest, verification
from lzc.bundle.reader import Bundle
from lzc.compiler import workers
from lzc.compiler.job import ZoneJob
from lzc.compiler.pipeline import BuildResult
from lzc.dnssec.keystore.keystore import Keystore
from lzc.source import inputs
from lzc.source.limits import Counts
from tests.unit.changing_project import DAY, ZONES, World
from tests.unit.compiling import HEAD, wire


@pytest.mark.parametrize("seed", range(2))
def test_any_sequence_of_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    # Files are known by their times in every other run, and by their content else.
    monkeypatch.setattr(inputs, "SETTLED", 0 if seed % 2 else inputs.SETTLED)
    assert World(tmp_path, seed).live(30) >= 10


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path, 1)
    for number in made.numbers:
        made.write(f"zones/z{number}.example.zone", HEAD + "www A 192.0.2.1\n")
    made.build_both()
    return made


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the zones that are built from now on."""
    names: list[str] = []
    original = workers.build_zones

    def spy(jobs: Sequence[ZoneJob], before: Counts) -> object:
        names.extend(job.source.name for job in jobs)
        return original(jobs, before)

    monkeypatch.setattr(workers, "build_zones", spy)
    return names


def test_only_what_changed_is_built_and_written(world: World, built: list[str]) -> None:
    before = current.live(world.folder / "again")
    world.write("zones/z7.example.zone", HEAD + "www A 192.0.2.7\n")
    result = world.build("again")
    assert isinstance(result, BuildResult)
    assert built == ["z7.example."]
    same = [
        file.name
        for file in result.folder.iterdir()
        if file.samefile(before / file.name)  # one file with two names
    ]
    assert len(same) == 3
    assert manifest.CHECKS in same


def test_nothing_is_built_where_nothing_changed(world: World, built: list[str]) -> None:
    for path in (world.folder / "zones").iterdir():
        path.touch()
    world.now += 100 * DAY
    result = world.build("again")
    assert isinstance(result, BuildResult)
    assert result.id == current.live(world.folder / "full").name
    assert built == []


def test_another_version_builds_everything(
    world: World, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lzc, "__version__", "99")
    before = current.live(world.folder / "again").name
    world.build_both()
    assert current.live(world.folder / "again").name != before
    assert len(built) == 2 * ZONES


def test_code_that_may_look_at_the_clock_is_run_in_each_build(
    world: World, built: list[str]
) -> None:
    world.write("zones/z7.example.zone", HEAD + "l LUA A \";return {os.date('%Y')}\"\n")
    world.build("again")
    world.build("again")
    assert built == ["z7.example."] * 2


def test_keys_are_not_read_again(
    world: World, built: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "SETTLED", 0)
    for number in (7, 8):
        world.signed.add(number)
        world.add_a_key(number)
    world.write_config()
    assert world.build_both()
    read: list[bytes] = []
    original = Keystore.load

    def load(self: Keystore, zone: bytes) -> object:
        read.append(zone)
        return original(self, zone)

    monkeypatch.setattr(Keystore, "load", load)
    built.clear()
    world.build("again")
    assert (built, read) == ([], [])
    world.now += 2 * DAY
    world.build("again")
    assert (built, read) == (["z7.example.", "z8.example."], [])
    world.key_files()[0].touch()
    world.build("again")
    assert read == [wire("z7.example")]


def test_a_shared_file_that_is_damaged_is_not_taken_over(world: World) -> None:
    folder = current.live(world.folder / "again")
    content = bytearray((folder / "zones-01.lmdb").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "zones-01.lmdb").write_bytes(content)
    result = world.build("again")
    assert isinstance(result, BuildResult)
    (fault,) = result.warnings
    assert "zones-01.lmdb" in fault.message
    assert fault.rule == "live-bundle-damaged"
    verification.verify(result.folder)
    assert result.folder == folder


def test_the_stamps_of_bundles_that_share_files_stay_valid(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = world.folder / "again"
    for turn in range(5):
        world.write("zones/z7.example.zone", HEAD + f"www A 192.0.2.{turn}\n")
        assert isinstance(world.build("again"), BuildResult)
    monkeypatch.setattr(verification, "sha256_of", lambda path: f"{path} was hashed")
    kept = [path for path in output.iterdir() if manifest.ID.fullmatch(path.name)]
    assert len(kept) == 3
    for folder in kept:
        verification.verify(folder, current.verified_dir(output))


def test_the_same_files_in_another_folder_may_include_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "SETTLED", 0)
    world.write("zones/z7.example.zone", HEAD + "$INCLUDE ../common.inc\n")
    zones, old, new = (world.folder / name for name in ("zones", "old", "new"))
    old.mkdir()
    zones.rename(old / "zones")
    shutil.copytree(old / "zones", new / "zones", copy_function=os.link)
    for folder in (old, new):
        (folder / "common.inc").write_text(f"c TXT {folder.name}\n")
    zones.symlink_to(old / "zones")
    assert world.build_both()
    before = current.live(world.folder / "again")
    zones.unlink()
    zones.symlink_to(new / "zones")
    assert world.build_both()
    assert current.live(world.folder / "again") != before


def test_bundles_that_share_files_are_open_at_once(world: World) -> None:
    """As in a server that reloads."""
    apexes = [wire(f"z{number}.example") for number in world.numbers]

    def nodes(bundle: Bundle) -> list[bytes | None]:
        return [view.node(b"www") for apex in apexes if (view := bundle.zone(apex))]

    before = current.open_live(world.folder / "again")
    old = nodes(before)
    world.write("zones/z7.example.zone", HEAD + "www A 192.0.2.7\n")
    world.build("again")
    with current.open_live(world.folder / "again") as after:
        new = nodes(after)
        assert nodes(before) == old
        before.close()
        assert nodes(after) == new
    assert len(new) == ZONES
    assert [apex for apex, *both in zip(apexes, old, new, strict=True) if both[0] != both[1]] == [
        wire("z7.example")
    ]


def test_a_file_system_without_hard_links(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted", str(self))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    before = current.live(world.folder / "again")
    world.write("zones/z7.example.zone", HEAD + "www A 192.0.2.7\n")
    world.build_both()
    after = current.live(world.folder / "again")
    assert not any(file.samefile(before / file.name) for file in after.iterdir())

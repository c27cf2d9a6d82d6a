"""No damage of an output folder stops a build, or costs a serial."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lzc.bundle import current, manifest, verification
from lzc.bundle.serial_store import COPY, FILE
from lzc.faults import Fault
from lzc.zone.serial import greater
from tests.unit.command_line import lzc
from tests.unit.damaging import CHANGING, STEADY, Damaged

TRIALS = 3
"""Octets that are tried of each file, besides its first and last."""


@pytest.fixture
def damaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Damaged:
    monkeypatch.setattr(os, "fsync", lambda _: None)
    made = Damaged(tmp_path)
    made.keep()
    return made


def _rules(faults: list[Fault]) -> set[str]:
    return {fault.rule for fault in faults}


def test_one_octet_of_any_file(damaged: Damaged) -> None:
    """``python -m tests.soak damage`` tries them all."""
    chosen = random.Random(1)
    tried = set()
    for name, octets in damaged.places():
        positions = {0, octets - 1, *chosen.sample(range(octets), min(TRIALS, octets))}
        for position in sorted(positions):
            damaged.try_it(name, position)
        tried.add(name.rpartition("/")[2])
    assert {"current", "serials", "serials.copy", ".inputs", "manifest.json"} <= tried
    assert {"zones-00.lmdb", "transfers-00.bin", "checks.json"} <= tried


def test_one_octet_of_any_file_of_bundles_from_before_there_was_a_file_of_serials(
    damaged: Damaged,
) -> None:
    for name in (FILE, COPY):
        (damaged.output / name).unlink()
    damaged.keep()
    chosen = random.Random(2)
    for name, octets in damaged.places():
        for position in chosen.sample(range(octets), 2):
            damaged.restore()
            damaged.flip(name, position)
            damaged.write(CHANGING, "www A 192.0.2.4\n")
            result = damaged.build()
            assert "serial-lost" not in _rules(result.warnings)
            verification.verify(result.folder)
            after = damaged.serials()
            assert greater(after[CHANGING], damaged.given[CHANGING])
            assert after[STEADY] >= damaged.given[STEADY]


@pytest.mark.parametrize("keep", [FILE, COPY])
def test_the_serials_alone_are_enough(damaged: Damaged, keep: str) -> None:
    for path in damaged.output.iterdir():
        if path.name == keep:
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    damaged.write(CHANGING, "www A 192.0.2.4\n")
    assert not damaged.build().warnings
    after = damaged.serials()
    assert after[CHANGING] == damaged.given[CHANGING] + 1
    assert after[STEADY] == damaged.given[STEADY]


@pytest.mark.parametrize("policy", ["date", "increment", "unixtime", "keep"])
def test_what_nothing_tells_any_more_is_said_and_begins_above_all_that_was(
    tmp_path: Path, policy: str
) -> None:
    if policy == "keep":
        damaged = Damaged(tmp_path, "date")
        (tmp_path / "lzc.toml").write_text('[build]\nsources = ["zones/*.zone"]\nserial = "keep"\n')
    else:
        damaged = Damaged(tmp_path, policy)
    for path in damaged.output.rglob("*"):
        if path.is_file():
            path.write_bytes(b"\xff" * 2000)
    result = damaged.build()
    lost = [fault for fault in result.warnings if fault.rule == "serial-lost"]
    assert len(lost) == 2
    assert {"serials-damaged", "live-bundle-damaged"} <= _rules(result.warnings)
    after = damaged.serials()
    for fault in lost:
        assert "dig @SECONDARY" in fault.fix
        assert str(after[CHANGING]) in fault.message
    if policy != "keep":
        assert all(after[zone] >= serial for zone, serial in damaged.given.items())
    assert not damaged.build().warnings
    # The way out that the fault names: a greater serial in the SOA record counts.
    text = (damaged.folder / "zones" / f"{CHANGING}.zone").read_text()
    wanted = after[CHANGING] + 1000
    path = damaged.folder / "zones" / f"{CHANGING}.zone"
    path.write_text(text.replace("hostmaster 5 ", f"hostmaster {wanted} "))
    damaged.build()
    assert damaged.serials()[CHANGING] == wanted


def test_a_new_zone_is_not_taken_for_one_whose_serial_is_lost(damaged: Damaged) -> None:
    damaged.flip(FILE, 200)
    damaged.write("new.example", "www A 192.0.2.1\n")
    assert _rules(damaged.build().warnings) == {"serials-damaged"}


def test_a_zone_that_comes_back_goes_on_from_its_serial(damaged: Damaged) -> None:
    path = damaged.folder / "zones" / f"{CHANGING}.zone"
    path.unlink()
    for number in range(5):
        damaged.write(STEADY, f"www A 192.0.2.{10 + number}\n")
        damaged.build()
    damaged.write(CHANGING, "www A 192.0.2.77\n")
    damaged.build()
    assert damaged.serials()[CHANGING] == damaged.given[CHANGING] + 1


def test_damage_that_no_stamp_shows_is_found_before_it_gets_a_right_hash(
    damaged: Damaged,
) -> None:
    """As of a disk that changes octets by itself."""
    folder = current.live(damaged.output)
    path = folder / "zones-00.lmdb"
    content = path.read_bytes()
    place = content.rindex(b"steady")
    path.write_bytes(content[:place] + b"x" + content[place + 1 :])
    stamps = current.verified_dir(damaged.output)
    written = manifest.read(folder)[0]
    verification.write_stamp(stamps, folder.name, verification.stamp_of(folder, written))
    damaged.write(CHANGING, "www A 192.0.2.4\n")
    result = damaged.build()
    assert _rules(result.warnings) == {"live-bundle-damaged"}
    verification.verify(result.folder)
    assert damaged.serials() == damaged.given | {CHANGING: damaged.given[CHANGING] + 1}


def _flip_the_live_bundle(damaged: Damaged) -> None:
    damaged.flip(f"{current.live(damaged.output).name}/zones-00.lmdb", 5000)


def _cut_the_manifest(damaged: Damaged) -> None:
    (current.live(damaged.output) / "manifest.json").write_bytes(b"{")


def _lose_the_bundle(damaged: Damaged) -> None:
    shutil.rmtree(current.live(damaged.output))


def _lead_elsewhere(damaged: Damaged) -> None:
    (damaged.output / "current").unlink()
    (damaged.output / "current").symlink_to("/nowhere")


@pytest.mark.parametrize(
    "harm", [_flip_the_live_bundle, _cut_the_manifest, _lose_the_bundle, _lead_elsewhere]
)
@pytest.mark.parametrize("command", ["verify", "diff", "query", "serve"])
def test_what_a_command_says_to_do_about_a_damaged_bundle_helps(
    damaged: Damaged, harm: Callable[[Damaged], None], command: str
) -> None:
    arguments = [f"www.{STEADY}"] if command == "query" else []
    harm(damaged)
    said = lzc(damaged.folder, command, *arguments)
    assert said.exit_code == 1
    assert "lzc build" in said.output.rpartition("fix:")[2]
    assert lzc(damaged.folder, "build").exit_code == 0
    if command != "serve":
        assert lzc(damaged.folder, command, *arguments).exit_code == 0


@pytest.mark.parametrize("command", ["verify", "query", "serve"])
def test_before_the_first_build_that_is_what_is_said(tmp_path: Path, command: str) -> None:
    damaged = Damaged(tmp_path)
    shutil.rmtree(damaged.output)
    arguments = [f"www.{STEADY}"] if command == "query" else []
    said = lzc(damaged.folder, command, *arguments)
    assert said.exit_code == 1
    assert "no bundle was built yet" in said.output
    assert "damaged" not in said.output
    assert "lzc build" in said.output.rpartition("fix:")[2]


@pytest.mark.parametrize("made", [False, True])
def test_verify_of_a_folder_without_a_bundle(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "empty"
    if made:
        folder.mkdir()
    damaged = Damaged(tmp_path / "project")
    said = lzc(damaged.folder, "verify", str(folder))
    assert said.exit_code == 1
    assert "no bundle" in said.output
    assert "damaged" not in said.output

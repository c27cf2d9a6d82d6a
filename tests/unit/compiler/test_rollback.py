"""No serial is given to two contents, and none falls, whatever bundle is made live by hand."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest

from lzc.bundle import current
from lzc.bundle.serial_store import COPY, FILE
from lzc.faults import InputError
from lzc.zone.serial import Policy, greater
from tests.unit.compiling import wire
from tests.unit.damaging import CHANGING, NOW, STEADY, Damaged

DAY = 86400.0


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


def _go_back(project: Damaged) -> int:
    """Make the bundle before the live one live, by hand; its serial."""
    live = current.live(project.output).name
    serial = project.serials()[CHANGING]
    for bundle in project.bundles():
        if bundle != live:
            _lead_to(project, bundle)
            if project.serials()[CHANGING] == serial - 1:
                return serial - 1
    raise AssertionError("there is no bundle before the live one")


def _lead_to(project: Damaged, bundle: str) -> None:
    (project.output / "current").unlink()
    (project.output / "current").symlink_to(bundle)


@pytest.mark.parametrize("policy", ["date", "increment", "unixtime"])
def test_after_a_rollback_other_content_gets_a_serial_of_its_own(
    tmp_path: Path, policy: str
) -> None:
    project = Damaged(tmp_path, policy)
    highest = project.serials()[CHANGING]
    _go_back(project)
    project.write(CHANGING, "www A 192.0.2.99\n")
    result = project.build()
    assert result.warnings == []
    assert project.serials()[CHANGING] == highest + 1


def test_the_content_that_was_rolled_back_to_rises_when_it_is_built(tmp_path: Path) -> None:
    project = Damaged(tmp_path)
    highest = project.serials()[CHANGING]
    _go_back(project)
    project.write(CHANGING, "www A 192.0.2.2\n")
    project.build()
    assert project.serials()[CHANGING] == highest + 1


def test_the_content_that_was_rolled_back_from_keeps_its_serial(tmp_path: Path) -> None:
    project = Damaged(tmp_path)
    before = current.live(project.output)
    given = project.serials()
    _go_back(project)
    assert project.build().folder == before
    assert project.serials() == given


def test_a_rollback_is_noticed_though_what_is_remembered_is_of_that_bundle(tmp_path: Path) -> None:
    """As after a build that could not write what it remembers."""
    project = Damaged(tmp_path)
    memory = (project.output / ".inputs").read_bytes()
    first = current.live(project.output).name
    text = (project.folder / "zones" / f"{CHANGING}.zone").read_text()
    project.write(CHANGING, "www A 192.0.2.99\n")
    project.build()
    highest = project.serials()[CHANGING]
    (project.output / ".inputs").write_bytes(memory)
    (project.folder / "zones" / f"{CHANGING}.zone").write_text(text)
    _lead_to(project, first)
    project.build()
    assert project.serials()[CHANGING] == highest + 1


def test_keep_refuses_a_serial_that_was_handed_out_to_other_content(tmp_path: Path) -> None:
    project = Damaged(tmp_path)
    highest = project.serials()[CHANGING]
    toml = project.folder / "lzc.toml"
    toml.write_text(toml.read_text().replace("increment", "keep"))

    def source(serial: int, text: str) -> None:
        project.write(CHANGING, text)
        path = project.folder / "zones" / f"{CHANGING}.zone"
        path.write_text(path.read_text().replace("hostmaster 5 ", f"hostmaster {serial} "))

    steady = project.folder / "zones" / f"{STEADY}.zone"
    steady.unlink()
    back = _go_back(project)
    for serial, text, rule in (
        (back, "www A 192.0.2.2\n", "serial-backwards"),
        (back + 1, "www A 192.0.2.99\n", "serial-unchanged"),
    ):
        source(serial, text)
        with pytest.raises(InputError) as caught:
            project.build()
        (fault,) = caught.value.faults
        assert fault.rule == rule
        assert str(highest) in f"{fault.message} {fault.why}"
        assert f"{highest + 1} or more" in fault.fix
    source(highest + 1, "www A 192.0.2.99\n")
    project.build()
    assert project.serials()[CHANGING] == highest + 1


def test_a_bundle_from_another_machine_counts_with_what_it_handed_out(tmp_path: Path) -> None:
    here, there = Damaged(tmp_path / "here"), Damaged(tmp_path / "there")
    for number in range(3):
        there.write(CHANGING, f"www A 192.0.2.{50 + number}\n")
        there.build()
    bundle = current.live(there.output)
    shutil.copytree(bundle, here.output / bundle.name)
    _lead_to(here, bundle.name)
    highest = here.serials()[CHANGING]
    here.write(CHANGING, "www A 192.0.2.99\n")
    here.build()
    assert here.serials()[CHANGING] == highest + 1


def test_two_contents_with_the_same_serial_are_both_left_behind(tmp_path: Path) -> None:
    here, there = Damaged(tmp_path / "here"), Damaged(tmp_path / "there")
    for project, number in ((here, 60), (there, 70)):
        project.write(CHANGING, f"www A 192.0.2.{number}\n")
        project.build()
    assert here.serials() == there.serials()
    bundle = current.live(there.output)
    shutil.copytree(bundle, here.output / bundle.name)
    here.build()
    _lead_to(here, bundle.name)
    highest = here.serials()[CHANGING]
    here.build()
    assert here.serials()[CHANGING] == highest + 1


def test_a_move_in_two_steps_stays_though_older_bundles_have_greater_numbers(
    tmp_path: Path,
) -> None:
    """RFC 1982 §7, as faults describe it; what is greater than what depends on the order."""
    project = Damaged(tmp_path, "date")
    path = project.folder / "zones" / f"{CHANGING}.zone"
    serial = project.serials()[CHANGING]
    toml = project.folder / "lzc.toml"
    toml.write_text(toml.read_text().replace("date", "increment"))
    source = 5
    for step in (serial + 2**31 - 1, 7):
        text = path.read_text()
        path.write_text(text.replace(f"hostmaster {source} ", f"hostmaster {step} "))
        source = step
        project.build()
        assert project.serials()[CHANGING] == step
    path.write_text(path.read_text().replace("192.0.2.3", "192.0.2.4"))
    project.build()
    assert project.serials()[CHANGING] == 8


@pytest.mark.parametrize("policy", ["date", "increment", "unixtime"])
@pytest.mark.parametrize("seed", range(3))
def test_any_sequence_of_builds_rollbacks_and_losses(
    tmp_path: Path, policy: Policy, seed: int
) -> None:
    """What a secondary saw is a serial and a content; all that were ever live count."""
    project = Damaged(tmp_path, policy)
    chance = random.Random(seed)
    now = NOW
    contents: dict[int, str] = {}
    highest = project.serials()[CHANGING]
    for _ in range(60):
        project.write(CHANGING, f"www A 192.0.2.{chance.randrange(4)}\n")
        event = chance.randrange(8)
        if event == 0:
            (project.output / chance.choice([FILE, COPY])).unlink()
        elif event == 1:
            name, octets = chance.choice([*_files(project)])
            project.flip(name, chance.randrange(octets))
        elif event == 2:
            (project.output / ".inputs").unlink(missing_ok=True)
        elif event in (3, 4):
            _lead_to(project, chance.choice(project.bundles()))
        elif event == 5:
            (project.output / "current").unlink()
        now += chance.choice([0, 1, DAY])
        project.build(now)
        with current.open_live(project.output) as bundle:
            view = bundle.zone(wire(CHANGING))
            assert view is not None
            serial, digest = view.info.serial, view.info.digest
        assert contents.setdefault(serial, digest) == digest
        assert serial == highest or greater(serial, highest)
        highest = serial
    assert len(contents) > 10


def _files(project: Damaged) -> list[tuple[str, int]]:
    """Of those that a build replaces."""
    return [
        (str(path.relative_to(project.output)), path.stat().st_size)
        for path in sorted(project.output.rglob("*"))
        if path.is_file() and not path.is_symlink() and path.stat().st_size
    ]

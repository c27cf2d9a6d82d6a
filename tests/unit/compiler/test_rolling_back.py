"""``lzc rollback``: old content under serials that secondaries take, or the very bundle."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lzc.bundle import current, serial_store, verification
from lzc.compiler.rollback import bundles
from lzc.faults import InputError
from lzc.wire.message import skip_name
from tests.unit.compiling import HEAD, wire
from tests.unit.several_zones import BROKEN, ZONES, SeveralZones


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


class BuiltTwice(SeveralZones):
    """Between the two builds plain.example and signed.example changed, late.example came, and
    lua.example stayed. ``first`` and ``second`` are the bundles, ``before`` is what the first one
    has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.first = self.build().id
        self.before = self.states(serials=False)
        self.write("plain.example", "new A 192.0.2.9\n")
        self.write("signed.example", "new A 192.0.2.9\n")
        self.write("late.example", "www A 192.0.2.1\n")
        self.second = self.build().id


@pytest.fixture
def project(tmp_path: Path) -> BuiltTwice:
    return BuiltTwice(tmp_path)


def _transferred(project: BuiltTwice, zone: str) -> list[int]:
    """The serials of the SOA records that begin and end its transfer."""
    with current.open_live(project.output) as bundle:
        view = bundle.zone(wire(zone))
        assert view is not None
        octets = bytes(bundle.transfer(view))
    soa = skip_name(octets, 2 + 12) + 4
    length = 12 + int.from_bytes(octets[soa + 10 : soa + 12], "big")
    ends = (soa + length, len(octets))
    return [int.from_bytes(octets[end - 20 : end - 16], "big") for end in ends]


def test_the_content_is_the_old_one_and_serials_rise_where_it_differs(
    project: BuiltTwice,
) -> None:
    result = project.roll_back()
    verification.verify(current.live(project.output))
    assert (result.of, result.before) == (project.first, project.second)
    assert project.live() == result.id != project.first
    assert project.states(serials=False) == project.before
    assert project.serial("plain.example") == project.serial("signed.example") == 7
    assert project.serial("lua.example") == 5
    assert _transferred(project, "plain.example") == [7, 7]
    assert project.plans("lua.example") == 2
    assert project.checks() == ["127.0.0.1", "127.0.0.2"]
    assert project.inputs()["rollback"] == project.first
    changes = result.changes
    assert [(one.name, one.before, one.after) for one in changes.changed] == [
        ("plain.example.", 6, 7),
        ("signed.example.", 6, 7),
    ]
    assert [one.name for one in changes.went] == ["late.example."]


def test_what_is_carried_is_what_a_build_of_the_old_sources_makes(project: BuiltTwice) -> None:
    project.roll_back()
    rolled = project.states()
    for name, text in ZONES.items():
        project.write(name, text)
    project.file("late.example").unlink()
    project.build()
    assert project.states() == rolled


def test_the_next_build_goes_on_from_its_serials(project: BuiltTwice) -> None:
    project.roll_back()
    result = project.build()
    assert [one.name for one in result.changes.came] == ["late.example."]
    assert project.serial("plain.example") == 8
    store = serial_store.load(project.output)
    last = store.get(wire("plain.example"))
    assert last is not None
    assert last.serial == 8


def test_twice_is_back_again(project: BuiltTwice) -> None:
    latest = project.states(serials=False)
    project.roll_back()
    project.roll_back()
    assert project.states(serials=False) == latest
    assert project.serial("plain.example") == 8


def test_a_zone_that_failed_stays_told(project: BuiltTwice) -> None:
    project.write("lua.example", BROKEN)
    kept = project.build()
    project.write("lua.example", ZONES["lua.example"])
    project.build()
    project.roll_back(kept.id)
    assert [one["zone"] for one in project.inputs()["kept"]] == ["lua.example."]


def test_as_is_is_the_very_bundle_and_warns_of_lower_serials(project: BuiltTwice) -> None:
    result = project.roll_back(project.first[:8], as_is=True)
    assert project.live() == result.id == project.first
    assert [fault.rule for fault in result.warnings] == ["serial-lower", "serial-lower"]
    assert "serial 5, and 6 was handed out" in result.warnings[0].message
    again = project.roll_back()
    assert again.of == project.second
    assert again.changes.known
    assert project.serial("plain.example") == 6


def test_after_as_is_a_build_gives_serials_above_all(project: BuiltTwice) -> None:
    project.roll_back(as_is=True)
    project.write("plain.example", "newer A 192.0.2.10\n")
    project.build()
    assert project.serial("plain.example") == 7


@pytest.mark.parametrize("serial", ["date", "unixtime", "keep"])
def test_any_policy_gives_serials_that_rise(tmp_path: Path, serial: str) -> None:
    project = SeveralZones(tmp_path, serial=serial)
    project.build()
    project.write("plain.example", "new A 192.0.2.9\n", HEAD.replace(" 5 ", " 6 "))
    project.build()
    before = project.serial("plain.example")
    project.roll_back()
    assert project.serial("plain.example") > before


def test_where_no_serial_follows_nothing_is_written(tmp_path: Path) -> None:
    project = SeveralZones(tmp_path)
    project.build()
    top = HEAD.replace(" 5 ", " 2147483652 ")
    project.write("plain.example", "new A 192.0.2.9\n", top)
    project.build()
    project.write("plain.example", "new A 192.0.2.9\n", HEAD.replace(" 5 ", " 4294967295 "))
    before = project.build().id
    assert project.serial("plain.example") == 2**32 - 1
    stored = (project.output / serial_store.FILE).read_bytes()
    with pytest.raises(InputError) as caught:
        project.roll_back(_oldest(project))
    assert [fault.rule for fault in caught.value.faults] == ["serial-overflow"]
    assert project.live() == before
    assert (project.output / serial_store.FILE).read_bytes() == stored


def _oldest(project: SeveralZones) -> str:
    return bundles(project.output)[-1].id


def _refused(project: SeveralZones, wanted: str | None = None) -> tuple[str, str]:
    before = project.live()
    with pytest.raises(InputError) as caught:
        project.roll_back(wanted)
    assert project.live() == before
    (fault,) = caught.value.faults
    return fault.rule, str(fault)


def test_ids_that_lead_nowhere_are_told_with_the_bundles_that_are_there(
    project: BuiltTwice,
) -> None:
    for number in range(3):
        project.write("plain.example", f"new A 192.0.2.{number}\n")
        project.build()
    there = [one.id for one in bundles(project.output)]
    for wanted, expected in (
        (project.first, "rollback-pruned"),
        ("0123456789abcdef", "rollback-unknown"),
        (there[1][:2], "rollback-unknown"),
        ("../keys", "rollback-unknown"),
        (project.live(), "rollback-live"),
    ):
        rule, told = _refused(project, wanted)
        assert (wanted, rule) == (wanted, expected)
        assert all(one in told for one in there)


def test_a_damaged_bundle_is_told_and_not_made_live(project: BuiltTwice) -> None:
    path = project.output / project.first / "transfers-00.bin"
    path.chmod(0o644)
    octets = bytearray(path.read_bytes())
    octets[100] ^= 1
    path.write_bytes(octets)
    rule, told = _refused(project)
    assert rule == "bundle-unusable"
    assert "transfers-00.bin: damaged" in told


def test_without_another_bundle_there_is_nothing_to_go_back_to(tmp_path: Path) -> None:
    project = SeveralZones(tmp_path)
    with pytest.raises(InputError) as caught:
        project.roll_back()
    assert caught.value.faults[0].rule == "rollback-nothing"
    project.build()
    assert _refused(project)[0] == "rollback-nothing"


def test_over_a_live_bundle_that_is_gone_it_goes_back_all_the_same(project: BuiltTwice) -> None:
    project.lose_the_live_bundle()
    result = project.roll_back()
    assert (result.of, result.before, result.changes.known) == (project.first, "", False)
    assert project.serial("plain.example") == 7

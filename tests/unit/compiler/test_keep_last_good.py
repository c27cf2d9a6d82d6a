"""With ``keep-last-good``, a zone that fails stays as it is live, to the octet, and the others go
live; without it, one zone that fails stops all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from lzc.bundle import current, verification
from lzc.faults import InputError
from tests.unit.compiling import wire
from tests.unit.several_zones import BROKEN, CHECKED, ZONES, SeveralZones


@pytest.fixture(autouse=True)
def _no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def project(tmp_path: Path) -> SeveralZones:
    made = SeveralZones(tmp_path)
    made.build()
    return made


def test_without_it_one_zone_stops_all(tmp_path: Path) -> None:
    project = SeveralZones(tmp_path, keep=False)
    before = project.build().id
    project.write("plain.example", "new A 192.0.2.9\n")
    project.write("lua.example", BROKEN)
    with pytest.raises(InputError):
        project.build()
    assert project.live() == before


@pytest.mark.parametrize("forgotten", [False, True])
@pytest.mark.parametrize("failing", ZONES)
def test_a_zone_that_fails_stays_to_the_octet_and_the_others_go_live(
    project: SeveralZones, failing: str, forgotten: bool
) -> None:
    before, checks = project.states(), project.checks()
    plans = project.plans("lua.example")
    for name, text in ZONES.items():
        project.write(name, f"{text}new A 192.0.2.9\n{BROKEN if name == failing else ''}")
    if forgotten:
        project.forget()
    result = project.build()
    verification.verify(current.live(project.output))
    after = project.states()
    assert [one.name for one in result.kept] == [f"{failing}."]
    assert {name for name in after if after[name] == before[name]} == {wire(failing).decode()}
    assert project.serial(failing) == 5
    assert {project.serial(name) for name in ZONES if name != failing} == {6}
    assert project.checks() == checks
    assert project.plans("lua.example") == plans == 2
    (told,) = project.inputs()["kept"]
    assert (told["zone"], told["serial"]) == (f"{failing}.", 5)
    assert f"zones/{failing}.zone:" in told["why"]
    assert "[bad-rdata]" in told["why"]
    json.dumps(told)


def test_it_is_kept_until_it_is_mended_and_gets_one_serial_more_then(project: SeveralZones) -> None:
    project.write("lua.example", BROKEN)
    first = project.build()
    second = project.build()
    assert (first.id, first.changes.changed) == (second.id, [])
    assert [one.name for one in second.kept] == ["lua.example."]
    assert [one.rule for one in second.failures] == ["bad-rdata"]
    project.write("lua.example", ZONES["lua.example"] + "new A 192.0.2.9\n")
    third = project.build()
    assert third.kept == []
    assert "kept" not in project.inputs()
    assert project.serial("lua.example") == 6


def test_one_that_is_mended_to_what_it_was_has_its_serial_still(project: SeveralZones) -> None:
    before = project.states()
    project.write("plain.example", BROKEN)
    project.build()
    project.write("plain.example", ZONES["plain.example"])
    project.build()
    assert project.states() == before


def test_one_that_never_was_live_is_left_out_until_it_is_mended(project: SeveralZones) -> None:
    project.write("new.example", BROKEN)
    result = project.build()
    (one,) = result.kept
    assert (one.name, one.serial) == ("new.example.", None)
    assert len(project.states()) == len(ZONES)
    project.write("new.example", "www A 192.0.2.7\n")
    result = project.build()
    assert result.kept == []
    assert [one.name for one in result.changes.came] == ["new.example."]
    assert len(project.states()) == len(ZONES) + 1


def test_where_nothing_can_be_served_it_is_an_error(tmp_path: Path) -> None:
    project = SeveralZones(tmp_path, {"signed.example": BROKEN})
    with pytest.raises(InputError) as caught:
        project.build()
    assert [fault.rule for fault in caught.value.faults] == ["bad-rdata"]
    assert not (project.output / "current").exists()


def test_all_zones_may_fail_where_all_are_live(project: SeveralZones) -> None:
    before = project.states()
    for name in ZONES:
        project.write(name, BROKEN)
    assert len(project.build().kept) == len(ZONES)
    assert project.states() == before


def test_what_is_wrong_with_the_project_still_stops_it(project: SeveralZones) -> None:
    project.write("plain.example", BROKEN)
    text = project.path.read_text().replace('["zones/*"]', '["zones/*", "none/*"]')
    project.path.write_text(text)
    before = project.live()
    with pytest.raises(InputError) as caught:
        project.build()
    assert {"source-missing", "bad-rdata"} <= {fault.rule for fault in caught.value.faults}
    assert project.live() == before


def test_keys_that_cannot_be_used_are_faults_of_their_zone(project: SeveralZones) -> None:
    before = project.state("signed.example")
    for file in (project.folder / "keys").glob("Ksigned*"):
        file.unlink()
    project.write("plain.example", "new A 192.0.2.9\n")
    result = project.build()
    assert [(one.name, one.fault.rule) for one in result.kept] == [
        ("signed.example.", "keys-missing")
    ]
    assert project.state("signed.example") == before
    assert project.serial("plain.example") == 6


@pytest.mark.parametrize(
    ("gone", "rule"), [("signed.example", "zone-unknown"), ("named.example", "source-missing")]
)
def test_a_zone_with_settings_whose_file_is_gone_is_kept(
    tmp_path: Path, gone: str, rule: str
) -> None:
    more = '[zone."named.example"]\nsource = "zones/other-name"\n'
    project = SeveralZones(tmp_path, more=more)
    project.write("named.example", "www A 192.0.2.8\n")
    project.file("named.example").rename(tmp_path / "zones/other-name")
    project.build()
    before = project.states()
    (tmp_path / "zones/other-name" if gone == "named.example" else project.file(gone)).unlink()
    result = project.build()
    assert [(one.name, one.fault.rule) for one in result.kept] == [(f"{gone}.", rule)]
    assert project.states() == before


def test_a_second_file_of_a_zone_keeps_it_as_it_is(project: SeveralZones) -> None:
    before = project.states()
    (project.folder / "zones/PLAIN.example.zone").write_text("")
    result = project.build()
    assert [(one.name, one.fault.rule) for one in result.kept] == [("plain.example.", "zone-twice")]
    assert project.states() == before


def test_a_file_that_gives_no_name_is_left_out(project: SeveralZones) -> None:
    (project.folder / "zones/a..b.zone").write_text("")
    result = project.build()
    (one,) = result.kept
    assert (one.name, one.serial, one.fault.rule) == ("zones/a..b.zone", None, "zone-name")


@pytest.mark.parametrize("how", ["damaged", "gone", "not linked"])
def test_without_a_live_bundle_that_can_be_read_it_is_an_error(
    project: SeveralZones, how: str
) -> None:
    """Or the zones that cannot be kept would go."""
    if how == "gone":
        project.lose_the_live_bundle()
    elif how == "not linked":
        (project.output / "current").unlink()
    else:
        path = current.live(project.output) / "zones-00.lmdb"
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    project.write("plain.example", BROKEN)
    with pytest.raises(InputError) as caught:
        project.build()
    assert "live-bundle-needed" in {fault.rule for fault in caught.value.faults}
    project.write("plain.example", ZONES["plain.example"])
    assert project.build().kept == []


def test_other_zones_of_many_files_are_carried_over(tmp_path: Path) -> None:
    """Zones that failed, came and went at once, over several shards, with and without memory."""
    zones = {f"z{number:02}.example": f"www A 192.0.2.{number}\n" for number in range(40)}
    project = SeveralZones(tmp_path, {"signed.example": CHECKED} | zones)
    project.build()
    before = project.states()
    for number in range(0, 40, 4):
        project.write(f"z{number:02}.example", BROKEN)
    for number in range(1, 40, 4):
        project.file(f"z{number:02}.example").unlink()
    for number in range(50, 55):
        project.write(f"z{number:02}.example", BROKEN if number % 2 else "www A 192.0.2.1\n")
    result = project.build()
    after = project.states()
    assert {name: before[name] for name in after if name in before} == {
        name: state for name, state in after.items() if name in before
    }
    assert len(result.kept) == 10 + 2
    assert len(result.changes.went) == 10
    assert len(result.changes.came) == 3
    assert len(after) == 1 + 40 - 10 + 3
    assert project.build().id == result.id
    project.forget()
    project.build()
    assert project.states() == after


@pytest.mark.parametrize("forgotten", [False, True])
def test_only_the_zone_named_is_built(project: SeveralZones, forgotten: bool) -> None:
    before = project.states()
    for name, text in ZONES.items():
        project.write(name, f"{text}new A 192.0.2.9\n")
    project.write("lua.example", BROKEN)
    project.write("late.example", "www A 192.0.2.1\n")
    if forgotten:
        project.forget()
    result = project.build("PLAIN.example.", keep=False)
    after = project.states()
    assert [one.name for one in result.changes.changed] == ["plain.example."]
    assert {name for name in after if after[name] != before.get(name)} == {
        wire("plain.example").decode()
    }
    assert project.plans("lua.example") == 2
    project.write("lua.example", ZONES["lua.example"])
    whole = project.build()
    assert [one.name for one in whole.changes.changed] == ["signed.example."]
    assert [one.name for one in whole.changes.came] == ["late.example."]


def test_a_zone_is_named_by_its_file_too(
    project: SeveralZones, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("plain.example", "new A 192.0.2.9\n")
    monkeypatch.chdir(project.folder / "zones")
    assert [one.name for one in project.build("plain.example.zone").changes.changed] == [
        "plain.example."
    ]


def test_a_zone_that_is_named_and_fails_writes_nothing(project: SeveralZones) -> None:
    before = project.live()
    project.write("plain.example", BROKEN)
    with pytest.raises(InputError):
        project.build("plain.example", keep=False)
    assert project.live() == before


def test_a_zone_that_is_named_and_gone_goes(project: SeveralZones) -> None:
    project.file("plain.example").unlink()
    result = project.build("plain.example")
    assert [one.name for one in result.changes.went] == ["plain.example."]
    assert len(project.states()) == len(ZONES) - 1


def test_over_a_live_bundle_that_is_gone_no_zone_is_built_alone(project: SeveralZones) -> None:
    project.lose_the_live_bundle()
    with pytest.raises(InputError) as caught:
        project.build("plain.example")
    assert caught.value.faults[-1].rule == "live-bundle-needed"
    assert len(project.build().changes.came) == 0


def test_zones_kept_before_stay_told(project: SeveralZones) -> None:
    project.write("lua.example", BROKEN)
    project.build()
    kept = project.inputs()["kept"]
    project.write("plain.example", "new A 192.0.2.9\n")
    project.build("plain.example")
    assert project.inputs()["kept"] == kept
    project.write("lua.example", ZONES["lua.example"])
    project.build("lua.example")
    assert "kept" not in project.inputs()

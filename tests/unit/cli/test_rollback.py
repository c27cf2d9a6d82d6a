"""What ``lzc rollback`` says, to people and to scripts, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lzc.dnssec.keystore.keystore import FLAGS, Keystore
from tests.unit.command_line import lzc
from tests.unit.compiling import wire
from tests.unit.several_zones import NOW, SeveralZones


@pytest.fixture
def project(tmp_path: Path) -> SeveralZones:
    made = SeveralZones(tmp_path)
    made.build()
    made.write("plain.example", "new A 192.0.2.9\n")
    made.build()
    return made


def test_it_says_what_changed_and_that_sources_did_not(project: SeveralZones) -> None:
    (before,) = [one for one in _listed(project) if not one["live"]]
    live = project.live()
    result = lzc(project.folder, "rollback")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines() == [
        "changed  plain.example., serial 6 -> 7",
        "the sources were not touched: what they say is live again with the next build",
        f"3 zone(s), the content of {before['id']} instead of {live}: {project.live()}",
    ]
    found = json.loads(lzc(project.folder, "rollback", "--format", "json", live[:6]).stdout)
    assert (found["of"], found["id"]) == (live, project.live())
    assert found["changed"] == [{"zone": "plain.example.", "before": 7, "after": 8}]


def test_the_very_bundle_warns(project: SeveralZones) -> None:
    result = lzc(project.folder, "rollback", "--as-is")
    assert result.exit_code == 0
    assert "warning: zone plain.example. is live with serial 5, and 6 was handed" in result.stderr
    assert "the very bundle instead of" in result.stdout
    assert result.stdout.split()[-1] == project.live()


def _with_other_keys(project: SeveralZones) -> Path:
    """Build with other keys; where those went that the bundle before it is signed with."""
    gone = project.folder / "gone"
    (project.folder / "keys").rename(gone)
    Keystore(project.folder / "keys").generate(wire("signed.example"), 13, FLAGS["csk"], NOW)
    project.build()
    return gone


def _state(project: SeveralZones) -> dict[str, bytes]:
    files = (one for one in project.output.rglob("*") if one.is_file())
    return {str(one): one.read_bytes() for one in files if one.name != "lock"}


def test_a_bundle_whose_keys_are_gone_is_none_to_go_back_to(project: SeveralZones) -> None:
    gone = _with_other_keys(project)
    before, live = _state(project), project.live()
    result = lzc(project.folder, "rollback")
    assert result.exit_code == 1
    assert "zone signed.example. is signed with key" in result.stderr
    assert "[key-missing]" in result.stderr
    assert "fix: put the keys back that the bundle was built with" in result.stderr
    assert (project.live(), _state(project)) == (live, before)
    # As is, it is live, and the warning says what comes of it.
    result = lzc(project.folder, "rollback", "--as-is")
    assert result.exit_code == 0
    assert "warning: zone signed.example. is signed with key" in result.stderr
    assert project.live() != live
    # With the keys it goes.
    lzc(project.folder, "rollback", "--as-is", live[:8])
    for file in gone.iterdir():
        file.rename(project.folder / "keys" / file.name)
    assert lzc(project.folder, "rollback").exit_code == 0


def test_keys_that_the_live_bundle_lacks_too_keep_nobody_from_going_back(
    project: SeveralZones,
) -> None:
    (project.folder / "keys").rename(project.folder / "gone")
    result = lzc(project.folder, "rollback")
    assert (result.exit_code, result.stderr) == (0, "")


def test_an_unknown_id_exits_with_1_and_lists_what_there_is(project: SeveralZones) -> None:
    result = lzc(project.folder, "rollback", "abcdef")
    assert result.exit_code == 1
    for one in _listed(project):
        assert f"{one['id']} built 20" in result.stderr
    assert lzc(project.folder, "rollback", "--list").stdout.count(" 3 zone(s)") == 2
    found = json.loads(lzc(project.folder, "rollback", "--format", "json", "abcdef").stdout)
    assert [one["rule"] for one in found["faults"]] == ["rollback-unknown"]


def _listed(project: SeveralZones) -> list[dict[str, object]]:
    done = lzc(project.folder, "rollback", "--list", "--format", "json")
    listed: list[dict[str, object]] = json.loads(done.stdout)["bundles"]
    return listed

"""What ``lzc rollback`` says, to people and to scripts, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.unit.command_line import lzc
from tests.unit.several_zones import SeveralZones


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

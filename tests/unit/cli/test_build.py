"""What ``lzc build`` says, to people and to scripts, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result

from lzc.cli.faults import MOST_OF_A_RULE
from tests.unit.command_line import lzc
from tests.unit.several_zones import BROKEN, ZONES, SeveralZones


@pytest.fixture
def project(tmp_path: Path) -> SeveralZones:
    return SeveralZones(tmp_path)


def _built(project: SeveralZones, *arguments: str, code: int = 0) -> Result:
    result = lzc(project.folder, "build", *arguments)
    assert result.exit_code == code, result.output
    return result


def test_the_second_build_in_a_row_says_that_nothing_changed(project: SeveralZones) -> None:
    assert len(_built(project).stdout.splitlines()) == 1
    first, last = _built(project).stdout.splitlines()
    assert first == "nothing changed"
    assert last.endswith(project.live())


def test_what_changed_came_and_went_is_said(project: SeveralZones) -> None:
    _built(project)
    project.write("plain.example", "new A 192.0.2.9\n")
    project.write("late.example", "www A 192.0.2.9\n")
    project.file("lua.example").unlink()
    assert _built(project).stdout.splitlines()[:-1] == [
        "changed  plain.example., serial 5 -> 6",
        "came     late.example., serial 5",
        "WENT     lua.example.: not served any more, as it has no source any more",
    ]
    project.write("lua.example", ZONES["lua.example"])
    project.file("late.example").unlink()
    found = json.loads(_built(project, "--format", "json").stdout)
    assert found["changed"] == found["kept"] == []
    assert found["came"] == [{"zone": "lua.example.", "before": None, "after": 5}]
    assert found["went"] == [{"zone": "late.example.", "before": 5, "after": None}]


def test_of_many_zones_some_are_named_and_the_others_counted(project: SeveralZones) -> None:
    _built(project)
    for number in range(100):
        project.write(f"z{number:02}.example", "")
    lines = _built(project).stdout.splitlines()
    assert lines[-2] == "came     and 80 more"
    assert len(lines) == 22


def test_keys_that_change_are_a_change(project: SeveralZones) -> None:
    _built(project)
    assert lzc(project.folder, "keys", "generate", "signed.example", "--add").exit_code == 0
    assert _built(project).stdout.splitlines()[0] == "changed  signed.example., serial 5"


def test_a_zone_that_is_kept_is_loud_and_exits_with_3(project: SeveralZones) -> None:
    _built(project)
    project.write("lua.example", BROKEN)
    project.write("late.example", BROKEN)
    result = _built(project, code=3)
    assert result.stderr.count("error: A record: not an IPv4 address") == 2
    assert "KEPT        lua.example. as it was, with serial 5: zones/lua.exam" in result.stderr
    assert "LEFT OUT    late.example., which is not live: zones/late.example.zone:" in result.stderr
    assert result.stdout.split()[-1] == project.live()
    result = _built(project, "--format", "json", code=3)
    found = json.loads(result.stdout)
    assert [one["zone"] for one in found["kept"]] == ["lua.example.", "late.example."]
    assert [one["severity"] for one in found["faults"]].count("error") == 2


def test_one_line_is_told_for_one_generate(project: SeveralZones) -> None:
    generated = "$GENERATE 1-100 a$ CNAME www\n$GENERATE 1-100 a$ TXT x\n"
    project.write("plain.example", generated + "www A 192.0.2.1\n")
    result = lzc(project.folder, "check", "plain.example")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if ": error: " in line]
    assert len(lines) <= 2, lines
    assert "and 99 more of the same from this line" in lines[0]
    assert "[cname-and-other-data]" in lines[0]


def test_of_many_warnings_of_a_rule_some_are_shown_and_json_has_all(
    project: SeveralZones,
) -> None:
    lines = [f'a{number} LUA A "createForward()"\n' for number in range(50)]
    project.write("plain.example", "".join(lines))
    shown = lzc(project.folder, "check", "plain.example").stderr
    assert shown.count("warning: createForward without") == MOST_OF_A_RULE
    assert f"{50 - MOST_OF_A_RULE} more warnings of this rule are not shown" in shown
    assert "lzc: 0 error(s), 50 warning(s)" in shown
    result = lzc(project.folder, "check", "--format", "json", "plain.example")
    assert len(json.loads(result.stdout)["faults"]) == 50


def test_zones_that_are_named_by_files_without_zone_are_said(project: SeveralZones) -> None:
    project.file("plain.example").rename(project.folder / "zones/plain.example")
    said = "named by files without .zone: plain.example. (zones/plain.example)"
    assert _built(project).stdout.splitlines()[0] == said
    assert said in lzc(project.folder, "check").stdout
    project.path.write_text(
        project.path.read_text() + '[zone."other.example"]\nsource = "zones/plain.example"\n'
    )
    assert "named by" not in _built(project).stdout


def test_an_owner_outside_of_the_zone_may_be_a_file_of_another_name(project: SeveralZones) -> None:
    project.write("plain.example", "www.other.example. A 192.0.2.1\n")
    told = lzc(project.folder, "check", "plain.example").stderr
    assert "[out-of-zone]" in told
    assert '[zone."NAME"] source = "FILE"' in told


@pytest.mark.parametrize("arguments", [["build", "--zone"], ["check"]])
def test_a_zone_that_is_unknown_is_wrong_usage(project: SeveralZones, arguments: list[str]) -> None:
    result = lzc(project.folder, *arguments, "plane.example")
    assert result.exit_code == 2
    assert "plane.example is no zone of this project; did you mean plain.example" in result.stderr


def test_only_the_zones_that_are_named_are_checked(project: SeveralZones) -> None:
    project.write("lua.example", BROKEN)
    path = str(project.file("plain.example"))
    result = lzc(project.folder, "check", path, "SIGNED.example.")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "2 zone(s), 8 records: no errors\n"
    assert lzc(project.folder, "check", "lua.example").exit_code == 1
    assert lzc(project.folder, "check").exit_code == 1

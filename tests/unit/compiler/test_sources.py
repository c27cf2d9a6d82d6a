"""Which zones a project has."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import pytest

from lzc import config
from lzc.compiler.incremental.memory import OF_SOURCE
from lzc.compiler.inputs.sources import ConfigFile, ZoneSource, find
from lzc.faults import Fault
from lzc.wire import name as wire_name
from tests.unit.command_line import HEAD, lzc


def _find(folder: Path, toml: str, *files: str) -> tuple[list[ZoneSource], list[Fault]]:
    for file in files:
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    path = folder / "lzc.toml"
    path.write_text(toml)
    settings = config.load(path)
    return find(settings, ConfigFile.of(settings, path))


def _names(zones: list[ZoneSource]) -> dict[str, str]:
    return {zone.name: zone.shown_as for zone in zones}


GLOB = '[build]\nsources = ["zones/*.zone"]\n'


def test_globs_name_zones_after_their_files(tmp_path: Path) -> None:
    zones, faults = _find(tmp_path, GLOB, "zones/b.org.zone", "zones/A.org.zone", "zones/x.txt")
    assert not faults
    assert _names(zones) == {"a.org.": "zones/A.org.zone", "b.org.": "zones/b.org.zone"}
    assert [zone.apex for zone in zones] == sorted(zone.apex for zone in zones)


def test_globs_may_descend_and_name_files_without_the_suffix(tmp_path: Path) -> None:
    zones, faults = _find(
        tmp_path,
        '[build]\nsources = ["z/**/*.zone", "other/*"]\n',
        "z/a/b/x.org.zone",
        "other/y.org",
    )
    assert not faults
    assert _names(zones) == {"x.org.": "z/a/b/x.org.zone", "y.org.": "other/y.org"}


def test_a_section_overrides_the_source_or_adds_a_zone(tmp_path: Path) -> None:
    zones, faults = _find(
        tmp_path,
        GLOB + '[zone."a.org"]\nsource = "other/a"\n[zone."0/25.2.0.192.in-addr.arpa."]\n'
        'source = "other/reverse"\n[zone."."]\nsource = "zones/theroot.zone"\n',
        "zones/a.org.zone",
        "zones/theroot.zone",
        "other/a",
        "other/reverse",
    )
    assert not faults
    assert _names(zones) == {
        ".": "zones/theroot.zone",
        "a.org.": "other/a",
        "0/25.2.0.192.in-addr.arpa.": "other/reverse",
    }


def test_settings_of_a_zone_win_over_the_general_ones(tmp_path: Path) -> None:
    zones, faults = _find(
        tmp_path,
        '[lua]\nenable = true\n[build]\nsources = ["*.zone"]\nserial = "unixtime"\n'
        '[zone."B.ORG."]\nlua = false\ndnssec = true\nserial = "keep"\n',
        "a.org.zone",
        "b.org.zone",
    )
    assert not faults
    assert [(zone.lua, zone.signed, zone.policy) for zone in zones] == [
        (True, False, "unixtime"),
        (False, True, "keep"),
    ]


@pytest.mark.parametrize(
    ("toml", "files", "rule", "where"),
    [
        (GLOB, [], "source-missing", "lzc.toml:2:"),
        (
            GLOB + '[zone."b.org"]\nsource = "b"\n',
            ["zones/a.zone"],
            "source-missing",
            "lzc.toml:4:",
        ),
        (GLOB + '[zone."b.org"]\ndnssec = true\n', ["zones/a.zone"], "zone-unknown", "lzc.toml:3:"),
        (
            GLOB + '[zone."a"]\ndnssec = true\n[zone."A."]\nlua = true\n',
            ["zones/a.zone"],
            "zone-twice",
            "lzc.toml:5:",
        ),
        (
            '[build]\nsources = ["1/*.zone", "2/*.zone"]\n',
            ["1/a.zone", "2/a.zone"],
            "zone-twice",
            "2/a.zone",
        ),
        ('[build]\nsources = ["*.zone"]\n', ["A.zone", "a.zone"], "zone-twice", "a.zone"),
        (GLOB, ["zones/a..b.zone"], "zone-name", "zones/a..b.zone"),
        (GLOB, ["zones/.zone"], "source-missing", "lzc.toml:2:"),
        ("", [], "no-zones", "lzc.toml:1:"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, toml: str, files: list[str], rule: str, where: str
) -> None:
    _, faults = _find(tmp_path, toml, *files)
    assert [fault.rule for fault in faults] == [rule]
    assert where in str(faults[0].place)
    assert faults[0].fix


def test_a_file_matched_twice_is_one_zone(tmp_path: Path) -> None:
    zones, faults = _find(tmp_path, '[build]\nsources = ["*.zone", "a*"]\n', "a.org.zone")
    assert not faults
    assert [wire_name.to_text(zone.apex) for zone in zones] == ["a.org."]


def test_a_badly_named_file_matched_twice_is_told_once(tmp_path: Path) -> None:
    toml = '[build]\nsources = ["zones/*", "zones/a*"]\n'
    _, faults = _find(tmp_path, toml, "zones/a..b.zone")
    assert [fault.rule for fault in faults] == ["zone-name"]


@pytest.mark.parametrize("output_format", ["text", "json", "sarif", "github"])
def test_files_with_names_that_are_not_utf_8_are_told(tmp_path: Path, output_format: str) -> None:
    """On Linux a name is octets, and a pull request may hold any."""
    (tmp_path / "zones").mkdir()
    (tmp_path / "lzc.toml").write_text('[build]\nsources = ["zones/*.zone"]\n')
    Path(os.fsdecode(bytes(tmp_path / "zones") + b"/\xff.zone")).write_text("x A 192.0.2.1\n")
    result = lzc(tmp_path, "check", "--format", output_format)
    assert result.exit_code == 1
    assert "UTF-8" in result.output + result.stderr


def test_a_project_may_be_in_a_folder_whose_name_is_not_utf_8(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(bytes(tmp_path) + b"/\xff"))
    (folder / "zones").mkdir(parents=True)
    (folder / "lzc.toml").write_text('[build]\nsources = ["zones/*.zone"]\n')
    (folder / "zones" / "example.org.zone").write_text(HEAD)
    for command in ("build", "verify", "check"):
        assert lzc(folder, command).exit_code == 0
    assert lzc(folder, "query", "www.example.org").exit_code == 0


def test_all_settings_of_a_source_are_remembered() -> None:
    # But the apex, which it is remembered by.
    assert len(fields(ZoneSource)) - 1 == OF_SOURCE


def test_the_dialect_is_that_of_the_project(tmp_path: Path) -> None:
    for text, as_powerdns in (("", False), ('dialect = "powerdns"\n', True)):
        zones, _ = _find(tmp_path, GLOB + text, "zones/b.org.zone")
        assert [zone.as_powerdns for zone in zones] == [as_powerdns]

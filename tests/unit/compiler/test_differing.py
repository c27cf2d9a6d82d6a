"""What another version of PowerDNS answers otherwise is told with both answers, and no more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lzc import config
from lzc.compiler import pipeline
from lzc.dnssec.keystore import FLAGS, Keystore
from lzc.powerdns_versions import parse_version
from tests.unit.command_line import HEAD, build_project, lzc
from tests.unit.compiler.test_over_old_formats import FORMATS
from tests.unit.compiling import wire

ZONE = HEAD + (
    "same 60 IN LUA A \"pickhashed({'192.0.2.1', '192.0.2.2'})\"\n"
    '*.fwd 60 IN LUA A "createForward()"\n'
    'text 60 IN LUA TXT "\'a" "b\'"\n'
    "sets 60 IN LUA A \"ifportup(80, {{'192.0.2.1'}, {'192.0.2.2'}}, {backupSelector='all'})\"\n"
    "head 60 IN LUA TXT \"dh:getID() and 'there'\"\n"
)


def differences(folder: Path, against: str) -> dict[str, str]:
    """What is told of each line of the zone, without the version here."""
    loaded = config.load(folder / "lzc.toml", against=parse_version(against))
    faults = pipeline.check(loaded).warnings
    told = [fault for fault in faults if fault.rule == "lua-version-differs"]
    return {ZONE.splitlines()[fault.place.line - 1].split()[0]: fault.message for fault in told}


@pytest.mark.parametrize(
    ("against", "expected"),
    [
        ("powerdns-5.1", {}),
        (
            "powerdns-4.9",
            {
                "text": 'powerdns-5.1 answers "ab"; powerdns-4.9 answers "a   b"',
                "sets": "with checks all down: powerdns-5.1 answers 192.0.2.1;"
                " powerdns-4.9 answers 192.0.2.1, 192.0.2.2",
                "head": 'powerdns-5.1 answers SERVFAIL; powerdns-4.9 answers "there"',
                "*.fwd": "",
            },
        ),
        (
            "powerdns-4.7",
            {
                "text": 'powerdns-5.1 answers "ab"; powerdns-4.7 answers "a   b"',
                "sets": "powerdns-5.1 answers 192.0.2.1; powerdns-4.7 answers SERVFAIL",
                "head": 'powerdns-5.1 answers SERVFAIL; powerdns-4.7 answers "there"',
                "*.fwd": "",
            },
        ),
    ],
)
def test_what_a_version_answers_otherwise_is_told(
    tmp_path: Path, against: str, expected: dict[str, str]
) -> None:
    build_project(tmp_path, {"example.net": ZONE})
    found = differences(tmp_path, against)
    assert found.keys() == expected.keys(), found
    for name, message in expected.items():
        assert message in found[name]


def test_the_command_says_it_and_nothing_else(tmp_path: Path) -> None:
    build_project(tmp_path, {"example.net": ZONE + 'bad 60 IN LUA A "nobody"\n'})
    result = lzc(tmp_path, "check", "--against", "powerdns-4.9")
    assert "lua-version-differs" in result.stderr and "nobody" not in result.stderr
    assert lzc(tmp_path, "check", "--against", "powerdns-5.1", "--strict").exit_code == 0
    assert lzc(tmp_path, "check", "--against", "powerdns-4.9", "--strict").exit_code == 1


def test_a_version_that_is_none_is_refused(tmp_path: Path) -> None:
    build_project(tmp_path, {"example.net": ZONE})
    result = lzc(tmp_path, "check", "--against", "bind-9.18")
    assert result.exit_code == 2
    assert "bind-9.18" in result.stderr


def test_the_first_build_over_an_older_bundle_tells_what_changes(tmp_path: Path) -> None:
    """Until then the answers were those of 4.7."""
    shutil.copytree(FORMATS / "zones", tmp_path / "zones")
    shutil.copytree(FORMATS / "3", tmp_path / "build", symlinks=True)
    shutil.copy(FORMATS / "lzc.toml", tmp_path)
    Keystore(tmp_path / "keys").generate(wire("signed.example"), 13, FLAGS["csk"], 0.0)
    zone = tmp_path / "zones/lua.example.zone"
    zone.write_text(zone.read_text() + 'joined 60 IN LUA TXT "\'a" "b\'"\n')

    def told() -> list[str]:
        path = tmp_path / "lzc.toml"
        result = pipeline.build(config.load(path), config_path=path)
        return [fault.message for fault in result.warnings if fault.rule == "lua-version-differs"]

    assert [message for message in told() if "joined" in message] == [
        'joined.lua.example.: powerdns-5.1 answers "ab"; powerdns-4.7 answers "a   b"'
    ]
    zone.write_text(zone.read_text() + "later 60 IN A 192.0.2.9\n")
    assert told() == []

"""What another version of PowerDNS answers otherwise is told with both answers, and no more."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lzc import config
from lzc.compiler import pipeline
from lzc.dnssec.keystore.keystore import FLAGS, Keystore
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


def differences(folder: Path, against: str, zone: str = ZONE) -> dict[str, str]:
    """What is told of each line of the zone, without the version here."""
    loaded = config.load(folder / "lzc.toml", against=parse_version(against))
    faults = pipeline.check(loaded).warnings
    told = [fault for fault in faults if fault.rule == "lua-version-differs"]
    return {zone.splitlines()[fault.place.line - 1].split()[0]: fault.message for fault in told}


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


SETS = "ifurlup('http://www.example.net/', {{'192.0.2.1'}, {'192.0.2.2'}}, {backupSelector='all'})"
NOTHING = "pickwhashed({{0, '192.0.2.1'}, {1, '192.0.2.2'}})"
MANY = " ".join(f"if country('{code}') then return '192.0.2.1' end" for code in ("DE", "FR") * 6)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # The same code at several names.
        ([f'www LUA A "{SETS}"', f'web LUA A "{SETS}"', f'*.a LUA A "{SETS}"'], "www web *.a"),
        (['*.a LUA AAAA "createForward6()"', '*.b.a LUA AAAA "createForward6()"'], "*.a *.b.a"),
        # On the last of many ways, and on those of some clients.
        ([f'www LUA A ";{MANY} return {NOTHING}"'], "www"),
        (
            [f"www LUA A \";if bestwho:isIPv6() then return {NOTHING} end return '192.0.2.1'\""],
            "www",
        ),
        ([f"www LUA A \";if ecswho then return {NOTHING} end return '192.0.2.1'\""], "www"),
        # What only one of them has, as far as that shows.
        (["www LUA A \";return dblookup and '192.0.2.1' or '192.0.2.2'\""], "www"),
        (["db LUA A \"dblookup('www.example.net', pdns.A)\"", "www A 192.0.2.1"], "db"),
        (["www LUA A \";if false then return newQType('TSIG') end return '192.0.2.1'\""], ""),
    ],
)
def test_each_record_is_compared_by_itself(
    tmp_path: Path, records: list[str], expected: str
) -> None:
    zone = "@ 60 SOA ns hostmaster 7 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.53\n"
    zone += "".join(f"{record}\n" for record in records)
    write_project(tmp_path, zone, "4.7")
    found = differences(tmp_path, "powerdns-5.1", zone)
    assert sorted(found) == sorted(expected.split()), found


def write_project(folder: Path, zone: str, version: str) -> None:
    (folder / "zones").mkdir()
    (folder / "zones/example.net.zone").write_text(zone)
    lua = f'[lua]\nenable = true\npowerdns = "{version}"\n'
    (folder / "lzc.toml").write_text(f'[build]\nsources = ["zones/*.zone"]\n{lua}')


REVERSE = "createReverse6('%33%.example.net.')"


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        # The first of them answers alike.
        (['* LUA AAAA "createForward6()"', '*.a LUA AAAA "createForward6()"'], {"*.a": ""}),
        # What the wildcard answers for is asked: nothing of the zone is below, or in the way.
        ([f'* LUA PTR "{REVERSE}"', "1.0.0.0 PTR a"], {"*": "0.1.8.b.d.0.1.0.0.2.ip6.arpa.: "}),
        (
            ['* LUA TXT "tostring(dh:getRD())"', "www A 192.0.2.1"],
            {"*": "any.8.b.d.0.1.0.0.2.ip6.arpa.: "},
        ),
    ],
)
def test_names_are_asked_that_the_wildcard_answers_for(
    tmp_path: Path, records: list[str], expected: dict[str, str]
) -> None:
    apex = "8.b.d.0.1.0.0.2.ip6.arpa"
    zone = "@ 60 SOA ns.a. hostmaster 7 7200 900 1209600 300\n@ NS ns.a.\n"
    zone += "".join(f"{record}\n" for record in records)
    write_project(tmp_path, zone, "4.9")
    (tmp_path / "zones/example.net.zone").rename(tmp_path / f"zones/{apex}.zone")
    found = differences(tmp_path, "powerdns-5.1", zone)
    assert found.keys() == expected.keys(), found
    assert all(words in found[owner] for owner, words in expected.items()), found


@pytest.mark.parametrize(
    ("code", "differs"),
    [
        ("string.char(34) .. 'a' .. string.char(34)", True),
        ("'\\034a\\034'", True),
        ("string.char(97)", False),
        ("'a'", False),
    ],
)
def test_double_quotes_in_texts_are_told(tmp_path: Path, code: str, differs: bool) -> None:
    zone = HEAD + f'text LUA TXT "{code}"\n'
    write_project(tmp_path, zone, "4.7")
    assert bool(differences(tmp_path, "powerdns-5.1", zone)) is differs


def test_what_dblookup_finds_is_shown(tmp_path: Path) -> None:
    zone = HEAD + "db 60 LUA A \"dblookup('www.example.net', pdns.A)\"\n"
    build_project(tmp_path, {"example.net": zone})
    found = differences(tmp_path, "powerdns-4.7", zone)
    assert "powerdns-5.1 answers 192.0.2.1; powerdns-4.7 answers SERVFAIL" in found["db"]


def test_one_of_what_a_directive_makes_is_told(tmp_path: Path) -> None:
    zone = HEAD + f'$GENERATE 1-20 www$ 60 LUA A "{SETS}"\n'
    build_project(tmp_path, {"example.net": zone})
    loaded = config.load(tmp_path / "lzc.toml", against=parse_version("powerdns-4.7"))
    faults = pipeline.check(loaded).warnings
    told = [fault.message for fault in faults if fault.rule == "lua-version-differs"]
    assert len(told) == 1 and "www1." in told[0], told


def test_the_command_says_it_and_nothing_else(tmp_path: Path) -> None:
    build_project(tmp_path, {"example.net": ZONE + 'bad 60 IN LUA A "nobody"\n'})
    result = lzc(tmp_path, "check", "--against", "powerdns-4.9")
    assert "lua-version-differs" in result.stderr and "nobody" not in result.stderr
    assert lzc(tmp_path, "check", "--against", "powerdns-5.1", "--strict").exit_code == 0
    assert lzc(tmp_path, "check", "--against", "powerdns-4.9", "--strict").exit_code == 1


@pytest.mark.parametrize(("version", "told"), [("4.9", False), ("5.1", True)])
def test_code_that_the_other_version_alone_would_end_is_told(
    tmp_path: Path, version: str, told: bool
) -> None:
    zone = HEAD + "long 60 LUA A \";local n=0 for i=1,5000 do n=n+i end return '192.0.2.1'\"\n"
    write_project(tmp_path, zone, "4.7")
    result = lzc(tmp_path, "check", "--against", f"powerdns-{version}")
    assert ("lua-instructions" in result.stderr) is told


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

"""What the build says of LUA records that fail when they are run, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc import config
from lzc.compiler import pipeline
from lzc.faults import Fault, InputError
from tests.unit import lint_project

CONFIG = '[build]\nsources = ["zones/*.zone"]\n[lua]\nenable = true\n'


def check(folder: Path, body: str, *zones: str) -> list[Fault]:
    (folder / "zones").mkdir()
    (folder / "lzc.toml").write_text(CONFIG)
    for zone in zones or ("example.org",):
        (folder / "zones" / f"{zone}.zone").write_text(lint_project.TOP + body)
    try:
        return list(pipeline.check(config.load(folder / "lzc.toml")).warnings)
    except InputError as error:
        return list(error.faults)


@pytest.mark.parametrize(
    "code",
    [
        # Needs a database, of which the build knows no content.
        ";local t={NL='192.0.2.1'} return t[countryCode()]",
        ";return ({EU={'192.0.2.1'}})[continentCode()]",
        ";return ({['1103']='192.0.2.1'})[geoiplookup(bestwho:toString(), 0)]",
        # Needs a client that is not the usual one.
        ";local n = ecswho:toString() return '192.0.2.1'",
        ";if not tcp then error('over TCP only') end return '192.0.2.1'",
        ";if who:isIPv4() then error('no') end return '192.0.2.1'",
        ";include('geo') return pick()",
    ],
)
def test_code_that_works_for_some_client_is_not_said_to_fail(tmp_path: Path, code: str) -> None:
    body = (
        "geo LUA LUA \"function pick() return ({NL='192.0.2.1'})[countryCode()] end\"\n"
        f'www LUA A "{code}"\n'
    )
    assert check(tmp_path, body) == []


def test_code_that_always_fails_is_told_with_the_reason_and_the_command(tmp_path: Path) -> None:
    (fault,) = check(tmp_path, "www LUA A \";error('not ready')\"\n")
    assert fault.rule == "lua-fails"
    assert fault.message == "the LUA record's code fails each time it is tried: not ready"
    assert fault.fix.endswith("lzc query --explain www.example.org. A")


@pytest.mark.parametrize(
    ("code", "why"),
    [
        (
            ";if country('NL') then return '192.0.2.1' elseif continent('EU') then"
            " return '192.0.2.2' end",
            "a record returns a string or a list of strings, not nil",
        ),
        (
            ";local t = {NL = '192.0.2.1'} if country('NL') then return t.NL end return t.DE",
            "a record returns a string or a list of strings, not nil",
        ),
        (
            ";local up = ifportup(80, {'192.0.2.1'}, {backupSelector='empty'}) return up[1]..''",
            "attempt to concatenate a nil value",
        ),
    ],
)
def test_code_that_fails_on_one_way_alone_is_told(tmp_path: Path, code: str, why: str) -> None:
    (fault,) = check(tmp_path, f'www LUA A "{code}"\n')
    assert fault.rule == "lua-fails"
    assert fault.message == (
        f"the LUA record's code fails on one of the ways that it may take: {why}"
    )


@pytest.mark.parametrize(
    "code",
    [
        # Who is asked twice says the same.
        ";if country('NL') then return '192.0.2.1' elseif not country('NL') then"
        " return '192.0.2.2' end",
        ";if netmask({'10.0.0.0/8'}) then return '192.0.2.1' end"
        " if not netmask({'10.0.0.0/8'}) then return '192.0.2.2' end",
        # Everybody is there.
        ";if country('NL') then return '192.0.2.1' elseif netmask({'0.0.0.0/0', '::/0'}) then"
        " return '192.0.2.2' end",
        # It is meant to.
        ";if country('NL') then return '192.0.2.1' end error('not for you')",
    ],
)
def test_ways_that_nobody_takes_or_that_are_meant_to_fail_are_not_told(
    tmp_path: Path, code: str
) -> None:
    assert check(tmp_path, f'www LUA A "{code}"\n') == []


def test_a_fault_in_a_shared_file_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "lua").mkdir()
    (tmp_path / "lua" / "www.lua").write_text("-- shared\nreturn pickrandm({'192.0.2.1'})\n")
    (tmp_path / "lua" / "bad.lua").write_text("-- shared\nreturn pickrandom({'192.0.2.1'\n")
    body = "".join(
        f'{name} LUA A $FILE "../lua/{file}.lua"\n' for name in "abc" for file in ("www", "bad")
    )
    faults = check(tmp_path, body, "example.org", "example.com")
    syntax = [(one.place.line, one.place.column) for one in faults if one.rule == "lua-syntax"]
    assert syntax == [(2, 31)]
    (tmp_path / "lua" / "bad.lua").write_text("return '192.0.2.1'\n")
    with pytest.raises(InputError) as caught:
        pipeline.check(config.load(tmp_path / "lzc.toml"))
    assert [(one.rule, one.place.line, one.place.column) for one in caught.value.faults] == [
        ("lua-unknown-function", 2, 8)
    ]


def test_an_error_elsewhere_hides_nothing_that_is_certain(tmp_path: Path) -> None:
    faults = check(
        tmp_path,
        "base LUA LUA \"pool = {'192.0.2.1'\"\n"
        "a LUA A \"pickrandm({'192.0.2.1'})\"\n"
        "b LUA A \";error('not ready')\"\n"
        "c LUA A \";include('base') return pickrandom(pool)\"\n"
        "d LUA A \";include('base') return pikc(pool)\"\n"
        "e LUA A \"'192.0.2.1'\" ; lzc: ignore lua-ttl\n",
    )
    assert [(one.rule, one.place.line - 3) for one in faults] == [
        ("lua-syntax", 1),
        ("lua-unknown-function", 2),
        ("lua-fails", 3),
    ]


def test_a_mark_in_front_of_code_to_be_included_is_told(tmp_path: Path) -> None:
    """PowerDNS logs that it cannot load such code, and goes on without it."""
    (fault,) = check(
        tmp_path,
        "pool LUA LUA \";pool = {'192.0.2.1'}\"\n"
        "www LUA A \";include('pool') return pickrandom(pool)\"\n",
    )
    assert (fault.rule, fault.place.line, fault.place.column) == ("lua-syntax", 4, 15)
    assert "starts without ';'" in fault.message


@pytest.mark.parametrize("record", ['"FILE lua/x.lua"', '$INCLUDE "x.lua"', '"file:lua/x.lua"'])
def test_a_path_in_place_of_code_is_answered_with_the_directive(
    tmp_path: Path, record: str
) -> None:
    (fault,) = check(tmp_path, f"www LUA A {record}\n")
    assert fault.rule == "lua-syntax"
    assert "$FILE" in fault.fix


@pytest.mark.parametrize("code", ['"192.0.2.1"', '"pickrandom({"192.0.2.1"})"'])
def test_an_address_without_quotes_is_told_to_be_text(tmp_path: Path, code: str) -> None:
    (fault,) = check(tmp_path, f"www LUA A {code}\n")
    assert "an address is text, in single quotes" in fault.message

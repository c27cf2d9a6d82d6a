"""Where lzc differs from PowerDNS on purpose: each number of the manual's chapter has a test that
is marked with it, here or beside what it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.answer.lua_answer import rdatas_of
from lzc.lua.engine.engine import EngineSettings, LuaFailure
from lzc.powerdns_versions import LATEST
from lzc.wire import rrtype
from tests.unit.command_line import HEAD, build_project, lzc
from tests.unit.lua_running import Health, Runner
from tests.unit.manual.reference import held, numbered


def test_every_difference_of_the_manual_is_held_by_a_test_and_every_mark_is_one_of_them() -> None:
    assert numbered() == sorted(held(), key=lambda number: int(number.removeprefix("D-")))


@pytest.mark.difference("D-2")
def test_dblookup_follows_no_alias_and_no_wildcard(tmp_path: Path) -> None:
    zone = HEAD + (
        "alias 60 IN CNAME www\n*.wild 60 IN A 192.0.2.7\n"
        "there 60 IN LUA TXT \"#dblookup('www.example.net', pdns.A)\"\n"
        "elsewhere 60 IN LUA TXT \"#dblookup('www.example.org', pdns.A)\"\n"
        "followed 60 IN LUA TXT \"#dblookup('alias.example.net', pdns.A)\"\n"
        "made 60 IN LUA TXT \"#dblookup('x.wild.example.net', pdns.A)\"\n"
    )
    build_project(tmp_path, {"example.net": zone, "example.org": HEAD})
    for name, count in (("there", 1), ("elsewhere", 1), ("followed", 0), ("made", 0)):
        answer = lzc(tmp_path, "query", f"{name}.example.net", "TXT")
        assert f'\tTXT\t"{count}"' in answer.stdout, name


@pytest.mark.difference("D-5")
def test_the_port_of_a_client_is_not_told() -> None:
    assert Runner()("who:toStringWithPort()..' '..who:getPort()") == ["192.0.2.10:0 0"]


@pytest.mark.difference("D-6")
def test_the_backup_selector_has_the_candidates_of_all_sets() -> None:
    run = Runner(health=Health(otherwise=False))
    sets = "{{'192.0.2.1','192.0.2.2'},{'198.51.100.1'}}"
    found = run(f"ifportup(443, {sets}, {{backupSelector='all'}})")
    assert sorted(found) == ["192.0.2.1", "192.0.2.2", "198.51.100.1"]
    assert run(f"ifportup(443, {sets}, {{backupSelector='empty'}})") == []


@pytest.mark.difference("D-7")
def test_names_in_hex_are_read_as_by_4_7(tmp_path: Path) -> None:
    four, six = (
        HEAD + '* 60 IN LUA A "createForward()"\n',
        HEAD + '* 60 IN LUA AAAA "createForward6()"\n',
    )
    build_project(tmp_path, {"four.example": four, "six.example": six, "example.net": HEAD})
    for name, kind, address, read in (
        ("ipc0000207.four", "A", "192.0.2.7", True),
        ("2001-db8--1.six", "AAAA", "2001:db8::1", True),
        ("c0000207.four", "A", "192.0.2.7", False),
        (f"20010db8{1:024x}.six", "AAAA", "2001:db8::1", False),
    ):
        answer = lzc(tmp_path, "query", f"{name}.example", kind)
        assert (f"\t{kind}\t{address}\n" in answer.stdout) is read, name


@pytest.mark.difference("D-9")
@pytest.mark.parametrize(
    ("covered", "text"),
    [
        (rrtype.DS, b"1 13 2 ABCD"),
        (rrtype.DS, b"1 13 2 " + b"0" * 63),
        (rrtype.MX, b"10mail."),
    ],
)
def test_a_result_that_is_no_rdata_fails(covered: int, text: bytes) -> None:
    with pytest.raises(LuaFailure):
        rdatas_of(covered, [text], LATEST)


@pytest.mark.difference("D-13")
def test_lists_have_numbers_for_keys() -> None:
    for code in ("pickrandom({['1']='a'})", "pickwhashed({['1']={1,'a'}})"):
        with pytest.raises(LuaFailure, match="list expected"):
            Runner()(code)


@pytest.mark.difference("D-14")
def test_weights_have_a_sum_that_counts() -> None:
    run = Runner()
    assert run("pickwhashed({{2147483647,'a'}})") == ["a"]
    for weights in ("{0,'a'}", "{2147483647,'a'},{1,'b'}"):
        with pytest.raises(LuaFailure):
            run(f"pickwhashed({{{weights}}})")


@pytest.mark.difference("D-15")
def test_addresses_have_no_scope() -> None:
    with pytest.raises(LuaFailure):
        Runner()("newCA('fe80::1%eth0'):toString()")


@pytest.mark.difference("D-18")
def test_a_record_finds_in_its_globals_what_it_set_and_the_tables_it_used() -> None:
    names = "local n = {} for k in pairs(_G) do n[#n+1] = k end table.sort(n)"
    code = f";mine = pickrandom {names} return table.concat(n, ' ')"
    assert Runner()(code) == ["_G mine"]
    assert Runner()(code.replace("mine", "string.rep('a', 2) mine")) == ["_G mine string"]


@pytest.mark.difference("D-21")
def test_an_execution_ends_when_its_time_does() -> None:
    with pytest.raises(LuaFailure) as caught:
        Runner(EngineSettings(exec_limit=0, time_limit=0.01))(";while true do end")
    assert caught.value.kind == "time"

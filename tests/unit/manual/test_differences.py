"""Where lzc differs from PowerDNS on purpose: each number of the manual's chapter has a test that
is marked with it, here or beside what it is about."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc.answer.lua_answer import rdatas_of
from lzc.lua.engine.execution import EngineSettings, LuaFailure
from lzc.powerdns_versions import LATEST, version_of
from lzc.wire import rrtype
from tests.unit.command_line import HEAD, build_project, lzc
from tests.unit.lua_running import Health, Runner, query
from tests.unit.manual.reference import held, numbered


def test_every_difference_of_the_manual_is_held_by_a_test_and_every_mark_is_one_of_them() -> None:
    assert sorted(numbered()) == sorted(held())


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


@pytest.mark.difference("D-35")
def test_of_several_included_records_the_first_is_run_first(tmp_path: Path) -> None:
    zone = HEAD + (
        'lib 60 IN LUA LUA "order = (order or [[]]) .. 1"\n'
        'lib 60 IN LUA LUA "order = (order or [[]]) .. 2"\n'
        "use 60 IN LUA TXT \";include('lib') return order\"\n"
    )
    build_project(tmp_path, {"example.net": zone})
    assert '\tTXT\t"12"' in lzc(tmp_path, "query", "use.example.net", "TXT").stdout


@pytest.mark.difference("D-36")
@pytest.mark.difference("D-37")
def test_any_has_the_alias_and_names_have_any_octets(tmp_path: Path) -> None:
    zone = HEAD + (
        "alias 60 IN LUA CNAME \"'www.example.net.'\"\nwww 60 IN A 192.0.2.7\n"
        "* 60 IN LUA A \"'192.0.2.8'\"\n"
    )
    build_project(tmp_path, {"example.net": zone})
    answer = lzc(tmp_path, "query", "alias.example.net", "ANY", "--tcp").stdout
    assert "\tCNAME\twww.example.net.\n" in answer and "192.0.2.7" not in answer
    for name in (r"\200", r"a\000b", r"a\ b"):
        assert "\tA\t192.0.2.8\n" in lzc(tmp_path, "query", rf"{name}.example.net", "A").stdout


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
    with pytest.raises(LuaFailure):
        run("pickwhashed({{3,'a'},{-2,'b'}})")


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


@pytest.mark.difference("D-44")
def test_the_language_has_what_5_1_has_but_for_some() -> None:
    run = Runner()
    assert run("#table.pack(1, 2) .. select('#', table.unpack({1, 2, 3}))") == ["23"]
    assert run("rawlen('ab')") == ["2"]
    measured = "setmetatable({}, {__len=function() return 7 end})"
    assert run(f"#{measured}") == ["0"]
    compared = "setmetatable({}, {__lt=function() return true end}) < setmetatable({}, {})"
    assert run(f"tostring((pcall(function() return {compared} end)))") == ["false"]
    assert run("tostring(select(2, coroutine.running()))") == ["true"]


@pytest.mark.difference("D-43")
def test_an_option_that_cannot_be_read_is_as_if_it_were_not_given() -> None:
    health = Health(True)
    run = Runner(health=health)
    assert run("ifurlup('http://h/', {'192.0.2.1'}, {byteslimit='x'})") == ["192.0.2.1"]
    assert run("ifurlup('http://h/', {'192.0.2.1'})") == ["192.0.2.1"]
    assert len(set(health.asked)) == 1


@pytest.mark.difference("D-46")
@pytest.mark.parametrize("version", ["4.9", "5.1"])
def test_two_groups_of_digits_are_no_address(version: str) -> None:
    run = Runner(EngineSettings(powerdns=version_of(version)))
    asked = query("100-192.example.org.")._replace(encloser=2)
    assert run("createForward6()", asked) == ["::"]

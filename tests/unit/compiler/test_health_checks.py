"""The health checks that LUA records ask for end up in the bundle; code that is no Lua does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from lzc import config
from lzc.bundle import check_list, current
from lzc.bundle.manifest import CHECKS
from lzc.compiler.lua.health_checks import discover
from lzc.compiler.lua.plans import plan_zone
from lzc.compiler.lua.programs import Programs
from lzc.compiler.lua.stored import ZoneContents
from lzc.compiler.pipeline import build
from lzc.config import LuaSection
from lzc.faults import Fault, InputError, Severity
from lzc.health_check import Check
from tests.unit.compiling import HEAD, wire
from tests.unit.zone_text import read_zone_text


def _discover(text: str, settings: LuaSection | None = None) -> tuple[set[Check], list[Fault]]:
    zone, faults = read_zone_text((HEAD + text).encode(), wire("example.org"), "z.zone")
    assert not faults
    programs = Programs(zone, insert_whitespace=True)
    checks, faults = discover(programs, settings or LuaSection(), ZoneContents(zone, {}))
    return set(checks), faults


def _written(text: str) -> set[Check]:
    """The checks that a bundle gets besides those that running its records shows."""
    zone, faults = read_zone_text((HEAD + text).encode(), wire("example.org"), "z.zone")
    assert not faults
    return plan_zone(Programs(zone, insert_whitespace=True)).checks


def test_every_candidate_is_checked() -> None:
    checks, faults = _discover(
        "www LUA A \"ifportup(443, {'192.0.2.1', '192.0.2.2'})\"\n"
        "alt LUA A \"ifportup(443, {'192.0.2.2'})\"\n"
        "web LUA AAAA \"ifurlup('https://example.org/', {{'2001:db8::1'}})\"\n"
        "fix LUA A \"'192.0.2.7'\"\n"
    )
    assert not faults
    assert {(check.address, check.port, check.url) for check in checks} == {
        ("192.0.2.1", 443, ""),
        ("192.0.2.2", 443, ""),
        ("2001:db8::1", 0, "https://example.org/"),
    }


@pytest.mark.parametrize(
    "condition",
    [
        "ecswho",
        "tcp",
        "dnssecOK",
        "bestwho:toString()=='192.0.2.9'",
        "qname:countLabels()>3",
        "pdnsrandom(2)==1",
        "latlon()=='1.000000 2.000000'",
    ],
)
def test_a_check_on_constants_is_known_whatever_decides_whether_it_is_asked_for(
    condition: str,
) -> None:
    text = (
        f"www LUA A \";local pool={{'192.0.2.1'}} if {condition} then return ifportup(1,pool) end"
        f" local f=function() return ifurlup('http://x/',{{{{'192.0.2.2'}}}},{{timeout=1}}) end"
        f" if not ({condition}) then return f() end"
        f" return ifurlextup({{{{['192.0.2.3']='http://y/'}}}})\"\n"
        f"all LUA A \"{condition} and ifportup(2,{{'192.0.2.4'}}) or pickselfweighted('http://z/',"
        f"{{'192.0.2.5'}})\"\n"
    )
    assert _written(text) == {
        Check("192.0.2.1", 1),
        Check("192.0.2.2", url="http://x/", timeout=1),
        Check("", url="http://y/"),
        Check("192.0.2.4", 2),
        Check("192.0.2.5", url="http://z/"),
    }


@pytest.mark.parametrize(
    "call",
    [
        "ifportup(1,{qname:toString()})",
        "ifportup(1,pool)",
        "ifportup(70000,{'192.0.2.1'})",
        "ifportup(1,{'2001:db8::1'})",
        "ifportup()",
        "ifportup(1,{'192.0.2.1'},{timeout={}})",
        "ifurlup('http://x/',{{}},{source='x'})",
    ],
)
def test_calls_that_no_way_of_a_record_makes_out_give_no_checks(call: str) -> None:
    text = (
        f"www LUA A \";local pool={{'192.0.2.1'}} pool=qname if ecswho then return {call} end"
        " return '192.0.2.7'\"\n"
    )
    assert _written(text) == set()


def test_a_bundle_lists_checks_that_no_run_of_its_records_asks_for(tmp_path: Path) -> None:
    code = ";if ecswho then return ifportup(1,{'192.0.2.1'}) end return '192.0.2.2'"
    (tmp_path / "example.org.zone").write_text(HEAD + f'www LUA A "{code}"\n')
    (tmp_path / "lzc.toml").write_text("[build]\nsources=['*.zone']\n[lua]\nenable=true\n")
    build(config.load(tmp_path / "lzc.toml"))
    bundle = current.locate(tmp_path / "build")
    assert Check("192.0.2.1", 1) in check_list.read(bundle / CHECKS).checks


def test_included_code_counts_and_is_not_run_alone() -> None:
    checks, faults = _discover(
        "lib LUA LUA \"pool={'192.0.2.1','192.0.2.2'}\"\n"
        "www LUA A \";include('lib') return ifportup(80, pool)\"\n"
    )
    assert not faults
    assert {check.address for check in checks} == {"192.0.2.1", "192.0.2.2"}


def test_code_that_always_fails_is_a_warning() -> None:
    checks, faults = _discover("www LUA A \"ifportupp(443, {'192.0.2.1'})\"\n")
    assert not checks
    (fault,) = faults
    assert (fault.rule, fault.severity) == ("lua-fails", Severity.WARNING)
    assert "ifportupp" in fault.message
    assert fault.place.line == 5


@pytest.mark.parametrize("name", ["who", "bestwho", "localwho"])
def test_code_is_tried_with_the_addresses_that_each_query_has(name: str) -> None:
    assert _discover(f'www LUA TXT "{name}:toString()"\n') == (set(), [])


def test_code_that_fails_for_some_clients_is_no_fault() -> None:
    text = "www LUA A \";if country('DE') then error('x') end return '192.0.2.1'\"\n"
    assert _discover(text) == (set(), [])


def test_a_wildcard_may_fail_as_its_names_are_not_known() -> None:
    text = '*.fwd LUA AAAA ";error(qname)"\n'
    assert _discover(text) == (set(), [])


def _project(folder: Path, enable: str) -> None:
    (folder / "example.org.zone").write_text(
        HEAD + "www 60 LUA A \"ifportup(443, {'192.0.2.1'})\"\n"
    )
    (folder / "lzc.toml").write_text(f'[build]\nsources = ["*.zone"]\n[lua]\nenable = {enable}\n')


def test_checks_are_in_the_bundle_where_lua_is_enabled(tmp_path: Path) -> None:
    _project(tmp_path, "true")
    result = build(config.load(tmp_path / "lzc.toml"))
    assert (result.checks, result.warnings) == (1, [])
    with current.open_live(tmp_path / "build") as bundle:
        assert [(check.address, check.port) for check in bundle.checks] == [("192.0.2.1", 443)]
        view = bundle.zone(wire("example.org"))
        assert view is not None
        assert view.info.lua


def test_without_lua_nothing_is_run_or_checked(tmp_path: Path) -> None:
    _project(tmp_path, "false")
    assert build(config.load(tmp_path / "lzc.toml")).checks == 0


@pytest.mark.parametrize("enable", ["true", "false"])
def test_a_syntax_error_stops_the_build_and_is_told_once(tmp_path: Path, enable: str) -> None:
    _project(tmp_path, enable)
    (tmp_path / "example.org.zone").write_text(HEAD + 'www LUA A "((("\n*.w LUA A "1 1"\n')
    with pytest.raises(InputError) as raised:
        build(config.load(tmp_path / "lzc.toml"))
    places = [
        (str(fault.place), fault.rule) for fault in raised.value.faults if fault.severity == "error"
    ]
    assert places == [
        ("example.org.zone:5:15", "lua-syntax"),
        ("example.org.zone:6:14", "lua-syntax"),
    ]


@pytest.mark.parametrize(("insert_whitespace", "compiles"), [("true", False), ("false", True)])
def test_strings_are_joined_as_the_setting_says(
    tmp_path: Path, insert_whitespace: str, compiles: bool
) -> None:
    _project(tmp_path, f"true\ninsert-whitespace = {insert_whitespace}")
    (tmp_path / "example.org.zone").write_text(HEAD + 'www LUA A ";retu" "rn \'192.0.2.1\'"\n')
    try:
        build(config.load(tmp_path / "lzc.toml"))
    except InputError as error:
        assert [fault.rule for fault in error.faults] == ["lua-syntax"]
        assert not compiles
    else:
        assert compiles


def test_candidates_that_are_looked_up_in_the_zone_are_checked() -> None:
    checks, faults = _discover(
        "w1 A 192.0.2.1\n"
        "w1 A 192.0.2.2\n"
        "w2 LUA A \"'192.0.2.3'\"\n"
        "www LUA A \"ifportup(443, dblookup('W1.example.org', pdns.A))\"\n"
        "none LUA A \"ifurlup('http://a/', {{'192.0.2.9'}, dblookup('w2.example.org', pdns.A)})\"\n"
    )
    assert not faults
    assert {check.address for check in checks} == {"192.0.2.1", "192.0.2.2", "192.0.2.9"}


def test_a_check_of_an_url_elsewhere_has_no_address() -> None:
    checks, faults = _discover(
        "www LUA A \"ifurlextup({{['192.0.2.1']='http://a/', ['192.0.2.2']='http://b/'}})\"\n"
    )
    assert not faults
    assert {(check.address, check.url) for check in checks} == {
        ("", "http://a/"),
        ("", "http://b/"),
    }

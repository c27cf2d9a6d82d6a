"""What a build makes of LUA records that need no Lua."""

from __future__ import annotations

import calendar
from pathlib import Path

import pytest

from lzc import config
from lzc.bundle import node as nodes
from lzc.bundle.reader import Bundle
from lzc.compiler.pipeline import build
from lzc.lua.plan import plan_key
from lzc.powerdns_versions import LATEST
from lzc.wire import rrtype
from tests.unit.compiling import HEAD, wire

NOW = float(calendar.timegm((2026, 11, 21, 12, 0, 0)))
RANDOM = "pickrandom({'192.0.2.1','192.0.2.2'})"
LONG = ",".join(f"'192.0.2.{number}'" for number in range(40))
INCLUDING = ";include('config')return pickhashed(ips)"
ZONE = f"""\
f LUA A "{INCLUDING}"
a LUA A "{RANDOM}"
b LUA A "{RANDOM}"
b LUA TXT "{RANDOM}"
c LUA A "'192.0.2.3'"
c LUA A "'192.0.2.4'"
d LUA A "who:toString()"
g LUA A ";if countryCode()=='us' then return ifportup(1,{{'192.0.2.11'}}) end "\
"if bestwho:isIPv6() then return pickselfweighted('http://w/',{{'192.0.2.12'}}) end "\
"return regionCode()=='x' and ifurlextup({{{{['192.0.2.13']='http://e/'}}}}) or {{}}"
e LUA A "pickhashed({{{LONG}}})"
h LUA A ";-- what a program notes for itself\\010"\
"if (netmask({{'10.0.0.0/8', '2001:db8::/32'}})) or (country('US') and region('CA')) then "\
"return pickwhashed({{{{1, '192.0.2.21'}}, {{2, '192.0.2.22'}}}})\\010"\
"elseif (continent('EU')) then return pickwhashed({{{{1, '192.0.2.22'}}}})\\010end\\010"\
"return pickwhashed({{{{1, '192.0.2.23'}}}})"
"""


def _built(folder: Path, lua: str) -> Bundle:
    (folder / "zones").mkdir(parents=True)
    for number, name in enumerate(("example.org", "example.com")):
        included = f"config LUA LUA \"ips={{'192.0.2.{5 + number}','192.0.2.{7 + number}'}}\"\n"
        (folder / "zones" / f"{name}.zone").write_text(HEAD + ZONE + included)
    path = folder / "lzc.toml"
    path.write_text(f'[build]\nsources = ["zones/*.zone"]\n[lua]\n{lua}\n')
    return Bundle.open(build(config.load(path), config_path=path, now=NOW).folder)


def _plans(bundle: Bundle, *codes: str, covered: int = rrtype.A) -> list[bool]:
    apex = wire("example.org")
    return [
        bundle.plan(plan_key(code.encode(), covered, apex, LATEST, 0)) is not None for code in codes
    ]


def test_records_have_plans_by_their_type_and_code_as_it_is_joined(tmp_path: Path) -> None:
    with _built(tmp_path, "enable = true") as bundle:
        assert _plans(bundle, RANDOM) == [True]
        assert _plans(bundle, RANDOM, covered=rrtype.TXT) == [True]
        assert _plans(bundle, RANDOM, covered=rrtype.AAAA) == [False]
        view = bundle.find_zone(wire("e.example.org"))
        node = view.node(b"e") if view is not None else None
        assert node is not None
        (record,) = nodes.lua_records(node)
        assert len(record.strings) > 1
        assert _plans(bundle, record.join(insert_whitespace=False).decode()) == [True]


def test_what_programs_write_over_several_lines_has_a_plan(tmp_path: Path) -> None:
    with _built(tmp_path, "enable = true") as bundle:
        view = bundle.find_zone(wire("h.example.org"))
        node = view.node(b"h") if view is not None else None
        assert node is not None
        (record,) = nodes.lua_records(node)
        code = record.join(False).decode()
        assert "notes" not in code and "\n" not in code
        assert _plans(bundle, code) == [True]


def test_strings_are_joined_as_the_server_will(tmp_path: Path) -> None:
    with _built(tmp_path, "enable = true\ninsert-whitespace = true") as bundle:
        assert _plans(bundle, f"{RANDOM} ", RANDOM) == [True, False]


def test_what_has_to_be_run_has_no_plan(tmp_path: Path) -> None:
    with _built(tmp_path, "enable = true") as bundle:
        codes = ("who:toString() ", "'192.0.2.3' ", "'192.0.2.4' ")
        assert _plans(bundle, *codes) == [False, False, False]


def test_what_the_limit_may_end_has_no_plan(tmp_path: Path) -> None:
    for limit, planned in ((1000, True), (0, True), (40, False)):
        with _built(tmp_path / str(limit), f"enable = true\nexec-limit = {limit}") as bundle:
            assert _plans(bundle, INCLUDING) == [planned]
            assert _plans(bundle, RANDOM) == [True]


def test_a_plan_with_what_is_included_is_that_of_its_zone(tmp_path: Path) -> None:
    with _built(tmp_path, "enable = true") as bundle:
        found = {
            name: bundle.plan(plan_key(INCLUDING.encode(), rrtype.A, wire(name), LATEST, 0))
            for name in ("example.org", "example.com")
        }
        assert found["example.org"] is not None
        assert b"c0000205" in found["example.org"]
        assert found["example.com"] is not None
        assert b"c0000206" in found["example.com"]


def test_checks_of_clients_that_no_trial_stands_for_are_listed(tmp_path: Path) -> None:
    with _built(tmp_path, "enable = true") as bundle:
        found = {(check.address, check.port, check.url) for check in bundle.checks}
    assert found == {
        ("192.0.2.11", 1, ""),
        ("192.0.2.12", 0, "http://w/"),
        ("", 0, "http://e/"),
    }


def test_no_plans_where_lua_is_off(tmp_path: Path) -> None:
    with _built(tmp_path, "enable = false") as bundle:
        assert _plans(bundle, RANDOM) == [False]


@pytest.mark.parametrize("lua", ["enable = true", "enable = false"])
def test_the_same_sources_give_the_same_bundle(tmp_path: Path, lua: str) -> None:
    with _built(tmp_path / "one", lua) as one, _built(tmp_path / "two", lua) as two:
        assert one.id == two.id

"""What of a check stands in a zone's code, and what a query decides."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.compiler.lua.plans import written_constants
from lzc.health_check import Check
from lzc.lua.health.constants import Constants, of_checks, options_of
from lzc.lua.health.reach import CheckRules
from lzc.lua.program import Program
from lzc.lua.transfer.literals import clean_literal, constructed
from lzc.powerdns_versions import LATEST
from lzc.wire import rrtype

ZONE = b"\7example\3org\0"
USUAL = options_of(Check(""))


def written(code: str) -> Constants:
    return written_constants(Program(code.encode(), rrtype.A), LATEST)


@pytest.mark.parametrize(
    ("code", "ports", "urls"),
    [
        ("ifportup(443, {tostring(who)})", {443}, set()),
        (";local p = 8443 return ifportup(p, f(qname), {selector='all'})", {8443}, set()),
        ("ifurlup('http://a.example/x', list())", set(), {"http://a.example/x"}),
        ("ifurlup('http://a' .. '.example/' .. 7, list())", set(), {"http://a.example/7"}),
        (
            "pickselfweighted('http://w.example/', list(), {timeout=2})",
            set(),
            {"http://w.example/"},
        ),
        (
            "ifurlextup({{['192.0.2.1']='http://1.example/', ['192.0.2.2']='http://2.example/'}})",
            set(),
            {"http://1.example/", "http://2.example/"},
        ),
        # What a query decides is no constant.
        ("ifportup(tonumber(qname:getRawLabels()[1]), list())", set(), set()),
        ("ifurlup('http://a.example/' .. qname:toString(), list())", set(), set()),
        (";local p = 80 p = tonumber(tostring(qname)) return ifportup(p, list())", set(), set()),
        ("'ifportup(443, x)'", set(), set()),
    ],
)
def test_ports_and_urls_that_stand_in_code(code: str, ports: set[int], urls: set[str]) -> None:
    found = written(code)
    assert (set(found.ports), set(found.urls)) == (ports, urls)


def test_options_count_as_a_whole() -> None:
    found = written("ifurlup('http://a/', f(), {stringmatch='ok', timeout=3, headers={X='y'}})")
    check = Check("192.0.2.1", url="http://a/", stringmatch="ok", timeout=3, headers=(("X", "y"),))
    assert found.options == {options_of(check)}
    assert written("ifportup(80, f(), {stringmatch=tostring(qname)})").options == set()
    assert written("ifportup(80, f())").options == {USUAL}


@given(st.binary(max_size=80), st.integers(20, 200))
def test_texts_are_constants_however_they_are_written_for_secondaries(
    value: bytes, longest: int
) -> None:
    literal = clean_literal(value, longest) or constructed(value, longest)
    code = b"ifurlup('http://a/', f(), {stringmatch=" + literal + b"})"
    check = Check("", url="http://a/", stringmatch=value.decode("latin-1"))
    assert written_constants(Program(code, rrtype.A), LATEST).options == {options_of(check)}


def test_included_code_is_read_too() -> None:
    program = Program(b"function up(ips) return ifportup(25, ips) end", rrtype.LUA)
    found = written_constants(program, LATEST)
    assert found.ports == {25}


def test_what_no_constant_decides_of_a_check_is_named() -> None:
    known = written("ifportup(443, f())") | written("ifurlup('http://a/', f(), {stringmatch='ok'})")
    ok = Check("192.0.2.1", url="http://a/", stringmatch="ok")
    assert known.computed(Check("192.0.2.1", 443)) == ["address"]
    assert known.computed(Check("192.0.2.1", 22)) == ["address", "port"]
    assert known.computed(ok) == ["address"]
    for letter in "abc":
        guess = Check("192.0.2.1", url="http://a/", stringmatch=f"o{letter}")
        assert known.computed(guess) == ["address", "options"]
    assert known.computed(Check("192.0.2.1", url="http://b/")) == ["address", "url"]
    assert known.computed(Check("", url="http://a/", stringmatch="ok")) == []
    # What another zone's code says is of no use.
    rules = CheckRules(constants={ZONE: known})
    assert rules.of_unlisted(ok, ZONE) is None
    refusal = rules.of_unlisted(ok, b"\3net\0")
    assert refusal is not None
    assert refusal.computed


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"timeout": 9}, "options"),
        ({"interval": 9}, "options"),
        ({"httpcode": 404}, "options"),
        ({"byteslimit": 9}, "options"),
        ({"source": "192.0.2.9"}, "options"),
        ({"useragent": "x"}, "options"),
        ({"stringmatch": "x"}, "options"),
        ({"minimum_failures": 3}, "options"),
        ({"headers": (("X", "y"),)}, "options"),
        ({"port": 81}, "port"),
    ],
)
def test_every_part_of_a_check_counts(change: dict[str, object], part: str) -> None:
    rules = CheckRules(constants={ZONE: of_checks([Check("192.0.2.1", 80)])})
    assert rules.of_unlisted(Check("192.0.2.2", 80), ZONE) is None
    changed = Check("192.0.2.2", **{"port": 80, **change})  # type: ignore[arg-type]
    refusal = rules.of_unlisted(changed, ZONE)
    assert refusal is not None
    assert f'list "{part}" under computed' in refusal.fix
    # As the refusal says.
    assert (
        CheckRules(computed=("address", part), constants=rules.constants).of_unlisted(changed, ZONE)
        is None
    )


def test_even_addresses_have_to_be_constants_where_nothing_may_be_computed() -> None:
    rules = CheckRules(computed=(), constants={ZONE: of_checks([Check("192.0.2.1", 80)])})
    refusal = rules.of_unlisted(Check("192.0.2.2", 80), ZONE)
    assert refusal is not None
    assert '"address"' in refusal.fix


def test_constants_survive_the_bundle() -> None:
    known = written("ifurlup('http://ä/', f(), {headers={'A: b'}})") | written("ifportup(1, f())")
    assert Constants.from_document(json.loads(known.to_json())) == known
    assert Constants().to_json() == ""
    damages: tuple[object, ...] = ({"ports": ["1"], "urls": [], "options": []}, {"ports": []}, [])
    for damaged in damages:
        with pytest.raises((ValueError, TypeError, KeyError)):
            Constants.from_document(damaged)

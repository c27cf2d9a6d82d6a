"""What the linter finds in the code of one record, and what it leaves alone. A ``»`` in the code of
a test marks where a finding points."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lzc.faults import Severity
from lzc.lua.definition.record import Finding, Inclusion, ZoneFacts
from lzc.lua.engine.execution import LuaFailure
from lzc.lua.functions import FUNCTIONS
from lzc.lua.lint import environment
from lzc.lua.lint.environment import METHODS, VARIABLES
from lzc.lua.lint.linter import lint
from lzc.lua.lint.rules import RULES
from lzc.lua.program import Program
from lzc.lua.syntax.tree import LuaSyntaxError
from lzc.powerdns_versions import Secondary, parse_version
from lzc.wire import rrtype as rr
from lzc.wire.rdata import InvalidRdata, from_presentation
from tests.peers import lua_corpus, lua_questions
from tests.unit.lua_running import Runner, query

NS2 = (Secondary("ns2", (4, 7)),)


def findings(code: str | bytes, covered: str = "A", ttl: int = 60, **facts: Any) -> list[Finding]:
    octets = code.encode() if isinstance(code, str) else code
    number = rr.from_text(covered)
    return lint(Program(octets, number), ttl, ZoneFacts(**facts))


def found(marked: str, covered: str = "A", ttl: int = 60, **facts: Any) -> list[str]:
    """The rules that something is found by, in the order of the code, each at its mark."""
    pieces = marked.split("»")
    marks = [len("".join(pieces[: i + 1]).encode()) for i in range(len(pieces) - 1)]
    got = findings("".join(pieces), covered, ttl, **facts)
    assert sorted({finding.offset for finding in got}) == marks, got
    return [finding.rule for finding in got]


FINE = [
    "'192.0.2.1'",
    "{'192.0.2.1', '192.0.2.2'}",
    "ifportup(443, {'192.0.2.1', '192.0.2.2:8443'}, {selector='hashed', timeout=19})",
    "ifportup(443, {'192.0.2.1'}, {source=bestwho:toString()})",
    "ifportup('443', {'192.0.2.1'}, nil)",
    "ifurlup('https://example.org/', {'192.0.2.1'}, {stringmatch='x', useragent='y'})",
    "pickwhashed({{15, '192.0.2.1'}, {'42', '192.0.2.2'}})",
    "pickrandomsample(1, {'192.0.2.1'})",
    "view({{{'192.0.2.0/24', '::1'}, {'192.0.2.1'}}, {{'0.0.0.0/0'}, {'192.0.2.2'}}})",
    ";if country({'NL', 'gb'}) and not continent('EU') then return '192.0.2.1' end "
    "return '192.0.2.2'",
    ";local pick, t = pickrandom, {} for i = 1, 3 do t[i] = '192.0.2.'..i end return pick(t)",
    ";local t = {} table.insert(t, '192.0.2.1') return pickrandom(t)",
    ";local t = {} local alias = t alias[1] = '192.0.2.1' return pickrandom(t)",
    ";local t = {} (function() t[1] = '192.0.2.1' end)() return pickrandom(t)",
    ";local x = '::1' x = '192.0.2.1' return x",
    ";local function f(pickrandom) return pickrandom({}) end return f(function() return '' end)",
    ";for _, ip in ipairs({'192.0.2.1'}) do if netmask({'192.0.2.0/24'}) then return ip end end"
    " error('none')",
    ";function pickrandom(t) return '192.0.2.1' end return pickrandom({})",
    ";local _, v = pcall(function() return pickrandom({'192.0.2.1'}) end) return v",
    "pickchashed and pickchashed({{1, '192.0.2.1'}}) or pickhashed({'192.0.2.1'})",
    ";setfenv(1, {x = 1}) return tostring(x)",
    ";_G.pool = {'192.0.2.1'} return pickrandom(pool)",
    ";function string.trim(s) return s end return string.trim('192.0.2.1')",
    "filterForward(createForward(), newNMG({'192.0.2.0/24', '!192.0.2.7/32'}), '192.0.2.1')",
    ";local a = createForward() return filterForward(a, newNMG({'192.0.2.0/24'}))",
    ";local ip = ifportup(443, {'::1', '192.0.2.1'}) return #ip > 0 and '192.0.2.1' or '192.0.2.2'",
    ";for i = 1, 9 do local s = string.format('%d', i) .. ('x'):rep(3) end return '192.0.2.1'",
    ";while true do return '192.0.2.1' end",
    ";repeat local done = true until done return os.date('%H') < '12' and '192.0.2.1' or "
    "all({'192.0.2.2'})",
    ";do local ok = true if ok then return '192.0.2.1' else error('x') end end",
    ";return debug.traceback('x') and qname:toString() and bestwho:isIPv4() and '192.0.2.1'",
    "pickrandom({unpack({})})",
    " .. ".join(["'1'"] * 190),
    "geoiplookup('192.0.2.1', 3)",
    ";local t = {Town = 1} return geoiplookup('192.0.2.1', t.Town)",
    ";local GeoIPQueryAttribute = {x = 1} return geoiplookup('192.0.2.1', GeoIPQueryAttribute.x)",
]


@pytest.mark.parametrize("code", FINE, ids=range(len(FINE)))
def test_good_code_is_left_alone(code: str) -> None:
    covered = "TXT" if code.startswith("'1' ..") else "A"
    assert findings(code, covered, signed=True, shared=False, secondaries=NS2) == []


FAULTS = [
    # names
    ("»pickrandm({'192.0.2.1'})", ["lua-unknown-function"]),
    ("»IfPortUp(443, {'192.0.2.1'})", ["lua-unknown-function"]),
    (";local f = function() return »nope() end return f()", ["lua-unknown-function"]),
    ("pickrandom(»pools)", ["lua-unknown-global"]),
    ("string.»fromat('%d', 1)", ["lua-unknown-function"]),
    ("qname:»tostring()", ["lua-unknown-function"]),
    (";do local a = 1 end return '192.0.2.' .. »a", ["lua-unknown-global"]),
    # the host
    (";»os.execute('reboot') return '192.0.2.1'", ["lua-forbidden"]),
    (";local o = os return »o.getenv('HOME')", ["lua-forbidden"]),
    (";local f = »io.open('/etc/passwd') return f:read()", ["lua-forbidden"]),
    (";local s = »require('socket') return '192.0.2.1'", ["lua-forbidden"]),
    (";pcall(»dofile, 'x') return '192.0.2.1'", ["lua-forbidden"]),
    ("»debug.getinfo(1) and '192.0.2.1'", ["lua-forbidden"]),
    ("»package.path", ["lua-forbidden"]),
    # arguments
    ("ifportup(»'https', {'192.0.2.1'})", ["lua-argument"]),
    ("ifportup(»70000, {'192.0.2.1'})", ["lua-argument"]),
    ("ifportup(443, »'192.0.2.1')", ["lua-argument"]),
    ("»ifportup(443)", ["lua-argument"]),
    (";if country('US', »'CA') then return '192.0.2.1' end return '192.0.2.2'", ["lua-argument"]),
    ("pickrandom({'192.0.2.1'}, »'192.0.2.2')", ["lua-argument"]),
    (";if netmask({'10.0.0.0/8'}, »{}) then return '192.0.2.1' end return {}", ["lua-argument"]),
    ("ifportup(443, {{'192.0.2.1'}, '192.0.2.2'})".replace("443, ", "443, »"), ["lua-argument"]),
    ("ifportup(443, {'192.0.2.1'}, »5)", ["lua-argument"]),
    ("pickrandom({»{'192.0.2.1'}})", ["lua-argument"]),
    ("pickrandom({»a='192.0.2.1'})", ["lua-argument"]),
    ("pickwhashed({»'192.0.2.1'})", ["lua-argument"]),
    ("pickwhashed({{»'ten', '192.0.2.1'}})", ["lua-argument"]),
    ("pickwrandom(»{{0, '192.0.2.1'}, {0, '192.0.2.2'}})", ["lua-argument"]),
    ("pickwrandom({»{1}})", ["lua-argument"]),
    ("pickrandomsample(»'x', {'192.0.2.1'})", ["lua-argument"]),
    ("view({{»'10.0.0.0/8', {'192.0.2.1'}}})", ["lua-argument"]),
    ("view({»{{'10.0.0.0/8'}}})", ["lua-argument"]),
    ("geoiplookup('192.0.2.1', GeoIPQueryAttribute.»Cuntry)", ["lua-argument"]),
    ("geoiplookup('192.0.2.1', GeoIPQueryAttribute[»'Town'])", ["lua-argument"]),
    (
        ";local all = GeoIPQueryAttribute if country('NL') then return '192.0.2.1' end"
        " return geoiplookup('192.0.2.1', all.»Cuntry)",
        ["lua-argument"],
    ),
    ("geoiplookup('192.0.2.1', »'City')", ["lua-argument"]),
    ("geoiplookup('192.0.2.1', »nil)", ["lua-argument"]),
    ("netmask(»'192.0.2.0/24') and '192.0.2.1'", ["lua-argument"]),
    ("asnum(»'AS65000') and '192.0.2.1'", ["lua-argument"]),
    ("filterForward(createForward(), »{'192.0.2.0/24'})", ["lua-argument"]),
    ("country(»true) and '192.0.2.1'", ["lua-argument"]),
    (";local port = »'x' return ifportup(port, {'192.0.2.1'})", ["lua-argument"]),
    # options
    ("ifportup(443, {'192.0.2.1'}, {»selctor='all'})", ["lua-option"]),
    ("ifportup(443, {'192.0.2.1'}, {»selector='pickhashed'})", ["lua-option"]),
    ("ifportup(443, {'192.0.2.1'}, {»stringmatch='x'})", ["lua-option"]),
    ("ifportup(443, {'192.0.2.1'}, {»timeout=0.5})", ["lua-option"]),
    ("ifportup(443, {'192.0.2.1'}, {»timeout='2s'})", ["lua-option"]),
    ("ifportup(443, {'192.0.2.1'}, {»'all'})", ["lua-option"]),
    ("ifurlup(»'www.example.org/', {'192.0.2.1'})", ["lua-option"]),
    ("ifportup(443, {'192.0.2.1'}, {»timeout=500})", ["lua-timeout"]),
    (";local s = {»timeout=20} return ifportup(443, {'192.0.2.1'}, s)", ["lua-timeout"]),
    # places
    ("country(»'NLD') and '192.0.2.1'", ["lua-geo-code"]),
    ("country({'NL', »'UK'}) and '192.0.2.1'", ["lua-geo-code"]),
    ("continent(»'Europe') and '192.0.2.1'", ["lua-geo-code"]),
    # addresses
    ("»'2001:db8::1'", ["lua-address-family"]),
    ("{'192.0.2.1', »'::1'}", ["lua-address-family"]),
    ("country('NL') and '192.0.2.1' or »'::1'", ["lua-address-family"]),
    ("pickrandom({'192.0.2.1', »'::1'})", ["lua-address-family"]),
    ("ifportup(443, {'192.0.2.1', »'2001:db8::1'})", ["lua-address-family"]),
    ("pickwhashed({{1, »'2001:db8::1'}})", ["lua-address-family"]),
    ("view({{{'::/0'}, {»'2001:db8::1'}}})", ["lua-address-family"]),
    (";local ips = {»'::1'} return pickrandom(ips)", ["lua-address-family"]),
    (";local r = pickrandom(ifportup(1, {»'::1'})) return r", ["lua-address-family"]),
    ("»'192.0.2.256'", ["lua-bad-address"]),
    ("»'192.0.2.' .. '300'", ["lua-bad-address"]),
    ("ifportup(443, {»'192.0.2.1.5'})", ["lua-bad-address"]),
    ("netmask({»'192.0.2.0/x'}) and '192.0.2.1'", ["lua-bad-address"]),
    ("newCA(»'localhost'):toString()", ["lua-bad-address"]),
    # candidates
    ("pickrandom(»{})", ["lua-empty-candidates"]),
    (";local none = »{} return pickhashed(none)", ["lua-empty-candidates"]),
    ("ifportup(443, »{})", ["lua-empty-candidates"]),
    ("ifportup(443, »{{}, {}})", ["lua-empty-candidates"]),
    ("view({{{'::/0'}, »{}}})", ["lua-empty-candidates"]),
    # ways of use
    ("»createForward()", ["lua-open-forward"]),
    (
        ";local g = newNMG({'::/0'}) filterForward('192.0.2.1', g) return »createForward()",
        ["lua-open-forward"],
    ),
    (";»include('nothere') return '192.0.2.1'".replace("»include(", "include(»"), ["lua-include"]),
    ("»resolve('a.example', pdns.A)", ["lua-not-provided"]),
]


@pytest.mark.parametrize(("code", "rules"), FAULTS, ids=[code for code, _ in FAULTS])
def test_faults_are_found_where_they_are(code: str, rules: list[str]) -> None:
    assert found(code) == rules


def hint(code: str, covered: str = "A", **facts: Any) -> str:
    (finding,) = findings(code, covered, **facts)
    return finding.fix


def test_what_was_meant_is_suggested() -> None:
    assert hint("pickRandm({'192.0.2.1'})") == "did you mean pickrandom?"
    assert hint("string.fromat('%d', 1)") == "did you mean format?"
    assert hint("ifportup(1, {'192.0.2.1'}, {timout=2})") == "did you mean timeout?"
    assert hint("ifportup(1, {'192.0.2.1'}, {selector='pickhashed'})") == "did you mean 'hashed'?"
    assert hint("country('UK') and '192.0.2.1'") == "the United Kingdom is 'GB'"
    assert hint("ifportup(1, {'192.0.2.1'}, {timeout=3000})") == "write timeout=3"
    assert hint("pickrandom(pol)", elsewhere=frozenset((b"pool",))) == "did you mean pool?"


def test_a_timeout_in_milliseconds_is_explained() -> None:
    (finding,) = findings("ifportup(443, {'192.0.2.1'}, {timeout=500})")
    assert finding.message == "timeout=500 is 500 seconds; it looks like milliseconds"


@pytest.mark.parametrize(
    ("covered", "code", "rules"),
    [
        ("AAAA", "»'192.0.2.1'", ["lua-address-family"]),
        ("AAAA", "pickrandom({'2001:db8::1'})", []),
        ("TXT", "'192.0.2.1 or ::1'", []),
        ("TXT", "''", []),
        ("TXT", "'say \"hi\"'", []),
        ("TXT", "pickrandom({'192.0.2.1', '::1'})", []),
        ("MX", "{'10 mail.example.org.'}", []),
        ("MX", "»'mail.example.org.'", ["lua-bad-content"]),
        (
            "CNAME",
            ";if tcp then return 'a.example.' else return »'b..example.' end",
            ["lua-bad-content"],
        ),
        ("SRV", "»'0 5 5060'", ["lua-bad-content"]),
    ],
)
def test_results_fit_the_covered_type(covered: str, code: str, rules: list[str]) -> None:
    assert found(code, covered) == rules


@pytest.mark.parametrize(
    "code",
    [
        "»{}",
        ";if tcp then return »{} end return '192.0.2.1'",
        ";return »nil",
        ";if tcp then »return end return '192.0.2.1'",
        ";»if tcp then return '192.0.2.1' end",
        ";if tcp then return '192.0.2.1' else »local x = 1 end",
        ";local none = »{} return none",
        "ifportup(443, {'192.0.2.1'}, {»backupSelector='empty'})",
        "ifurlextup({{['192.0.2.1'] = 'https://example.org/'}}, {»selector='empty'})",
        "pickselfweighted('https://example.org/', {'192.0.2.1'}, {»backupSelector='empty'})",
    ],
)
def test_empty_results_matter_where_they_are_signed(code: str) -> None:
    assert found(code, signed=True) == ["lua-empty-result"]
    assert findings(code.replace("»", "")) == []


def test_an_empty_string_is_an_empty_result_everywhere() -> None:
    assert found("tcp and »'' or '192.0.2.1'") == ["lua-empty-result"]


def test_what_a_secondary_does_not_have_is_told_of_those_that_are_too_old() -> None:
    sets = "ifportup(443, »{{'192.0.2.1'}, {'192.0.2.2'}})"
    assert found(sets, secondaries=NS2) == ["lua-secondary-version"]
    assert findings(sets.replace("»", ""), secondaries=(Secondary("ns3", (4, 8)),)) == []
    both = (*NS2, Secondary("ns3", (5, 1)))
    (finding,) = findings(sets.replace("»", ""), secondaries=both)
    assert finding.message.endswith("too old: ns2 (powerdns-4.7)")
    for option in ("interval=5", "minimumFailures=2", "failOnIncompleteCheck='true'"):
        code = f"ifportup(443, {{'192.0.2.1'}}, {{»{option}}})"
        assert found(code, secondaries=both) == ["lua-secondary-version"]
    empty = "ifportup(443, {'192.0.2.1'}, {»backupSelector='empty'})"
    assert found(empty, secondaries=(Secondary("ns4", (5, 0)),)) == ["lua-secondary-version"]
    rules = found("»pickchashed({{1, '192.0.2.1'}})", secondaries=both)
    assert rules == ["lua-secondary-version"]


def test_versions_are_those_of_powerdns() -> None:
    assert parse_version("powerdns-4.10") == (4, 10)
    assert parse_version("bind") is None


def test_globals_leak_in_shared_mode_only_unless_they_are_meant_to_stay() -> None:
    code = ";»pool = {'192.0.2.1'} »function f() end return pickrandom(pool)"
    assert findings(code.replace("»", "")) == []
    leaks = [finding.message for finding in findings(code.replace("»", ""), shared=True)]
    assert leaks == [f"'{name}' is a global, and outlives the query" for name in ("pool", "f")]
    kept = ";if not cache then cache = {} end count = (count or 0) + 1 return '192.0.2.1'"
    assert findings(kept, shared=True) == []
    assert findings("pool = {'192.0.2.1'}", "LUA", shared=True) == []


def test_included_records_set_globals() -> None:
    def included(name: bytes) -> Inclusion:
        if name == b"config":
            return Inclusion(True, sets=frozenset((b"pool", b"country")))
        return Inclusion(name == b"loader", dynamic=name == b"loader", instead="it has A")

    assert findings(";include('config') return pickrandom(pool)", included=included) == []
    # What a record redefines is not held against the API.
    assert (
        findings(";include('config') return country(1, {}) and '192.0.2.1'", included=included)
        == []
    )
    assert findings(";include('loader') return pickrandom(anything)", included=included) == []
    assert findings(";include(qname:toString()) return pickrandom(anything)") == []
    (finding,) = findings(";include('www') return '192.0.2.1'", included=included)
    assert finding.message == "'www' cannot be included: it has A"


def test_a_ttl_may_span_a_dozen_checks_or_a_minute() -> None:
    code = "»ifportup(443, {'192.0.2.1'})"
    fine = code.replace("»", "")
    assert found(code, ttl=61, interval=5) == ["lua-ttl"]
    assert findings(fine, ttl=60, interval=1) == findings(fine, ttl=120, interval=10) == []
    assert findings("'192.0.2.1'", ttl=86400) == []
    slow = "ifportup(443, {'192.0.2.1'}, {interval=60})"
    assert findings(slow, ttl=720) == []
    assert [finding.rule for finding in findings(slow, ttl=721)] == ["lua-ttl"]


CORPUS = sorted((Path(__file__).parent / "lua_corpus").glob("*.lua"))
TELLING = {
    "view_acl_function": {"lua-empty-result"},
}
"""What is to be said about real-life code, none of it by mistake."""


@pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
def test_real_life_code_is_found_good(path: Path) -> None:
    code = path.read_bytes()
    try:
        _ = Program(code, rr.TXT).tree
    except LuaSyntaxError:
        code = b";" + code
    got = findings(code, "TXT", signed=True, included=lambda _name: Inclusion(True, dynamic=True))
    assert {finding.rule for finding in got} == TELLING.get(path.stem, set())


ANSWERED: list[str | bytes] = [
    *lua_questions.BY_CLIENT,
    *lua_questions.CONSTANT,
    *lua_questions.RANDOM,
    *lua_corpus.codes(),
]
"""Code of every kind, some of which fails, as PowerDNS answers it."""


def test_what_is_called_an_error_is_one() -> None:
    run = Runner()
    judged = 0
    for code in ANSWERED:
        octets = code.encode() if isinstance(code, str) else code
        try:
            got = findings(octets, "TXT", included=lambda _name: Inclusion(True, dynamic=True))
        except LuaSyntaxError:
            continue
        errors = [one for one in got if RULES[one.rule].severity is Severity.ERROR]
        try:
            for content in run.engine.evaluate(octets, query(), lambda _name: None):
                from_presentation(rr.TXT, b'"' + content + b'"', b"\0")
        except (LuaFailure, InvalidRdata):
            judged += bool(errors)
        else:
            assert errors == [], code
    assert judged > 20


def test_the_table_of_the_api_agrees_with_the_engine() -> None:
    run = Runner()
    listed = {*FUNCTIONS, *VARIABLES, *environment.FUNCTIONS, *environment.LIBRARIES}
    # ecswho and localwho depend on the query.
    missing = {name for name in listed if run(f"type({name})") == ["nil"]} - {"ecswho", "localwho"}
    assert not missing
    for name in [name for name, function in FUNCTIONS.items() if function.refused]:
        assert run(f";return pcall({name}, 'a', 1) and 'runs' or 'fails'") == ["fails"]
    for name, methods in METHODS.items():
        source = {"ecswho": "newNetmask('192.0.2.0/24')", "localwho": "who"}.get(name, name)
        for method in methods:
            assert run(f"type({source}.{method})") == ["function"], (name, method)
    for library, closed in environment.CLOSED_MEMBERS.items():
        assert not environment.LIBRARIES[library] & set(closed)


def test_all_attributes_of_geo_databases_are_known_to_the_linter() -> None:
    names = Runner()(
        ";local t = {} for n in pairs(GeoIPQueryAttribute) do t[#t+1] = n end return t"
    )
    assert len(names) == 8
    for name in names:
        assert findings(f"geoiplookup('192.0.2.1', GeoIPQueryAttribute.{name})", "TXT") == []


def test_a_view_takes_pairs_and_nothing_else() -> None:
    """What other servers make of anything else is not relied on."""
    for count in (0, 1, 3, 4):
        parts = ", ".join(["{'192.0.2.1'}"] * count)
        (found,) = findings(f"view({{{{{parts}}}}})")
        assert found.rule == "lua-argument" and f"{count} part(s), not two" in found.message


def test_every_rule_says_what_why_and_what_to_do() -> None:
    for rule in RULES.values():
        assert rule.id.startswith("lua-")
        assert rule.summary and rule.why and rule.fix
        assert not rule.summary.endswith(".")

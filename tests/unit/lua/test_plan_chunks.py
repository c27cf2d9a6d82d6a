"""Plans of chunks: names that stand for constants, conditions, and what is included."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.lua.plan import plan_key
from lzc.lua.program import Program
from lzc.lua.recognition.recogniser import MAX_BLOCKS
from lzc.powerdns_versions import LATEST
from lzc.wire import rrtype
from tests.unit.lua_planning import Record, chi_square, clients, plan_of

FOUR = "{'192.0.2.1','192.0.2.2','192.0.2.3','192.0.2.4'}"
ONE, TWO, THREE = "'192.0.2.1'", "'192.0.2.2'", "'192.0.2.3'"

CHUNKS = [
    (f";local x = {FOUR} return pickhashed(x)", "A"),
    (f";local x={ONE} return x", "A"),
    (f";local a,b={ONE},{TWO} if country('US') then return b end return {{a,b}}", "A"),
    (";local net='192.0.2.' local x={net..1,net..'2',(net..3)} return pickhashed(x)", "A"),
    (";local n=20 return pickwhashed({{n,'192.0.2.1'},{(n),'192.0.2.2'}})", "A"),
    (";local t={eu={'192.0.2.1','192.0.2.2'},us='192.0.2.3'} if continent('EU') then "
     "return pickhashed(t.eu) end return t['us']", "A"),
    (";local t={'one','two'} return t[2]..t[1]", "TXT"),
    (";local eu={'DE','FR'} if country(eu) then return 'eu' end return 'other'", "TXT"),
    (";local m={'0.0.0.0/1'} local n={'128.0.0.0/1','::/1'} if netmask(m) then return 'low' "
     "elseif netmask(n) then return 'high' end return 'six'", "TXT"),
    (";local x='a' do local x='b' if country('US') then return x end end return x", "TXT"),
    (";local x='a' if country('US') then local x='b' end return x", "TXT"),
    (";local x='a' local x=x..'b' return x", "TXT"),
    (";local a='a' local b=a local a='c' return a..b", "TXT"),
    (";x='a' if country('US') then x='b' end return x", "TXT"),
    (";x='a' do x=x..'b' end if continent('EU') then x=x..'c' else local y='d' x=x..y end "
     "return x", "TXT"),
    (";x,y='a','b' x,y=y,x return x..y", "TXT"),
    (";local us=country('US') local cc=countryCode() if us then return cc end return 'no '..cc",
     "TXT"),
    (";local six=bestwho:isIPv6() if six then return 'six' end return 'four'", "TXT"),
    (";if country('US') then if region('R1') then return 'one' end elseif country('DE') then "
     "return 'de' else if region('R2') then return 'two' end end return 'rest'", "TXT"),
    (";if country('US') then end return 'all'", "TXT"),
    (";do return 'a' end", "TXT"),
    ("; local a='b'; return a;", "TXT"),
    ("(country('US') and 'us' or 'other')", "TXT"),
    ("country('US') and 'us' or country({'DE','FR'}) and not region('R3') and 'eu' or "
     "continent('AS') and 'as' or 'none'", "TXT"),
    (f"continent('EU') and pickhashed({FOUR}) or {FOUR}", "A"),
    ("country('US') and {} or 'x'", "TXT"),
    ("(country('US') and 'us' or country('DE') and 'de') or ((continent('AS') and 'as') or 'no')",
     "TXT"),
]  # fmt: skip

CONDITIONS = [
    "not country('US')",
    "not (country('US') or country('DE'))",
    "country('US') and region('R1')",
    "country('US') and not netmask({'0.0.0.0/1','8000::/1'})",
    "continent('EU') and region('R0') or continent('NA') and not region('R2')",
    "continent('EU') and (region('R0') or not continent('NA')) and not asnum({64500,64503})",
    "countryCode() == 'us'",
    "countryCode() == 'US'",
    "'eu' == continentCode()",
    "(countryCode()) ~= ('d'..'e')",
    "countryCode() == '--'",
    "regionCode() ~= 'r1' and countryCode() ~= '--'",
    "bestwho:isIPv4()",
    "bestwho:isIPv6() and not country('US') or bestwho:isIPv4() and asnum(64502)",
    "true",
    "not true",
    "false or country('FR')",
    "not not (country('FR') and true)",
]


@pytest.mark.parametrize(("code", "covered"), CHUNKS)
def test_a_chunk_gives_each_client_what_its_plan_gives(code: str, covered: str) -> None:
    Record(code, covered).agree(clients(2000))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_hold_for_the_same_clients(condition: str) -> None:
    asking = clients(3000)
    Record(f";if {condition} then return {ONE} end return {TWO}").agree(asking)
    Record(f"({condition}) and {ONE} or {TWO}").agree(asking[:500])
    Record(f";local yes = {condition} if yes then return {ONE} else return {TWO} end").agree(
        asking[:500]
    )


def test_where_a_chunk_ends_without_a_result_lua_says_so() -> None:
    Record(f";local a={ONE} if country('US') then return a end").agree(clients(300))


@pytest.mark.parametrize(
    "code",
    [
        f";local x = {FOUR} return pickrandom(x)",
        f";local x = {FOUR} local n = 2 return pickrandomsample(n, x)",
        f";x={FOUR} if not continent('EU') then return pickrandom(x) end return {{{ONE},{TWO}}}",
        f"bestwho:isIPv4() and pickrandom({FOUR}) or pickwrandom({{{{1,{ONE}}},{{3,{TWO}}}}})",
    ],
)
def test_random_choices_have_the_same_support_and_frequencies(code: str) -> None:
    record = Record(code)
    for who in clients(400)[::57]:
        planned, run = record.counts(who, 4000)
        assert planned.keys() == run.keys()
        assert chi_square(planned, run) < 5


CONFIG = (
    "settings={selector='hashed',stringmatch='Programming in Lua'}  "
    "EUips={'192.0.2.1', '192.0.2.2'} local us='198.51.100.' USAips={us..1} "
)


@pytest.mark.parametrize("name", ["config", "Config", "config."])
@pytest.mark.parametrize("up", [True, False])
def test_what_is_included_may_give_names_to_constants(name: str, up: bool) -> None:
    code = f";include('{name}') return ifurlup('http://h/', {{USAips, EUips}}, settings)"
    record = Record(code, included={"config": CONFIG, "Config": CONFIG})
    record.health.otherwise = record.plan_health.otherwise = up
    if up:
        record.agree(clients(1500))
    assert record.planned(bytes(4)) is not None
    record.run(bytes(4))
    assert record.plan_health.asked == record.health.asked


def test_what_is_included_sees_and_changes_globals_but_no_locals() -> None:
    code = (
        ";a='a' b='b' local c='c' include('more') if country('US') then return a..b..c end return b"
    )
    more = "local a2=a..'2' a=a2..b local c='z' b=c"
    Record(code, "TXT", included={"more": more}).agree(clients(500))


@pytest.mark.parametrize("times", [1, 7, 40])
def test_it_is_known_how_many_instructions_including_takes(times: int) -> None:
    code, more = ";" + "include('more') " * times + "return x", "x='a'"
    taken = Record(code, "TXT", included={"more": more}).instructions()
    run = [Program(code.encode(), rrtype.TXT), *[Program(more.encode(), rrtype.LUA)] * times]
    assert taken <= sum(one.most_instructions() or 0 for one in run)


@pytest.mark.parametrize(
    "included",
    [
        {},
        {"config": "x = pickrandom({'a'})"},
        {"config": "x = 'a' return x"},
        {"config": "function f() end x = 'a'"},
        {"config": "x = 'a' if country('US') then x = 'b' end"},
        {"config": "x = "},
        {"config": ";x = 'a'"},
        {"config": "x = y"},
        {"config": "include('config') x = 'a'"},
        {"config": "x.y = 'a'"},
    ],
)
def test_what_is_included_but_does_more_is_left_to_lua(included: dict[str, str]) -> None:
    code = b";include('config') return x"
    find = {name.encode(): text.encode() for name, text in included.items()}
    assert plan_of(code, rrtype.TXT, find.get) is None


def test_plans_with_what_is_included_are_those_of_one_zone() -> None:
    code, one, other = b";include('config') return x", b"\1a\0", b"\1b\0"
    assert plan_key(code, rrtype.A, one, LATEST, 0) != plan_key(code, rrtype.A, other, LATEST, 0)
    assert plan_key(b"'x'", rrtype.A, one, LATEST, 0) == plan_key(
        b"'x'", rrtype.A, other, LATEST, 0
    )
    assert plan_key(b"'x'", rrtype.A, one, LATEST, 0) != plan_key(b"'x'", rrtype.A, one, (4, 7), 0)


TERMS = st.sampled_from(
    [
        "country('US')",
        "country({'DE','fr'})",
        "continent('NA')",
        "region({'R1','R3'})",
        "asnum({64500,64505})",
        "netmask({'64.0.0.0/2','::/2'})",
        "countryCode() == 'de'",
        "continentCode() ~= 'eu'",
        "bestwho:isIPv4()",
        "true",
        "false",
        "here",
    ]
)
FORMULAS = st.recursive(
    TERMS,
    lambda inner: st.one_of(
        st.builds("not ({})".format, inner),
        st.builds("({}) and ({})".format, inner, inner),
        st.builds("{} or {}".format, inner, inner),
        st.builds("{} and not ({})".format, inner, TERMS),
    ),
    max_leaves=8,
)
VALUES = st.sampled_from(
    [
        "'a'",
        "x",
        "x..'b'",
        "y",
        "{x,y}",
        "pickhashed({x,y,'d'})",
        "t[1]",
        "t.n..countryCode()",
        "{}",
    ]
)
STATEMENTS = st.recursive(
    st.one_of(
        st.builds("return {}".format, VALUES).map(lambda text: f"do {text} end"),
        st.builds("x = {}".format, st.sampled_from(["'e'", "y", "'f'..y", "t.n"])),
        st.builds("local y = {}".format, st.sampled_from(["'g'", "x", "x..7"])),
        st.builds("local here = {}".format, FORMULAS),
    ),
    lambda inner: st.one_of(
        st.builds("if {} then {} end".format, FORMULAS, inner),
        st.builds("if {} then {} else {} end".format, FORMULAS, inner, inner),
        st.builds("do {} {} end".format, inner, inner),
        st.builds("{} {}".format, inner, inner),
    ),
    max_leaves=6,
)
ASKING = clients(60, seed=4)


@settings(max_examples=200)
@given(statements=STATEMENTS, last=VALUES)
def test_generated_chunks(statements: str, last: str) -> None:
    start = ";x='h' local y='i' local here=continent('EU') local t={'j',n='k'} "
    Record(f"{start}{statements} return {last}", "TXT").agree(ASKING)


@settings(max_examples=100)
@given(formula=FORMULAS, other=FORMULAS)
def test_generated_conditions(formula: str, other: str) -> None:
    code = f";local here=country('CA') return ({formula}) and 'a' or ({other}) and 'b' or 'c'"
    Record(code, "TXT").agree(ASKING)


def test_conditions_are_not_all_alike() -> None:
    """What is generated above has something to tell apart."""
    record = Record(";if country('US') and not region('R1') then return 'a' end return 'b'", "TXT")
    counts = Counter(record.planned(who) for who in clients(3000))
    assert min(counts.values()) > 100 and len(counts) == 2


OTHERS = [
    ";local x return x",
    ";local x,y='a' return x",
    ";local x,x='a','b' return x",
    ";local x='a','b' return x",
    ";local x=nil return 'a'",
    ";local x=pickrandom({'a'}) return x",
    ";local x={who} return 'a'",
    ";local x=-1 return 'a'",
    ";local x={[true]='a'} return 'a'",
    ";local x={'a'} x[1]='b' return x",
    ";local x='a' x='b' return x",
    ";local x='a' if country('US') then x='b' end return x",
    ";local t={'a'} return t[2]",
    ";local t={'a'} return t[0]",
    ";local t={a='a',a='b'} return t.a",
    ";local t={[1]='a'} return t[1]",
    ";local t={'a',[1]='b'} return t[1]",
    ";local t={} return t.a",
    ";local s='a' return s.x",
    ";local pickhashed='a' return pickhashed({'b'})",
    ";country='US' if country('US') then return 'a' end return 'b'",
    ";local bestwho='a' if bestwho:isIPv4() then return 'a' end return 'b'",
    ";x.y='a' return 'a'",
    ";_G.pickhashed='a' return 'a'",
    ";return x",
    ";local f=function() end return 'a'",
    ";local function f() end return 'a'",
    ";while true do return 'a' end",
    ";for i=1,2 do return 'a' end",
    ";repeat return 'a' until true",
    ";goto x ::x:: return 'a'",
    ";pdnslog('a') return 'b'",
    ";include('a') return 'b'",
    ";local a='b' a:upper() return a",
    "country('US') and 'a'",
    "country('US') or 'a'",
    "'a' or 'b'",
    "country('US') and nil or 'a'",
    ";if country('US') == true then return 'a' end return 'b'",
    ";if 'a' then return 'a' end return 'b'",
    ";if country then return 'a' end return 'b'",
    ";if countryCode() < 'us' then return 'a' end return 'b'",
    ";if countryCode() == continentCode() then return 'a' end return 'b'",
    ";if countryCode('x') == 'us' then return 'a' end return 'b'",
    ";if who:isIPv4() then return 'a' end return 'b'",
    ";if ecswho then return 'a' end return 'b'",
    ";if bestwho:isIPv4(1) then return 'a' end return 'b'",
    "-1",
    "#'a'",
    "'a'..1.5",
    "'a'..{}",
    ";" + "if country('US') then end " * 20 + "return 'a'",
]


@pytest.mark.parametrize("code", OTHERS)
def test_anything_else_is_left_to_lua(code: str) -> None:
    assert plan_of(code.encode() + b" ", rrtype.TXT) is None


def test_what_follows_many_choices_is_followed_so_far() -> None:
    few = ";" + "if country('US') then end " * 7 + "return 'a'"
    assert MAX_BLOCKS > 2**8
    Record(few, "TXT").agree(clients(10))

"""A record reaches neither the host nor another execution, and it ends."""

from collections import Counter

import pytest

from lzc.lua.engine.execution import LuaFailure
from tests.unit.lua_running import Health, Places, Runner, query, unhurried


@pytest.fixture(scope="module")
def run() -> Runner:
    return Runner()


@pytest.mark.difference("D-17")
@pytest.mark.parametrize(
    "name",
    [
        "io", "require", "package", "module", "dofile", "loadfile", "newproxy", "python", "ffi",
        "string.dump", "os.execute", "os.exit", "os.remove", "os.rename", "os.tmpname",
        "os.setlocale", "debug.sethook", "debug.getinfo", "debug.getregistry", "debug.setmetatable",
        "debug.getupvalue", "jit.off", "jit.opt", "jit.util", "os.getenv('PATH')",
    ],
)  # fmt: skip
def test_ways_to_the_host_are_closed(run: Runner, name: str) -> None:
    assert run(f";local v = {name} return tostring(v)") == ["nil"]


@pytest.mark.parametrize(
    ("change", "look", "expected"),
    [
        ("x = 1", "tostring(x)", "nil"),
        ("_G.x = 1 rawset(_G, 'y', 2)", "tostring(x)..tostring(y)", "nilnil"),
        ("string.rep = nil string.x = 1", "('a'):rep(2)..tostring(string.x)", "aanil"),
        ("table.concat = function() end", "table.concat({'a','b'})", "ab"),
        ("math.floor = 1 rawset(math, 'floor', 1)", "math.floor(1.5)", "1"),
        ("pickrandom = function() return 'b' end", "pickrandom({'a'})", "a"),
        ("qname:chopOff()", "qname:toString()", "www.example.org."),
        ("who:truncate(8)", "who:toString()", "192.0.2.10"),
        ("pcall(setfenv, 0, {}) pcall(setfenv, 1, {}) ", "tostring(tostring ~= nil)", "true"),
        ("pdns.A = 5 pdns.loglevels.Info = 1", "pdns.A..pdns.loglevels.Info", "16"),
        ("pcall(function() getmetatable('').__index = nil end)", "('a'):upper()", "A"),
        ("string = nil", "('a'):upper()", "A"),
    ],
)
def test_nothing_is_left_behind(run: Runner, change: str, look: str, expected: str) -> None:
    run(f";{change} return ''")
    assert run(look) == [expected]


@pytest.mark.difference("D-19")
def test_a_failed_execution_leaves_nothing_behind(run: Runner) -> None:
    with pytest.raises(LuaFailure):
        run(";string.upper = function() return 'evil' end x = 1 error('x')")
    assert run("('a'):upper()..tostring(x)") == ["Anil"]


@pytest.mark.parametrize(
    "code",
    [
        ";setfenv(pickrandom, {}) return 'changed'",
        ";setfenv(string.rep, {}) return 'changed'",
        ";setfenv(2, {}) return 'changed'",
        ";getmetatable('').__index = nil return 'changed'",
        ";getmetatable(qname).__index = nil return 'changed'",
        ";setmetatable(string, {}) return 'changed'",
        ";setmetatable(_G, {}) return 'changed'",
        ";qname.toString = nil return 'changed'",
    ],
)
def test_what_is_shared_cannot_be_changed(run: Runner, code: str) -> None:
    with pytest.raises(LuaFailure):
        run(code)


def test_environments_beyond_the_record_look_like_its_own(run: Runner) -> None:
    code = ";for i=0,2 do if getfenv(i) ~= _G then return 'other' end end return 'own'"
    assert run(code) == ["own"]
    assert run("tostring(getfenv(pickrandom) == _G)") == ["true"]


def test_loaded_code_runs_in_the_records_globals(run: Runner) -> None:
    assert run(";loadstring('y = qname:countLabels()')() return y") == ["3"]


@pytest.mark.difference("D-17")
def test_bytecode_is_refused(run: Runner) -> None:
    assert run(";local f, why = loadstring('\\27LJ\\2') return why") == ["bytecode is refused"]
    assert run(";local f, why = load('\\27LJ\\2') return why") == ["bytecode is refused"]
    with pytest.raises(LuaFailure):
        run(";\x1bLJ\x02")


@pytest.mark.difference("D-16")
def test_a_record_that_seeds_knows_its_own_random_numbers_and_no_others(run: Runner) -> None:
    seeded = ";math.randomseed(42) return math.random(1000000)..' '..math.random(1000000)"
    assert run(seeded) == run(seeded) == ["956080 8956"]
    assert len({run(";math.randomseed(42) return pdnsrandom()")[0] for _ in range(8)}) == 8
    assert len({run(seeded)[0] + run("math.random(2^30)")[0] for _ in range(8)}) == 8
    with pytest.raises(LuaFailure):
        run(";math.randomseed(42) error('failed')")
    assert run("math.random(1000000)..' '..math.random(1000000)") != ["956080 8956"]


def test_what_is_chosen_is_as_frequent_where_a_record_seeds(run: Runner) -> None:
    code = ";math.randomseed(1) return pickrandom({'a','b','c','d'})..pdnsrandom(3)"
    found = Counter(run(code)[0] for _ in range(2400))
    assert len(found) == 12
    assert all(120 < times < 290 for times in found.values()), found


def test_code_is_loaded_into_the_environment_that_it_is_given(run: Runner) -> None:
    assert run("load('return x', 'name', 't', {x = 9})()") == ["9"]
    assert run(";return tostring(loadstring('return print', 'n', 'bt', {})())") == ["nil"]
    assert run(";return select(2, load('return 1', 'n', 'b'))") == [
        "attempt to load chunk with wrong mode"
    ]


ENDLESS = [
    "while true do end",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "while true do coroutine.resume(coroutine.create(function() while true do end end)) end",
    "coroutine.wrap(function() while true do end end)()",
    "local function f() return pcall(f) end f()",
    "local function f() return coroutine.wrap(f)() end f()",
    "('x'):rep(1000):gsub('.', function() while true do end end)",
    "table.sort({3,2,1}, function() while true do end end)",
    "load(function() return 'x ' end)",
    "return tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "local t = {('1'):rep(7000):byte(1, 7000)} while true do pcall(pickrandom, t) end",
    "while true do pcall(pickrandom, {}) end",
    "while true do pcall(qname.chopOff) end",
    "include('self') return 'x'",
    "table.move({}, 1, 3e7, 2)",
    "while true do string.rep('x', 2) end",
]


@pytest.mark.difference("D-20")
@pytest.mark.parametrize("mode", ["isolated", "shared"])
@pytest.mark.parametrize("code", ENDLESS)
def test_endless_code_ends(mode: str, code: str) -> None:
    run = Runner(unhurried(mode=mode))
    run.included["self.example.org."] = "include('self') while true do end"
    with pytest.raises(LuaFailure) as caught:
        run(";" + code)
    assert caught.value.kind in ("instructions", "runtime")
    assert run("'fine'") == ["fine"]


@pytest.mark.difference("D-20")
def test_the_limit_counts_the_records_instructions_not_ours() -> None:
    run = Runner(unhurried(exec_limit=300))
    weights = ",".join(f"{{1,'item{i}'}}" for i in range(1, 41))
    assert run(f";local t = {{{weights}}} for i = 1, 5 do pickwhashed(t) end return 'fine'") == [
        "fine"
    ]
    with pytest.raises(LuaFailure, match="more than 300 instructions"):
        run(";for i = 1, 300 do end return 'x'")


@pytest.mark.parametrize(
    "body",
    [
        "pickrandom({'a'})",
        "x = i * 2",
        "x = ('a'):rep(2)",
        "pcall(error)",
        "pcall(pickrandom, {})",
        "coroutine.wrap(function() return 1 end)()",
    ],
)
def test_a_limit_of_any_size_is_met_or_told(body: str) -> None:
    met = []
    for limit in range(1, 160, 3):
        run = Runner(unhurried(exec_limit=limit))
        try:
            met.append(run(f";for i = 1, 6 do {body} end return 'x'") == ["x"])
        except LuaFailure as failure:
            assert failure.kind == "instructions"
            met.append(False)
    assert met == sorted(met)
    assert met[0] is False
    assert met[-1] is True


def test_without_a_limit_code_may_run_long() -> None:
    assert Runner(unhurried(exec_limit=0))(";for i = 1, 1e6 do end return 'x'") == ["x"]


@pytest.mark.difference("D-21")
@pytest.mark.parametrize(
    "code",
    [
        ";local s = 'x' for i = 1, 40 do s = s .. s end return s",
        ";local t = {} for i = 1, 1000 do t[i] = ('x'):rep(1e5) .. i end return 'x'",
        ";local t = {} for i = 1, 1000 do pcall(function() t[i] = ('x'):rep(1e6) .. i end) end",
    ],
)
def test_memory_is_bounded_and_the_next_record_has_all_of_it(code: str) -> None:
    run = Runner(unhurried(memory_limit=2**23, exec_limit=100_000))
    for _ in range(3):
        with pytest.raises(LuaFailure):
            run(code)
        assert run(";return #('x'):rep(1e6)") == ["1000000"]


@pytest.mark.difference("D-23")
def test_long_strings_and_date_formats_are_refused(run: Runner) -> None:
    with pytest.raises(LuaFailure, match="too large"):
        run("('x'):rep(1e9)")
    with pytest.raises(LuaFailure, match="too large"):
        run("('x'):rep('1000000000')")
    with pytest.raises(LuaFailure, match="too long"):
        run("os.date(('%c'):rep(1000))")


def test_error_objects_are_not_asked_for_their_text(run: Runner) -> None:
    with pytest.raises(LuaFailure, match="error object of type table"):
        run(";error(setmetatable({}, {__tostring = function() while true do end end}))")


def test_metamethods_of_arguments_do_not_run_inside_our_functions(run: Runner) -> None:
    assert run(
        ";local t = setmetatable({'a'}, {__index = function() ran = true end})"
        " pickrandom(t) all(t) return tostring(ran)"
    ) == ["nil"]


def test_in_shared_mode_globals_persist_and_the_query_is_still_the_present_one() -> None:
    run = Runner(unhurried(mode="shared"))
    run(";counter = 1 who = nil local q = qname return 'x'")
    assert run(";counter = counter + 1 return counter") == ["2"]
    assert run("who:toString()", query(client="192.0.2.99")) == ["192.0.2.99"]
    assert run("who:toString()", query(client="192.0.2.98")) == ["192.0.2.98"]


def test_in_shared_mode_the_host_is_as_far() -> None:
    run = Runner(unhurried(mode="shared"), Places({}), Health())
    assert run("tostring(io)..tostring(require)..tostring(os.execute)") == ["nilnilnil"]

# An attack is read best on one line.
# ruff: noqa: E501
"""Records that have no end, and calls of which a few take as long: of what each instruction does there is
no end either."""

from __future__ import annotations

import pytest

from lzc.lua.engine.execution import EngineSettings, LuaFailure
from tests.unit.lua.test_redteam import attack, runner
from tests.unit.lua_running import Runner, unhurried

ENDLESS = {
    "a loop": "while true do end",
    "a jump": "::again:: goto again",
    "protected loops": "while true do pcall(function() while true do end end) end",
    "a handler that loops": "xpcall(error, function() while true do end end)",
    "a handler of a limit": "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "coroutines": "while true do coroutine.wrap(function() while true do end end)() end",
    "coroutines that yield": "local co = coroutine.wrap(function() while true do coroutine.yield() end end) while true do co() end",
    "coroutines in coroutines": "local function f() return coroutine.wrap(f)() end f()",
    "protected coroutines in coroutines": "local function f() pcall(coroutine.wrap(f)) return f() end f()",
    "resumed coroutines in coroutines": "local function f() coroutine.resume(coroutine.create(f)) return f() end f()",
    "callbacks in callbacks": "local function f() return (('x'):gsub('.', f)) end f()",
    "callbacks in protected callbacks": "local function f() pcall(string.gsub, 'x', '.', f) return f() end f()",
    "callbacks in coroutines": "local function f() return (('x'):gsub('.', coroutine.wrap(f))) end f()",
    "sorting in sorting": "local function f() table.sort({3, 2, 1}, f) return f() end f()",
    "printing in printing": (
        "local t t = setmetatable({}, {__tostring = function() return ('%s'):format(t) end}) while true do"
        " pcall(tostring, t) end"
    ),
    "recursion": "local function f() return 1 + f() end while true do pcall(f) end",
    "tail calls": "local function f() return f() end f()",
    "__index that indexes": "local t t = setmetatable({}, {__index = function(_, k) return t[k] end}) return t.x",
    "__newindex that assigns": "local t t = setmetatable({}, {__newindex = function(_, k, v) t[k] = v end}) t.x = 1",
    "__concat that joins": "local t t = setmetatable({}, {__concat = function(a, b) return t .. b end}) return t .. 'x'",
    "__lt that compares": "local m = {} m.__lt = function(a, b) return a < b end local x = setmetatable({}, m) return x < x",
    "__eq that compares": (
        "local m = {} local function new() return setmetatable({}, m) end"
        " m.__eq = function() return new() == new() end return new() == new()"
    ),
    "__call that calls": "local t t = setmetatable({}, {__call = function() return t() end}) return t()",
    "__unm in a loop": "local t t = setmetatable({}, {__unm = function() return -t end}) return -t",
    "include of itself": "while true do include('self') end",
    "mutual include": "while true do include('one') end",
    "errors of errors": "while true do pcall(error, setmetatable({}, {__tostring = error})) end",
    "a foreach": "table.foreach({1}, function() while true do end end)",
    "a replacement": "('x'):rep(1000):gsub('.', function() while true do end end)",
    "a replacement with a costly pattern": "('a'):rep(3000):gsub('a-a-$', function() while true do end end)",
    "an object that prints itself": "tostring(setmetatable({}, {__tostring = function() while true do end end}))",
    "a table that grows": "local t = {} while true do t[#t + 1] = {} end",
    "closures": "local t while true do local u = t t = function() return u end end",
    "texts that grow": "local s = 'x' while true do s = s .. s end",
    "coroutines kept": "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "loaded code": "while true do loadstring('x = 1')() end",
}  # fmt: skip


BRIEF = 0.02
"""Seconds: what is to show is that there is an end."""


@pytest.mark.parametrize(
    "settings",
    [
        EngineSettings(),
        EngineSettings(mode="shared"),
        EngineSettings(exec_limit=100_000, time_limit=BRIEF),
        EngineSettings(exec_limit=0, time_limit=BRIEF),
        EngineSettings(exec_limit=0, time_limit=BRIEF, memory_limit=2**23),
    ],
    ids=["isolated", "shared", "many instructions", "no limit", "little memory"],
)
@pytest.mark.parametrize("code", ENDLESS.values(), ids=ENDLESS)
def test_what_has_no_end_is_ended(code: str, settings: EngineSettings) -> None:
    run = runner(settings)
    outcome = attack(run, f"do {code} end")
    ends = ("!instructions", "!time", "!memory", "!runtime")
    assert outcome in ends
    again = attack(run, f"do {code} end")
    assert again in ends
    # Time and memory may end either run first, on a busy machine above all. In shared mode the count
    # starts late at first.
    if not {outcome, again} & {"!time", "!memory"} and settings.mode != "shared":
        assert again == outcome


DIGITS = "local s = ('0'):rep(2^20 - 1) "

# As many arguments as the stack holds, each the same long text.
DOUBLED = f"{DIGITS} local a = {{}} for i = 1, 100 do a[i] = s end for k = 1, 6 do local b = {{}} table.move(a, 1, #a, 1, b) table.move(a, 1, #a, #a + 1, b) a = b end "
WRITTEN = ("s," * 200)[:-1]

NUMBERS = {
    "max": f"{DOUBLED} math.max(unpack(a))",
    "min": f"{DOUBLED} math.min(unpack(a))",
    "band": f"{DOUBLED} bit.band(unpack(a))",
    "bor": f"{DOUBLED} bit.bor(unpack(a))",
    "bxor": f"{DOUBLED} bit.bxor(unpack(a))",
    "char": f"{DOUBLED} string.char(unpack(a))",
    "format": f"{DOUBLED} (('%d'):rep(6400)):format(unpack(a))",
    "max of what is written": f"{DIGITS} math.max({WRITTEN})",
    "format of what is written": f"{DIGITS}; (('%d'):rep(200)):format({WRITTEN})",
}  # fmt: skip


@pytest.mark.parametrize("limit", [1000, 200_000, 0])
@pytest.mark.parametrize("code", NUMBERS.values(), ids=NUMBERS)
def test_long_texts_are_not_taken_for_numbers_without_end(code: str, limit: int) -> None:
    outcome = attack(runner(EngineSettings(exec_limit=limit)), code)
    assert outcome == "!time" or (limit == 1000 and "unpack" in code)


def test_few_arguments_are_what_they_are() -> None:
    run = Runner()
    assert run("math.max(1, '5', 3, 4, '2', 0)..math.min(6, '5', '7', 8, 9)") == ["55"]
    assert run("bit.bor(1, '2', 4, 8, 16, 32)..string.char(97, '98', 99, 100, 101)") == ["63abcde"]
    assert run("('%d%s%s%s%s%s'):format(1, 2, 'c', 4, 5, who)") == ["12c45192.0.2.10"]


def test_a_text_taken_for_a_number_again_and_again_is_seen_soon() -> None:
    # Each addition reads 12 MB. In shared mode it can be told how many there were.
    run = Runner(EngineSettings(mode="shared", time_limit=0.01))
    for before in range(100, 400, 20):
        pause = f"n = 0 for i = 1, {before} do end"
        whole = "local s = ('9'):rep(2^20) s = table.concat({s, s, s, s, s, s, s, s, s, s, s, s})"
        with pytest.raises(LuaFailure, match="time"):
            run(f";{pause} {whole} local x {'x = s + 0 n = n + 1 ' * 150}")
        assert int(run("n")[0]) < 30


NESTED = {
    "times": "function f() n = n + 1 return os.time(setmetatable({}, {__index = f})) end",
    "sorts": "local m = {} function f() n = n + 1 table.sort({setmetatable({}, m), setmetatable({}, m)}) end m.__lt = f",
    "formats": "local t = setmetatable({}, {}) function f() n = n + 1 return ('%s'):format(t) end getmetatable(t).__tostring = f",
}  # fmt: skip


@pytest.mark.parametrize("limit", [0, 100_000])
@pytest.mark.parametrize("code", NESTED.values(), ids=NESTED)
def test_calls_inside_each_other_are_not_deep(code: str, limit: int) -> None:
    run = runner(unhurried(exec_limit=limit))
    assert int(attack(run, f"local n, f = 0 {code} pcall(f) return n")) <= 101

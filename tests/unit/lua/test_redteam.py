# An attack is read best on one line.
# ruff: noqa: E501
"""Attacks of a record on its host, on other records, and on the time of a worker.

After each, whatever came of it, the next record finds all as it was: nothing is left behind, and the
state is usable. What must hold besides is said with each attack: what it gives, or how it fails.
"""

from __future__ import annotations

import time

import lupa.luajit21 as lupa
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from lzc.lua.engine.execution import EngineSettings, LuaFailure
from lzc.lua.engine.state import source
from tests.unit.lua_running import Health, Places, Runner, query, unhurried

CANARY = """;
local seen = {}
for _, name in ipairs{'find', 'gsub', 'rep', 'format', 'upper'} do
  seen[#seen + 1] = tostring(string[name] ~= nil)
end
return table.concat({
  ('ab'):upper(), tostring(leaked), tostring(getmetatable('')), qname:toString(), who:toString(),
  pickhashed({'a', 'b', 'c'}), math.floor(2.5), (('a,b'):gsub(',', ';')), tostring(io), tostring(ffi),
  pdns.A, tostring(getfenv(1) == _G), table.concat(seen),
}, ' ')"""

CPU_LIMIT = 20.0
"""Seconds of CPU time that no attack may take, 200 times what the limits allow, on a slow machine too:
hung means hours."""


@pytest.fixture
def run() -> Runner:
    return runner()


def runner(settings: EngineSettings | None = None) -> Runner:
    made = Runner(settings, Places({}), Health(True))
    made.included["self.example.org."] = "include('self')"
    made.included["one.example.org."] = "include('two')"
    made.included["two.example.org."] = "include('one')"
    made.included["bytes.example.org."] = "\x1bLJ\x02"
    return made


def attack(run: Runner, code: str) -> str:
    """What came of it: the results, or the kind of failure; the canary sings before and after."""
    before = run(CANARY)
    began = time.process_time()
    try:
        outcome = ",".join(run(";" + code))
    except LuaFailure as failure:
        assert len(str(failure)) < 2000
        outcome = f"!{failure.kind}"
    assert time.process_time() - began < CPU_LIMIT
    assert run(CANARY) == before
    return outcome


HOST = {
    "a log level that is no integer": "return tostring(pcall(pdnslog, 'x', 1/0))",
    "a log level that is no number": "return tostring(pcall(pdnslog, 'x', 0/0))",
    "a port that Python does not read": "return type(select(2, pcall(newCA, '1.2.3.4:' .. ('9'):rep(5000))))",
    "a port of an IPv6 address likewise": "return type(select(2, pcall(newCA, '[::1]:' .. ('9'):rep(5000))))",
    "a port number beyond all": "return type(select(2, pcall(ifportup, 1e300, {'1.2.3.4'})))",
    "a port that is not a number": "return type(select(2, pcall(ifportup, 0/0, {'1.2.3.4'})))",
    "an endless timeout": "return type(select(2, pcall(ifportup, 80, {'1.2.3.4'}, {timeout = 1/0})))",
    "a table for a timeout": "return type(select(2, pcall(ifportup, 80, {'1.2.3.4'}, {timeout = {}})))",
    "a function for a source": "return type(select(2, pcall(ifportup, 80, {'1.2.3.4'}, {source = print})))",
    "a URL that is no text": "return type(select(2, pcall(ifurlup, '\\255\\0', {'1.2.3.4'})))",
    "a URL that is a coroutine": "return type(select(2, pcall(ifurlup, coroutine.create(print), {'1.2.3.4'})))",
    "an address with a zero octet": "return type(select(2, pcall(newCA, '1.2.3.4\\0')))",
    "a candidate that is no ASCII": "return type(select(2, pcall(ifportup, 80, {'\\255'})))",
    "a raw address of a wrong size": "return tostring(pcall(newCAFromRaw, ('x'):rep(99)))",
    "an include that is no name": "return type(select(2, pcall(include, ('x'):rep(300))))",
    "an include of bytecode": "return tostring(select(2, pcall(include, 'bytes')))",
    "a type number beyond all": "return tostring(pcall(newQType, 'TYPE' .. ('9'):rep(400)))",
    "the metatable of a library": "return tostring(getmetatable(string))",
    "the metatable of an object": "return tostring(getmetatable(qname))",
    "the metatable of a function": "return tostring(getmetatable(print))",
    "the metatable of a coroutine": "return tostring(getmetatable(coroutine.create(print)))",
    "the metatable of nothing": "return tostring(pcall(getmetatable))",
    "environments of all levels": (
        "for i = 0, 30 do local ok, env = pcall(getfenv, i)"
        " if ok and env ~= _G then return 'userdata' end end return 'own'"
    ),
    "environments of odd levels": (
        "for _, i in ipairs{0/0, 1e300, -1, 1.5, 2^31, -2^63} do local ok, env = pcall(getfenv, i)"
        " if ok and env ~= _G then return 'userdata' end end return 'own'"
    ),
    "environments of our functions": (
        "for _, f in ipairs{pickrandom, string.rep, getmetatable, pcall, print, coroutine.wrap, tostring} do"
        " if getfenv(f) ~= _G then return 'userdata' end end return 'own'"
    ),
    "the environment that a reader is called from": (
        "local seen = 'own' load(function() for i = 1, 9 do local ok, env = pcall(getfenv, i)"
        " if ok and env ~= _G then seen = 'userdata' end end end) return seen"
    ),
    "an error object of a limit": (
        "local kept pcall(function() local ok, e = pcall(function() while true do end end) kept = e end)"
        " return type(kept)"
    ),
    "modules by name": "return tostring(package) .. tostring(require) .. tostring(module)",
    "the registry through a traceback": "return type(debug.traceback(print))",
    "what the debug library holds": "local n = 0 for _ in pairs(debug) do n = n + 1 end return n",
    "newproxy for __gc": "return tostring(newproxy)",
}  # fmt: skip


@pytest.mark.parametrize("code", HOST.values(), ids=HOST)
def test_no_object_of_the_host_is_reached(run: Runner, code: str) -> None:
    outcome = attack(run, code)
    assert "userdata" not in outcome
    assert "<" not in outcome


def test_what_a_callback_raises_does_not_reach_the_record(run: Runner) -> None:
    def broken(_name: bytes) -> bytes | None:
        raise RuntimeError("of the host")

    run.include = broken  # type: ignore[method-assign,assignment]
    assert attack(run, "local ok, e = pcall(include, 'x') return tostring(ok) .. tostring(e)") == (
        "truenil"
    )


LEFT_BEHIND = {
    "globals": "leaked = 1 _G.leaked = 1 rawset(_G, 'leaked', 1) getfenv(1).leaked = 1",
    "globals of loaded code": "loadstring('leaked = 1')() load('leaked = 1')()",
    "globals of an include": "include('self') leaked = 1",
    "globals through a coroutine": "coroutine.wrap(function() leaked = 1 end)()",
    "methods of strings": "string.upper = function() return 'evil' end string.find = nil string = nil",
    "all the libraries": (
        "for _, library in ipairs{string, table, math, os, bit, coroutine, debug, jit} do"
        " for _, name in ipairs{'upper', 'concat', 'floor', 'time', 'find', 'gsub', 'format'} do"
        " pcall(rawset, library, name, 1) end pcall(setmetatable, library, nil) end"
    ),
    "the basic functions": "getmetatable = 1 tostring = 1 ipairs = 1 rawset(_G, 'getfenv', 1) pickhashed = 1",
    "the metatable of strings": (
        "pcall(function() getmetatable('').__index = {} end)"
        " pcall(setmetatable, '', {}) pcall(rawset, getmetatable(''), '__index', 1)"
    ),
    "the metatable of globals": "pcall(setmetatable, _G, {__index = function() return 'evil' end})",
    "the environment": "setfenv(1, {}) ",
    "the environment of our functions": (
        "for _, f in ipairs{pickhashed, string.rep, table.concat, tostring, print} do pcall(setfenv, f, {}) end"
        " pcall(setfenv, 0, {}) pcall(setfenv, 2, {}) pcall(setfenv, 3, {})"
    ),
    "the environment that callbacks are called from": (
        "pcall(load, function() for i = 2, 9 do pcall(setfenv, i, {}) end end)"
        " pcall(string.gsub, 'x', 'x', function() for i = 2, 9 do pcall(setfenv, i, {}) end end)"
        " pcall(table.sort, {2, 1}, function() for i = 2, 9 do pcall(setfenv, i, {}) end end)"
        " pcall(xpcall, error, function() for i = 2, 9 do pcall(setfenv, i, {}) end end)"
    ),
    "objects": (
        "qname:chopOff() who:truncate(0) rawset(qname, 'wire', '\\0') rawset(who, 'packed', 'abcd')"
        " pcall(rawset, zone, 'wire', 7) pdns.A = 7 pdns.loglevels.Info = 9"
    ),
    "the seed": "math.randomseed(1) math.randomseed(0/0)",
    "the garbage collector": "collectgarbage('stop') collectgarbage('setpause', 1e9)",
    "the compiler": "pcall(function() jit.on() end) jit.opt = 1",
    "a coroutine on its way": "coroutine.wrap(function() coroutine.yield() end)()",
    "a coroutine inside a callback": (
        "local co co = coroutine.wrap(function() ('x'):gsub('x', function() coroutine.yield() end) end)"
        " pcall(co)"
    ),
    "depth used up by errors": "for i = 1, 20 do pcall(string.gsub, 'x', 'x', error) end",
    "a string method in the midst of a call": (
        "pcall(string.gsub, 'x', 'x', function() string.upper = nil error('x') end)"
    ),
    "a hook that has fired": "pcall(function() while true do end end)",
    "a result with hostile metamethods": (
        "return setmetatable({'1.2.3.4'}, {__index = error, __len = error, __tostring = error, __pairs = error})"
    ),
}  # fmt: skip


@pytest.mark.parametrize("code", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_nothing_is_left_behind(run: Runner, code: str) -> None:
    attack(run, code)
    with pytest.raises(LuaFailure):
        run(f";{code} error('failed')")
    assert run("tostring(leaked)") == ["nil"]


RECORD = "local d = newDR(newDN('x'), 'A', 1, '192.0.2.1', 1)"

HOSTILE = {
    "__index of candidates": "pickrandom(setmetatable({'a'}, {__index = ran}))",
    "__pairs and __len of candidates": "all(setmetatable({'a'}, {__pairs = ran, __ipairs = ran, __len = ran}))",
    "__index of a weighted pair": "pickwrandom({setmetatable({1, 'a'}, {__index = ran})})",
    "__tostring of a candidate": "pickrandom({setmetatable({}, {__tostring = ran})})",
    "__index of options": "ifportup(80, {'192.0.2.1'}, setmetatable({}, {__index = ran}))",
    "__tostring of an option": "ifportup(80, {'192.0.2.1'}, {source = setmetatable({}, {__tostring = ran})})",
    "__tostring of a URL": "ifurlup(setmetatable({}, {__tostring = ran, __concat = ran}), {'192.0.2.1'})",
    "__index of a rule": "view({setmetatable({}, {__index = ran})})",
    "__tostring of a netmask": "netmask({setmetatable({}, {__tostring = ran})})",
    "__concat of a format": "createReverse(setmetatable({}, {__concat = ran, __tostring = ran}))",
    "__index of exceptions": "createReverse('%1%', setmetatable({}, {__index = ran, __pairs = ran}))",
    "__eq of names": "return tostring(qname == setmetatable({}, {__eq = ran}))",
    "__lt of weights": "pickwrandom({{setmetatable({}, {__lt = ran, __le = ran}), 'a'}})",
    "__tostring of a message": "pdnslog(setmetatable({}, {__tostring = ran}))",
    "__call for a country": "country(setmetatable({}, {__call = ran, __tostring = ran}))",
    "__tostring of a name": "newDN(setmetatable({}, {__tostring = ran}))",
    "__index of a mask group": "newNMG(setmetatable({'192.0.2.0/24'}, {__index = ran, __len = ran}))",
    "__index of a false name": "qname:isPartOf(setmetatable({}, {__index = ran}))",
    "__index of what a record keeps": f"{RECORD} rawset(d, 'attributes', setmetatable({{}}, {{__index = ran}})) return d.ttl",
    "__newindex of what a record keeps": f"{RECORD} rawset(d, 'attributes', setmetatable({{}}, {{__newindex = ran}})) d.ttl = 5",
    "__tostring of an error": "error(setmetatable({}, {__tostring = ran}))",
}  # fmt: skip


@pytest.mark.parametrize("code", HOSTILE.values(), ids=HOSTILE)
def test_metamethods_do_not_run_inside_our_functions(run: Runner, code: str) -> None:
    whole = f"local times = 0 local function ran() times = times + 1 return 'x' end pcall(function() {code} end)"
    assert attack(run, f"{whole} return times") == "0"


ODD = {
    "a name with a wire format of its own": (
        "rawset(qname, 'wire', ('\\63'):rep(255)) return tostring(pcall(qname.toString, qname))", "false"
    ),
    "a name cut short": "rawset(qname, 'wire', '\\1') return tostring(pcall(qname.countLabels, qname))",
    "an address truncated beyond": (
        "for _, bits in ipairs{-1, -8, 0/0, 1/0, 1e300, 33} do pcall(who.truncate, who, bits) end"
        " return #who:getRaw()", "4"
    ),
    "numbers at their ends in weights": (
        "return tostring(pcall(pickwrandom, {{0/0, 'a'}})) .. tostring(pcall(pickwrandom, {{-1, 'a'}}))",
        "falsefalse"
    ),
    "keys at the ends of numbers": "return type(select(2, pcall(pickwhashed, {[1e300] = {1, 'a'}, [-1e300] = {1, 'a'}})))",
    "a sample of more than there is": "return #pickrandomsample(1e300, {'a', 'b'})",
    "bits of what is not a number": "return tostring(bit.tobit(0/0)) .. bit.bor(1/0, 0) .. bit.lshift(1, 1e9)",
    "tohex of too many digits": "return #bit.tohex(1, -2^31)",
    "a time out of all ages": "return tostring(os.date('*t', 1e300)) .. tostring(os.date('!%c', -1e300))",
    "a date with odd conversions": "return type(os.date('%Ez%Q%!%\\0%c%'))",
    "a time table of odd fields": "return type(os.time{year = 1e300, month = -1e300, day = 0/0})",
    "a time table that runs": (
        "return tostring(os.time(setmetatable({}, {__index = function() while true do end end})))",
        "!instructions"
    ),
    "unpack of everything": "return tostring(pcall(unpack, {}, 1, 1e7)) .. tostring(pcall(unpack, {}, -2^31, 2^31 - 1))",
    "select from far behind": "return tostring(pcall(select, -2^31, 1))",
    "a width beyond all": ("return ('%99999d'):format(1)", "!runtime"),
    "a precision that is allowed": ("return #('%.99f'):format(1e308)", "409"),
    "format with an object that prints a number": (
        "return tostring(pcall(string.format, '%s', setmetatable({}, {__tostring = function() return 5 end})))"
    ),
    "rep of nothing, often": ("return #(''):rep(1e15)", "0"),
    "rep of nothing with a separator": ("return #(''):rep(1e9, 'x')", "!runtime"),
    "rep by a text": ("return #('x'):rep('1e9')", "!runtime"),
    "rep by what is not a number": ("return #('x'):rep(0/0)", "0"),
    "random from an empty range": "return tostring(pcall(math.random, 2, 1)) .. tostring(pcall(math.random, 1/0))",
    "concat of a far range": ("return table.concat({}, '', -2^31, 2^31 - 1)", "!runtime"),
    "error without anything": ("error()", "!runtime"),
    "error of nil": ("error(nil)", "!runtime"),
    "error of a table": ("error({})", "!runtime"),
    "error of a function": ("error(print)", "!runtime"),
    "error of octets that are no UTF-8": ("error('\\255\\254')", "!runtime"),
    "an error a megabyte long": ("error(('x'):rep(2^20 - 1))", "!runtime"),
    "a forged memory error": ("error('not enough memory')", "!runtime"),
    "a result that is a boolean": ("return true", "!result"),
    "a result that is a function": ("return print", "!result"),
    "a result that is a coroutine": ("return coroutine.create(print)", "!result"),
    "a result that is an object": ("return qname", "!result"),
    "a result that holds itself": ("local t = {} t[1] = t return t", "!result"),
    "the globals for a result": ("return _G", "!result"),
    "a list with a zero octet": ("return {'a\\0b', 'c'}", "!result"),
    "a list of thousands": ("return {('x'):rep(7000):byte(1, 7000)}", "!result"),
    "a text of a megabyte": ("return ('x'):rep(2^20)", "!result"),
    "a list of long texts": ("local t = {} for i = 1, 9 do t[i] = ('x'):rep(65535) end return t", "!result"),
    "a text of 64 KB": ("return #('x'):rep(65536)", "65536"),
    "yielding out of the record": ("return coroutine.yield(1)", "!runtime"),
    "resuming itself": "return tostring(coroutine.running() and 1)",
    "a coroutine that calls itself": ("local co co = coroutine.wrap(function() return co() end) return co()", "!runtime"),
    "a reader that yields": (
        "local co = coroutine.wrap(function() return load(function() coroutine.yield(1) end) end) co() co()"
        " return 'x'"
    ),
    "bytecode in a loaded text": ("return tostring(loadstring('\\27LJ\\2'))", "nil"),
    "bytecode behind a comment": ("return tostring(loadstring('#x\\n\\27LJ\\2'))", "nil"),
    "bytecode behind a mark": ("return tostring(loadstring('\\239\\187\\191\\27LJ\\2'))", "nil"),
    "bytecode from a reader": (
        "local parts, i = {'\\27', 'LJ\\2'}, 0 return tostring(load(function() i = i + 1 return parts[i] end))",
        "nil"
    ),
    "a candidate table changed in a metamethod": (
        "return pickrandom(setmetatable({'a'}, {__index = function(t, k) t[k] = 'b' end}))", "a"
    ),
    "next while the table changes": (
        "local t = {a = 1, b = 2} for k in pairs(t) do t[k .. k] = 1 t[k] = nil end return 'x'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ODD.values(), ids=ODD)
def test_odd_values_give_an_error_or_a_value(run: Runner, case: str | tuple[str, str]) -> None:
    code, expected = case if isinstance(case, tuple) else (case, None)
    outcome = attack(run, code)
    assert expected is None or outcome == expected


# Each spends its time in C, in one call or in many, where instructions are few.
LONG_CALLS = {
    "insert before everything": "table.insert({}, -2^31 + 1, 'x')",
    "insert at what is not a number": "table.insert({1}, 0/0, 'x')",
    "remove before everything": "table.remove({1}, -2^31)",
    "move of everything": "table.move({}, -1e7, 3e7, 2, {})",
    "sort of long texts": "local s, t = ('x'):rep(2^20), {} for i = 1, 300 do t[i] = s end table.sort(t)",
    "sort over and over": "local t = {('xyz'):rep(2000):byte(1, 6000)} for i = 1, 300 do table.sort(t) end",
    "sort with an order that is none": "table.sort({('x'):rep(7000):byte(1, 7000)}, function() return true end)",
    "concat of a long separator": "table.concat({('x'):rep(7000):byte(1, 7000)}, ('x'):rep(1e6))",
    "joining long texts": "local s = ('x'):rep(2^20) s = s .. s .. s for i = 1, 240 do local t = s .. i end",
    "joining long texts, protected": (
        "local s = ('x'):rep(2^20) s = s .. s .. s .. s"
        " for i = 1, 100 do pcall(function() local t = s .. s .. i end) end"
    ),
    "case of long texts": "local s = ('x'):rep(2^20) s = s .. s for i = 1, 240 do local t = s:upper() end",
    "long texts reversed": "local s = ('x'):rep(2^20) for i = 1, 240 do local t = s:reverse() end",
    "long texts made": "for i = 1, 200 do local t = ('x'):rep(2^20 - i) end",
    "numbers of many digits": "local s = ('9'):rep(2^20) for i = 1, 100 do tonumber(s) tonumber(s, 36) end",
    "long code": "local s = ('x=1 '):rep(16000) for i = 1, 200 do loadstring(s) end",
    "longer code": "local s = ('x=1 '):rep(2^18 - 1) for i = 1, 20 do loadstring(s) end",
    "code of many parentheses": "loadstring('return ' .. ('('):rep(60000))",
    "a reader without end": "load(function() return 'x ' end)",
    "pattern of optional letters": "('a'):rep(26):find(('a?'):rep(26) .. ('a'):rep(26))",
    "pattern of many stars": "('a'):rep(40):find(('a*'):rep(20) .. 'b')",
    "pattern of lazy dots": "('a'):rep(2000):find('.-.-.-b')",
    "pattern that starts anywhere": "('a'):rep(2^19):find('a*b')",
    "pattern with two stars": "('a'):rep(20000):match('a*a*b')",
    "pattern of blanks at the end": "((' '):rep(2^19) .. 'x'):match('%s+$')",
    "pattern of parentheses": "('('):rep(2^19):find('%b()')",
    "pattern that repeats a capture": "('a'):rep(20000):find('(a*)%1b')",
    "pattern with a long set": "('a'):rep(2^19):find('[' .. ('b-c'):rep(1e5) .. ']')",
    "pattern longer than all": "('a'):rep(2000):find(('a?'):rep(5000) .. 'b')",
    "pattern of a number": "(1e15):rep(2):find(('1?'):rep(200) .. 'b')",
    "pattern replaced": "('a'):rep(20000):gsub('a*b', '')",
    "pattern replaced by a function": "('a'):rep(20000):gsub('a*b', function() end)",
    "pattern iterated": "for word in ('a'):rep(20000):gmatch('a*b') do end",
    "pattern in a loop": "local s = ('a'):rep(2^20) for i = 1, 150 do s:gsub('b', '') end",
    "plain text in plain text": "local s = ('a'):rep(2^19); (s .. s):find(s .. 'b', 1, true)",
    "plain text without saying so": "local s = ('a'):rep(2^19); (s .. s):find(s .. 'b')",
    "many captures with equal hashes": "('abcdefgh'):rep(131072):gsub(('.'):rep(32), {})",
    "replaced by long texts": "('a'):rep(2^20):gsub('.', ('b'):rep(1e5))",
    "replaced from a table": "('a'):rep(2^20):gsub('.', {a = ('b'):rep(50)})",
    "names of a megabyte": "for i = 1, 50 do pcall(newDN, ('a'):rep(2^20)) end",
    "addresses of a megabyte": "for i = 1, 60 do pcall(newCA, ('x'):rep(2^20 - i)) end",
    "networks of a megabyte": "for i = 1, 60 do pcall(newNetmask, ('x'):rep(2^20 - i)) end",
    "checks of a megabyte": "for i = 1, 60 do pcall(ifurlup, ('x'):rep(2^20 - i), {'192.0.2.1'}) end",
    "rings of many points": "for i = 1, 100 do pcall(pickchashed, {{3e4, 'a' .. i}, {3e4, 'b' .. i}}) end",
    "contents of 60 KB": "for i = 1, 100 do pcall(newDR, newDN('x'), 'TXT', 60, ('a '):rep(30000) .. i, 1) end",
    "log lines of a megabyte": "for i = 1, 100 do pdnslog(('x'):rep(2^20)) end",
    "a format of a megabyte": "createReverse(('%'):rep(2^20))",
    "long lists picked": "local t = {('x'):rep(7000):byte(1, 7000)} for i = 1, 300 do pickrandom(t) end",
    "long lists unpacked": "local t = {} for i = 1, 300 do t = {unpack(t, 1, 7900)} end",
}  # fmt: skip


@pytest.mark.parametrize("mode", ["isolated", "shared"])
@pytest.mark.parametrize("code", LONG_CALLS.values(), ids=LONG_CALLS)
def test_long_calls_are_over_soon(code: str, mode: str) -> None:
    run = runner(EngineSettings(mode="shared" if mode == "shared" else "isolated"))
    outcome = attack(run, f"do {code} end return 'x'")
    assert outcome in ("x", "!time", "!instructions", "!memory", "!runtime")


def test_a_full_memory_is_empty_for_the_next_record() -> None:
    run = runner(unhurried(memory_limit=2**23, exec_limit=100_000))
    for fill in ("newCA", "newNetmask", "newDN"):
        for _ in range(3):
            attack(run, f"for i = 1, 900 do pcall({fill}, ('x'):rep(200) .. i .. os.clock()) end")
    assert run("#('x'):rep(1e6)") == ["1000000"]


def test_in_shared_mode_globals_that_fill_the_memory_are_given_up() -> None:
    run = Runner(unhurried(mode="shared", memory_limit=2**23, exec_limit=100_000))
    with pytest.raises(LuaFailure, match="memory"):
        run(";kept = {} for i = 1, 1000 do kept[i] = ('x'):rep(1e5) .. i end return 'x'")
    assert run("#('x'):rep(1e6)") == ["1000000"]


def test_what_is_logged_is_cut(run: Runner) -> None:
    run(";pdnslog(('x'):rep(2^20)) return 'x'")
    assert [len(text) for text, _level in run.logged] == [1000]


def test_patterns_that_are_long_only_for_their_estimate_match_all_the_same(run: Runner) -> None:
    run = runner(unhurried(exec_limit=20_000))
    words = "('a.b.c.d.'):rep(20)"
    assert run(f";return ({words}):match('^(.-)%.(.-)%.(.-)%.(.*)%.$'):upper()") == ["A"]
    assert run(
        f";local n = 0 for w in ({words}):gmatch('(.-)%.(.-)%.(.-)%.') do n = n + 1 end return n"
    ) == ["26"]
    assert run(f";return select(2, ({words}):gsub('(.-)%.(.-)%.(.-)%.', '%2%1'))") == ["26"]
    assert run(
        f";return (({words}):gsub('(.-)%.(.-)%.(.-)%.', function(a) return a end)):sub(1, 4)"
    ) == ["adcb"]


_MATCH = lupa.LuaRuntime(encoding=None).execute(
    b"local source = ...\n"
    b"local core = {remember = function(f) return f end}\n"
    b"assert(loadstring(source))(core)\n"
    b"return function(text, pattern, init)\n"
    b"  local ours = {pcall(function()\n"
    b"    local start, stop, found, count = core.search(text, pattern, init)\n"
    b"    if not start then return nil end\n"
    b"    return start, stop, unpack(found, 1, count)\n"
    b"  end)}\n"
    b"  local theirs = {pcall(string.find, text, pattern, init)}\n"
    b"  if not ours[1] or not theirs[1] then return ours[1] == theirs[1] end\n"
    b"  for i = 1, 40 do if ours[i] ~= theirs[i] then return false end end\n"
    b"  return true\n"
    b"end",
    source("match"),
)

ITEMS = st.sampled_from(
    ["a", "b", ".", "%a", "%d", "%.", "[ab]", "[^a]", "[a-c]", "[%w_]", "[]]", "[^]a]", "%W", "%%", "1", "-", "$", "^"]
)  # fmt: skip
PIECES = st.one_of(
    st.builds(
        lambda item, times: item + times, ITEMS, st.sampled_from(["", "", "*", "+", "-", "?"])
    ),
    st.sampled_from(["(", ")", "()", "%1", "%2", "%b()", "%bab", "%f[a]", "%f[^%w]"]),
)


@given(
    st.text("ab1.-()_%$", max_size=10),
    st.builds(
        lambda start, pieces, end: start + "".join(pieces) + end,
        st.sampled_from(["", "^"]),
        st.lists(PIECES, max_size=6),
        st.sampled_from(["", "$"]),
    ),
    st.integers(1, 3),
)
def test_the_matcher_in_lua_is_that_of_luajit(text: str, pattern: str, init: int) -> None:
    # Without any of these, find looks for plain text.
    assume(any(c in pattern for c in "^$*+?.([%-"))
    init = min(init, len(text) + 1)
    assert _MATCH(text.encode(), pattern.encode(), init)


def test_a_query_is_seen_as_it_is_whatever_another_did(run: Runner) -> None:
    for client in ("192.0.2.1", "2001:db8::1", "192.0.2.2"):
        assert run("who:toString()", query(client=client)) == [client]
        attack(run, "who = nil qname = nil rawset(_G, 'who', 1)")


@pytest.mark.parametrize(
    ("innocent", "hostile"),
    [
        ("'u',{'192.0.2.1'},{stringmatch='a',useragent='b'}", r"'u',{'192.0.2.1'},{stringmatch='a\0004b'}"),
        ("'u',{'192.0.2.1'},{stringmatch='a',useragent='b'}", "'u',{'192.0.2.1'},{stringmatch='a4 1 b'}"),
        ("'u',{'192.0.2.1'},{timeout=3}", r"'u\00013',{'192.0.2.1'}"),
        ("'u',{'192.0.2.1'},{headers='x:y'}", r"'u\0hx:y',{'192.0.2.1'}"),
        ("'hu',{'192.0.2.1'}", "'u',{'192.0.2.1'},{headers='x:y'}"),
    ],
)  # fmt: skip
def test_no_check_is_taken_for_another_by_what_stands_in_its_texts(
    innocent: str, hostile: str
) -> None:
    health = Health(True)
    run = Runner(health=health)
    for code in (innocent, hostile):
        attack(run, f"return ifurlup({code})")
    assert len(set(health.asked)) == 2

"""No function that a record reaches takes long, whatever numbers it is given; and within bounds
each gives what LuaJIT gives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import lupa.luajit21 as lupa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.contained import Begin, Contained, Ended, Home
from lzc.lua.engine.execution import EngineSettings, LuaFailure
from tests.unit.lua_library import SMALL, Library, api_calls, calls, object_calls
from tests.unit.lua_running import Runner

CPU_LIMIT = 2.0
"""Seconds of CPU time, many times what the limits allow: hung means hours."""

SETTINGS = {
    "isolated": EngineSettings(time_limit=0.005),
    "shared": EngineSettings(mode="shared", time_limit=0.005),
    "no limit": EngineSettings(exec_limit=0, time_limit=0.005),
}
TRIED = {"isolated": slice(None), "shared": slice(0, None, 2), "no limit": slice(1, None, 2)}
"""Which calls are tried in each: every one isolated, and in one of the others."""
LISTED = Library().listed()


def _call_all(request: tuple[str, list[str]], begin: Begin, _: Home) -> int:
    """How many calls came back with something."""
    how, wanted = request
    run = Library(SETTINGS[how]).runner
    done = 0
    for number, call in enumerate(wanted):
        begin(number)
        try:
            run(f";local f, r = tostring, {{pcall(function() return {call} end)}} return f(r[1])")
            done += 1
        except LuaFailure as failure:
            # By a limit: nothing else gets past pcall, and no state is lost for it.
            assert failure.kind in ("time", "memory", "instructions"), (call, failure)
    assert run("1 + 1") == ["2"]
    return done


CHILD = Contained(_call_all, seconds=CPU_LIMIT)


@pytest.fixture(scope="module", autouse=True)
def child() -> Iterator[None]:
    """One is enough for all: it is made anew where it had to be ended."""
    yield
    CHILD.close()


def come_back(how: str, calls_: Iterable[str]) -> float:
    """The share of the calls that came back with something."""
    wanted = list(calls_)[TRIED[how]]
    try:
        return CHILD.ask((how, wanted)) / max(1, len(wanted))
    except Ended as ended:
        pytest.fail(f"{wanted[ended.at]}: {ended.why}")


@pytest.mark.parametrize("how", SETTINGS)
def test_every_c_function_that_a_record_reaches_is_listed(how: str) -> None:
    library = Library(SETTINGS[how])
    assert library.unlisted() == []
    # A new one would be seen.
    for added in (b"newproxy", b"{x = {debug.getinfo}}", b"setmetatable({}, {__index = io.open})"):
        assert len(library.unlisted(added)) == 2


def test_what_a_library_has_and_the_table_has_not_is_not_there() -> None:
    run = Runner()
    assert run("tostring(string.dump)..tostring(math.pi > 3)..tostring(os.exit)") == ["niltruenil"]


@pytest.mark.parametrize("how", SETTINGS)
@pytest.mark.parametrize("name", LISTED)
def test_every_number_comes_back_from_the_library(how: str, name: str) -> None:
    wanted = list(calls(name, LISTED[name]))
    assert come_back(how, wanted) > 1 / 2 or not wanted


@pytest.mark.parametrize("how", SETTINGS)
@pytest.mark.parametrize("name", Library().api())
def test_every_number_comes_back_from_powerdns_functions(how: str, name: str) -> None:
    assert come_back(how, api_calls(name)) > 0


@pytest.mark.parametrize("how", SETTINGS)
def test_every_number_comes_back_from_methods(how: str) -> None:
    assert come_back(how, object_calls(Library().methods())) > 0


@given(
    st.sampled_from([name for name in LISTED if set(LISTED[name]) & set("ibdt")]),
    st.floats(),
    st.floats(),
)
def test_any_number_comes_back(name: str, one: float, other: float) -> None:
    numbers = tuple(f"tonumber('{value!r}')" if value == value else "0/0" for value in (one, other))
    assert come_back("isolated", calls(name, LISTED[name], numbers)) >= 0


_SHOWN = """
local function show(value)
  local t = type(value)
  if t == 'table' then
    local shown = {}
    for i = 1, #value do shown[i] = show(value[i]) end
    return '{' .. table.concat(shown, ' ') .. '}'
  end
  if t == 'number' then return ('%%.17g'):format(value) end
  if t ~= 'string' then return t == 'boolean' and tostring(value) or t end
  if #value > 99 then value = #value .. value:sub(1, 50) .. value:sub(-50) end
  return '"' .. value:gsub('[^ -~]', function(octet) return '#' .. octet:byte() end) .. '"'
end
local function shown(...)
  local r = {}
  for i = 1, select('#', ...) do r[i] = show((select(i, ...))) end
  return table.concat(r, ' ')
end
local function outcome(ok, ...)
  if not ok then return 'error' end
  return (shown(...):gsub('0x%%x+', '0x'))
end
local l
return outcome(pcall(function() %s return %s end))
"""

# What they give has to do with the time, with chance, or with what is hidden.
_OTHERWISE = ("os.", "math.random", "getfenv", "setfenv", "coroutine.", "debug.", "load", "getmeta")


@pytest.mark.parametrize(
    "name", [name for name in LISTED if not name.startswith(_OTHERWISE) and LISTED[name]]
)
def test_small_numbers_are_what_they_are_in_luajit(name: str) -> None:
    plain = lupa.LuaRuntime(encoding=None)
    plain.execute(b"jit.off()")
    run = Runner(EngineSettings(exec_limit=0, time_limit=1.0, powerdns=(4, 9)))
    for call in calls(name, LISTED[name], SMALL):
        before, call_with = "", call
        if name.startswith("table."):
            # What is in the list afterwards counts.
            inside = call.partition("(")[2]
            end = 0
            while inside[: end + 1].count("{") != inside[: end + 1].count("}") or end == 0:
                end += 1
            if inside.startswith("{"):
                before = f"l = {inside[: end + 1]}"
                call_with = f"{{{name}(l{inside[end + 1 :]}}}, l"
        code = _SHOWN % (before, call_with)
        expected = plain.execute(code.encode())
        assert run(f";{code}") == ([expected.decode("latin-1")]), call


# It decides while a list is sorted what makes that take longest (McIlroy, "A killer adversary for
# quicksort", 1999).
_KILLER = b"""
local size = ...
local undecided, decided, pivot = size + 1, 1, 0
local values, list = {}, {}
for i = 1, size do values[i], list[i] = undecided, i end
table.sort(list, function(a, b)
  if values[a] == undecided and values[b] == undecided then
    local one = a == pivot and a or b
    values[one], decided = decided, decided + 1
  end
  if values[a] == undecided then pivot = a elseif values[b] == undecided then pivot = b end
  return values[a] < values[b]
end)
return table.concat(values, ',')
"""


@pytest.mark.difference("D-23")
@pytest.mark.parametrize("limit", [1000, 0])
@pytest.mark.parametrize(
    "sort", ["table.sort(l)", "table.sort(l, function(a, b) return a < b end)"]
)
def test_a_list_made_to_be_sorted_slowly_is_ended(sort: str, limit: int) -> None:
    run = Runner(EngineSettings(exec_limit=limit, time_limit=0.01))
    values: bytes = lupa.LuaRuntime(encoding=None).execute(_KILLER, 4000)
    with pytest.raises(LuaFailure, match=r"time|instructions"):
        run(f";local l = {{{values.decode()}}} {sort} return 'sorted'")


@pytest.mark.parametrize(
    "sort",
    ["table.sort(l)", "table.sort(l, function(a, b) return a < b end)"],
)
@pytest.mark.parametrize("limit", [1000, 0])
def test_other_long_lists_are_sorted(sort: str, limit: int) -> None:
    run = Runner(EngineSettings(exec_limit=limit, time_limit=5.0))
    numbers = ",".join(str(n * 7919 % 3001) for n in range(3000))
    words = numbers.replace(",", "','")
    objects = (
        "local m = {__lt = function(a, b) return a.n < b.n end} for i = 1, #l do"
        " l[i] = setmetatable({n = l[i]}, m) end"
    )
    shown = "return table.concat({type(l[1]), #l, tostring(l[1]), tostring(l[#l])}, ' ')"
    if limit and sort != "table.sort(l)":
        return
    assert run(f";local l = {{{numbers}}} {sort} {shown}") == ["number 3000 0 3000"]
    assert run(f";local l = {{'{words}'}} {sort} {shown}") == ["string 3000 0 999"]
    if not limit:
        found = run(f";local l = {{{numbers}}} {objects} {sort} return l[1].n .. ' ' .. l[#l].n")
        assert found == ["0 3000"]

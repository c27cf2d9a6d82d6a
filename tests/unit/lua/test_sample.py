"""Of some executions the instructions are counted: as many as count against the limit, and without
a record seeing it, or anybody seeing it by the answers."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import Literal

import pytest

from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import EngineSettings, LuaFailure, QueryContext
from tests.bench.codes import ARBITRARY, STRINGS, in_use
from tests.unit.lua.test_limit import CALLS, Ports, asked
from tests.unit.lua_running import Places

ZONE = asked("192.0.2.9").zone
LOOP = ";local n = 0 for i = 1, {} do n = n + i end return 'x'"
MODES = ("isolated", "shared")
Mode = Literal["isolated", "shared"]

DEEP = "local n = 1 while pcall(getfenv, n) do n = n + 1 end"
LOOKS: dict[str, str] = {
    "what its functions are": "tostring(pcall):match('^%a+: %a*')..tostring(print):match('^%a+')",
    "how deep it is": f";{DEEP} return 'x' .. n",
    "how deep it is inside": f";local d pcall(function() {DEEP} d = n end) return 'x' .. d",
    "where an error was": ";local _, e = pcall(function() error('here', 2) end) return e",
    "where one was above": ";local _, e = pcall(function() error('x', 3) end) return tostring(e)",
    "a traceback": "debug.traceback('here')",
    "what debug has": ";local t = {} for k in pairs(debug) do t[#t + 1] = k end table.sort(t)"
    " return table.concat(t, ' ')",
    "whether there is a hook": "tostring(debug.gethook) .. tostring(debug.sethook)",
    "how much memory it has": "collectgarbage('count') .. gcinfo()",
    "what comes by chance": "math.random(1000) .. pickrandom({'a','b','c','d','e','f','g','h'})",
    "what comes of a seed": ";math.randomseed(7) return math.random(1e6) .. math.random(1e6)",
    "inside a coroutine": "coroutine.wrap(function() for i = 1, 9 do coroutine.yield(i) end end)()",
    "in callbacks": "('abc'):gsub('.', function(c) return c:upper() end)",
    "in a sort": ";local t = {3,1,2} table.sort(t, function(a, b) return a < b end)"
    " return table.concat(t)",
    "in code that it loads": "loadstring('local n = 0 for i = 1, 9 do n = n + i end return n')()",
    "an error that it catches": "tostring(pcall(error, {}))",
    "an error that it does not": "nothing.there",
    "what is no result": "{1, {}}",
}


class Sampled:
    """An engine that is told of executions that were counted."""

    def __init__(
        self, each: int, mode: Mode = "isolated", *, exec_limit: int = 1000, time_limit: int = 1000
    ) -> None:
        settings = EngineSettings(mode, exec_limit, time_limit=time_limit)
        self.told: list[tuple[bytes, int, int]] = []
        self.engine = Engine(settings, Places({}), Ports(), 1)
        if each:
            self.engine.sample(each, lambda *one: self.told.append(one))

    def ask(self, code: str, client: str = "192.0.2.9") -> list[bytes] | str:
        try:
            return self.engine.evaluate(code.encode(), asked(client), lambda _name: None)
        except LuaFailure as failure:
            return f"{failure.kind}: {failure.message}"


def counted(code: str, exec_limit: int = 1000) -> int:
    """By an engine that counts all."""
    settings = EngineSettings(exec_limit=exec_limit, time_limit=1000)
    engine = Engine(settings, Places({}), Ports(), 1, count=True)
    with contextlib.suppress(LuaFailure):
        engine.evaluate(code.encode(), asked("192.0.2.9"), lambda _name: None)
    assert engine.instructions is not None
    return engine.instructions


BODIES = {
    **{name: f";{call} return 'x'".replace("..i..", "..(1)..") for name, call in CALLS.items()},
    "a short loop": LOOP.format(3),
    "a long loop": LOOP.format(90),
}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", BODIES.values(), ids=BODIES)
def test_they_are_as_many_as_count_against_the_limit(code: str, mode: Mode) -> None:
    sampled = Sampled(1, mode, exec_limit=10_000)
    for _ in range(4):
        sampled.ask(code)
    told = [instructions for _, instructions, _ in sampled.told]
    if "pcall" in code:
        # The limit holds what catches errors against a record, which is ours here. Of a long one of
        # ours, steps of 16 are counted in the end.
        assert 0 < max(told) < counted(code) + 16
    elif code in (BODIES["a short loop"], BODIES["a long loop"]):
        assert told == [counted(code)] * 4
    else:
        # Behind thousands of our instructions, those of the record are seen by some at a time.
        assert all(abs(one - counted(code)) <= 16 for one in told)
        assert len(told) == 4


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", LOOKS.values(), ids=LOOKS)
def test_they_are_those_of_the_record(code: str, mode: Mode) -> None:
    sampled = Sampled(1, mode)
    for _ in range(2):
        sampled.ask(code)
    (_, first, _), (_, second, _) = sampled.told
    assert 0 < first == second <= counted(code)


@pytest.mark.parametrize("mode", MODES)
def test_those_of_public_records_are(mode: Mode) -> None:
    codes = ["".join(code.pieces) for code in in_use(443).values()]
    for code in (*codes, ARBITRARY, STRINGS):
        sampled = Sampled(1, mode)
        for _ in range(3):
            sampled.ask(code)
        assert sampled.told[-1][1:] == (counted(code), 1), code


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("code", LOOKS.values(), ids=LOOKS)
def test_a_record_finds_nothing_else(code: str, mode: Mode) -> None:
    plain, sampled, usual = Sampled(0, mode), Sampled(1, mode), Sampled(10**6, mode)
    for _ in range(5):
        assert sampled.ask(code) == plain.ask(code) == usual.ask(code)
    assert len(sampled.told) == 5
    assert len(usual.told) == 3, "the first ones, and no more"


@pytest.mark.parametrize("mode", MODES)
def test_each_stands_for_those_that_are_not_counted(mode: Mode) -> None:
    sampled = Sampled(16, mode)
    short, long = LOOP.format(2), LOOP.format(80)
    took = {code: counted(code) for code in (short, long)}
    # In turns that a fixed step would not see: each code comes at the same place of sixteen.
    codes = [long if number % 16 == 5 else short for number in range(16 * 400)]
    for number, code in enumerate(codes):
        if not number % 64:
            sampled.engine.sample(16, lambda *one: sampled.told.append(one))
        sampled.ask(code)
    stands = sum(executions for _, _, executions in sampled.told)
    assert len(codes) - 200 < stands <= len(codes)
    assert 200 < len(sampled.told) < 700
    true = sum(took[code] for code in codes)
    told = sum(instructions * executions for _, instructions, executions in sampled.told)
    assert 0.5 < told / true < 2
    by_code = Counter(instructions for _, instructions, _ in sampled.told)
    assert by_code[took[long]] > 8, "and by chance, so that none is never seen"


def test_fewer_are_counted_where_many_come_before_the_host_says_more() -> None:
    sampled = Sampled(1)
    for _ in range(100_000):
        sampled.ask("'x'")
    assert len(sampled.told) < 40
    stands = sum(executions for _, _, executions in sampled.told)
    assert 20_000 < stands <= 100_000
    sampled.engine.sample(1, lambda *one: sampled.told.append(one))
    before = len(sampled.told)
    for _ in range(5):
        sampled.ask("'x'")
    assert len(sampled.told) > before + 3


@pytest.mark.parametrize("mode", MODES)
def test_who_runs_into_the_limit_is_counted_to_there_once(mode: Mode) -> None:
    sampled, plain = Sampled(1, mode, exec_limit=300), Sampled(0, mode, exec_limit=300)
    for _ in range(6):
        answer = sampled.ask(LOOP.format(1000))
        assert answer == plain.ask(LOOP.format(1000)) == "instructions: more than 300 instructions"
    last = sampled.told[-3:]
    assert last == [(ZONE, 300, 1)] * 3
    assert len(sampled.told) <= 6


def test_without_a_limit_they_are_counted_too() -> None:
    sampled = Sampled(1, exec_limit=0)
    sampled.ask(LOOP.format(90))
    assert sampled.told == [(ZONE, counted(LOOP.format(90)), 1)]
    unlimited = Sampled(1, exec_limit=0, time_limit=0)
    unlimited.ask(LOOP.format(90))
    assert unlimited.told == sampled.told


def test_many_instructions_are_counted_by_some_at_a_time() -> None:
    code = LOOP.format(200_000)
    sampled = Sampled(1, exec_limit=10**7)
    assert sampled.ask(code) == [b"x"]
    ((_, told, _),) = sampled.told
    assert abs(told - counted(code, 10**7)) < 32


def test_a_state_that_is_made_anew_goes_on() -> None:
    sampled = Sampled(1)
    sampled.engine._rebuild()
    sampled.ask("'x'")
    assert sampled.told


def test_code_of_several_zones_is_counted_by_zone() -> None:
    sampled = Sampled(1)
    other: QueryContext = asked("192.0.2.9")._replace(zone=b"\5other\0")
    sampled.ask("'x'")
    sampled.engine.evaluate(b"'x'", other, lambda _name: None)
    assert [zone for zone, _, _ in sampled.told] == [ZONE, b"\5other\0"]

# An attack is read best on one line.
# ruff: noqa: E501
"""Attacks on what lives longer than an execution: the heap that all share, and what the host keeps
for speed. And long texts, with which a single instruction takes long."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lzc.lua.engine.engine import MAX_LOOKED_UP, Engine
from lzc.lua.engine.execution import EngineSettings, LuaFailure
from lzc.lua.engine.ring import MAX_HASHED, MAX_KEPT, Rings
from tests.patience import PATIENCE
from tests.unit.lua.test_redteam import attack, runner
from tests.unit.lua_running import Health, Places, Runner, query, unhurried

BIG = "local s = ('9'):rep(2^20) s = s .. s .. s .. s .. s .. s .. s .. s "

LONG_TEXTS = {
    "arithmetic": f"{BIG} for i = 1, 300 do local x = s + 0 end",
    "arithmetic with hexadecimal digits": "local s = '0x' .. ('f'):rep(2^20) for i = 1, 300 do local x = s + 0 end",
    "a sign": "local s = ('1'):rep(2^20) .. 'e5' for i = 1, 300 do local x = -s end",
    "comparison": f"{BIG} local a, b, n = s .. 1, s .. 2, 0 for i = 1, 230 do if a < b then n = n + 1 end end",
    "quotes": "local s = ('\\n'):rep(2^20) s = s .. s .. s .. s for i = 1, 150 do pcall(string.format, '%q', s) end",
    "a long separator": "local b, s = {('x'):rep(7000):byte(1, 7000)}, ('x'):rep(4000) for i = 1, 120 do pcall(table.concat, b, s .. i) end",
    "a pattern for text": f"{BIG} for i = 1, 200 do pcall(string.find, 'abc', s) end",
    "a pattern that is none": f"{BIG} for i = 1, 200 do pcall(string.find, 'abc', s .. '%') end",
    "a network": f"{BIG} for i = 1, 90 do pcall(newNetmask, s) end",
    "an address": f"{BIG} for i = 1, 90 do pcall(newCA, s) end",
    "a country": f"{BIG} for i = 1, 200 do country(s) end",
    "a type": f"{BIG} for i = 1, 200 do newQType(s) end",
    "a weight": f"{BIG} for i = 1, 90 do pcall(pickwrandom, {{{{s, 'a'}}}}) end",
    "a format of names": "local s = ('%%'):rep(2^19) for i = 1, 90 do pcall(createReverse, s) end",
    "a log line": f"{BIG} for i = 1, 200 do pcall(pdnslog, s) end",
    "headers": f"{BIG} for i = 1, 90 do pcall(ifurlup, 'http://a', {{'192.0.2.1'}}, {{headers = {{s, s, s}}}}) end",
}  # fmt: skip


@pytest.mark.parametrize("mode", ["isolated", "shared"])
@pytest.mark.parametrize("code", LONG_TEXTS.values(), ids=LONG_TEXTS)
def test_long_texts_do_not_take_long(code: str, mode: str) -> None:
    run = runner(EngineSettings(mode="shared" if mode == "shared" else "isolated"))
    # What the first one left in the heap is no cover for the next.
    for _ in range(2):
        outcome = attack(run, f"{code} return 'x'")
        assert outcome in ("x", "!time", "!instructions", "!memory")


def colliding(count: int) -> str:
    """Numbers that LuaJIT's tables of up to 4096 keys hash alike."""

    def turned(value: int, bits: int) -> int:
        return (value << bits | value >> 32 - bits) & 0xFFFFFFFF

    found: list[str] = []
    number = 100_000
    while len(found) < count:
        number += 1
        low, high = struct.unpack("<II", struct.pack("<d", number + 0.5))
        low ^= high << 1 & 0xFFFFFFFF
        high = turned(high << 1 & 0xFFFFFFFF, 14)
        low = low - high & 0xFFFFFFFF
        high = turned(high, 5) ^ low
        if high - turned(low, 13) & 0xFFF == 5:
            found.append(f"[{number}.5]=1")
    return ",".join(found)


def test_code_that_is_slow_to_load_is_charged_for_it() -> None:
    run = runner()
    table = f"{{{colliding(600)}}}"
    run.included["large.example.org."] = f"return {table}"
    for code in (f"local s = [[return {table}]] for i = 1, 150 do loadstring(s) end", "for i = 1, 150 do include('large') end"):  # fmt: skip
        assert attack(run, f"{code} return 'x'") in ("x", "!time", "!instructions")


RINGS = {
    "a weight in the text of an item": "pickchashed({{1, 'a\\0' .. '999999999 b\\0-999999990 c'}})",
    "a negative weight": "pickchashed({{-1, 'a'}, {2, 'b'}})",
    "a long item of a large weight": "pickchashed({{60000, ('x'):rep(1e5)}})",
    "many long items": "pickchashed({{30000, ('x'):rep(1000)}, {30000, ('y'):rep(1000)}})",
}


@pytest.mark.parametrize("code", RINGS.values(), ids=RINGS)
def test_a_ring_is_not_made_larger_than_it_may_be(code: str) -> None:
    assert attack(runner(), f"return {code}") == "!runtime"


def test_rings_of_long_items_are_given_up_by_their_size() -> None:
    rings = Rings()
    for number in range(60):
        assert rings.owner(b"1 %d%s\0" % (number, b"x" * 2**20), 5) == 1
    assert rings.octets <= MAX_KEPT
    assert len(rings) < 20
    with pytest.raises(ValueError, match="too long"):
        rings.owner(b"2 %s\0" % (b"x" * MAX_HASHED), 5)
    with pytest.raises(ValueError, match="sum of weights"):
        rings.owner(b"2 a\0-1 b\0", 5)


def test_a_large_rrset_is_an_error_that_is_text() -> None:
    run = runner()
    code = ";local ok, e = pcall(dblookup, 'x.example.org', pdns.TXT) return type(e)"
    for count, kind in [(MAX_LOOKED_UP, "table"), (MAX_LOOKED_UP + 1, "string"), (9000, "string")]:
        found = [b'"text"'] * count
        run.engine.lookup = lambda _name, _code, found=found: found
        assert run(code) == [kind]
    run.engine.lookup = lambda _name, _code: [b"x" * 2**17] * 9
    assert run(code) == ["string"]


def texts(number: int, count: int) -> str:
    return ",".join(f"'{number}x{i}'" for i in range(count))


LARGE = [f"local t = {{{texts(number, 5000)}}} return t[1]" for number in range(150)]


@pytest.mark.parametrize("mode", ["isolated", "shared"])
def test_large_records_do_not_fill_the_heap_for_good(mode: str) -> None:
    settings = unhurried(mode=mode, exec_limit=10_000)
    run = runner(settings)
    for number, code in enumerate(LARGE):
        assert run(f";{code}") == [f"{number}x0"]
        assert run("#pickhashed({'a', 'b'})") == ["1"]
    heap = run.engine.octets()
    assert heap < settings.memory_limit / 2
    assert run(f";{LARGE[0]}") == ["0x0"]


def test_formats_that_are_never_the_same_fill_no_heap() -> None:
    run = runner(EngineSettings(exec_limit=0, time_limit=0))
    reverse = query("4.3.2.1.example.org.")
    for number in range(10):
        run(
            f";for i = 1, 100 do createReverse(('%s'):rep(120)..'{number}x'..i) end return 'x'",
            reverse,
        )
    heap = run.engine.octets(collected=True)
    # Where there are more, each execution looks at the clock all the time.
    assert heap < 2**23


def test_a_record_that_is_given_up_while_it_runs_still_has_its_result() -> None:
    run = runner(unhurried(memory_limit=2**23, exec_limit=10_000))
    for number in range(40):
        # Past the limit of the usual run, so that it is run twice.
        loop = "for i = 1, 800 do local x = pickhashed({'a'}) end"
        assert run(f";local t = {{{texts(number, 4000)}}} {loop} return #t") == ["4000"]


def test_in_shared_mode_globals_do_not_have_every_execution_collect() -> None:
    run = Runner(EngineSettings(mode="shared", time_limit=0))
    run(";kept = {} for i = 1, 40 do kept[i] = ('x'):rep(2^20 - 9) .. i end return 'x'")
    assert run(";return type(kept)") == ["nil"]
    heap = run.engine.octets()
    assert heap < 2**23


# What the host gives is copied into a heap with no room, where no error can be caught.
FULL = """;
local t, n, size, q = {}, 0, 2^19, qname
for i = 1, 4000 do t[i] = false end
while size >= 64 do
  if pcall(function() t[n + 1] = ('x'):rep(size + n % 97) .. n end) then n = n + 1 else size = size / 2 end
end
for i = 1, 200 do
  local ok, e = pcall(function() CALL end)
  if not ok and type(e) ~= 'string' then return type(e) end
end
return 'x'"""

CALLS = {
    "an address": "return newCA('192.0.2.' .. i)",
    "a place": "return geoiplookup('198.51.100.' .. i, 3)",
    "records": "return dblookup('x' .. i, 1)",
    "code": "return include('x' .. i)",
    "a content": "return newDR(q, 'TXT', 1, '\"' .. ('y'):rep(i * 200) .. '\"', 1)",
}

PROGRAM = """
import sys
from lzc.lua.engine.execution import EngineSettings, LuaFailure
from tests.unit.lua_running import Health, Places, Runner
run = Runner(EngineSettings(memory_limit=2**23, exec_limit=100_000, time_limit=0), Places({}), Health(True))
run.engine.lookup = lambda _name, _code: [b'x' * 50] * 100
run.included = {f'x{i}.example.org.': 'local z = 1 ' * 50 for i in range(201)}
for floor in (1024, 512, 64):
    try:
        found = run(sys.argv[1].replace('size >= 64', f'size >= {floor}'))
        assert found == ['x'], found
    except LuaFailure as failure:
        assert failure.kind == 'memory', failure
    assert run("newCA('192.0.2.1'):toString()") == ['192.0.2.1']
"""


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_host_is_not_called_where_there_is_no_room(call: str) -> None:
    # In a process of its own: what goes wrong here is never seen again.
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, FULL.replace("CALL", call)],
        cwd=Path(__file__).parents[3], capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def test_a_forged_error_of_memory_leaves_all_as_it_was() -> None:
    run = Runner(EngineSettings(), Places({}), Health(True))
    for _ in range(20):
        with pytest.raises(LuaFailure, match="memory"):
            run("error('not enough memory', 0)")
        assert run("ifportup(80, {'192.0.2.1'})") == ["192.0.2.1"]


def _none(_: bytes) -> bytes | None:
    return None


def test_collecting_what_others_left_is_not_the_time_of_a_record() -> None:
    engine = Engine(EngineSettings(time_limit=0, memory_limit=2**24), None, Health(), 1)
    asked = query()

    def seconds(code: bytes, count: int) -> float:
        """What executions took, without what is not theirs."""
        began, swept = time.thread_time(), engine.swept
        for _ in range(count):
            engine.evaluate(code, asked, _none)
        return time.thread_time() - began - (engine.swept - swept)

    for number in range(800):
        names = b",".join(b"'%d-%d'" % (number, item) for item in range(100))
        engine.evaluate(b";local t = {%s} return 'x'" % names, asked, _none)
    before = engine.swept
    for _ in range(20_000):
        engine.evaluate(b";local t = {} for i = 1, 20 do t[i] = {i} end return 'x'", asked, _none)
    assert engine.swept > before
    # Who fills the heap alone pays for it: what is taken off is a small part.
    before = engine.swept
    took = seconds(b";local t = {} for i = 1, 5 do t[i] = ('x'):rep(10^6) .. i end return 'x'", 60)
    assert took > 3 * (engine.swept - before)

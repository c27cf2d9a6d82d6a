"""What processes share: the health table, the scoreboard; and what a worker keeps: answers."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.health_check import Check
from lzc.lua.engine.engine import Engine
from lzc.lua.engine.execution import Counted, EngineSettings, LuaFailure, QueryContext
from lzc.lua.plan import Planner
from lzc.lua.plan.format import Outcome
from lzc.serve.ipc.health_table import DOWN, UNKNOWN, UP, HealthTable
from lzc.serve.ipc.health_view import ASK_AGAIN, TableView
from lzc.serve.ipc.scoreboard import COUNTERS, NOW, Scoreboard
from lzc.serve.supervise.worker_process import WorkerProcess
from lzc.serve.transport.packet_cache import PacketCache
from lzc.serve.worker.guard import GuardedEngine, code_id
from lzc.wire import rrtype
from tests.unit.lua_planning import plan_of

CHECK = Check("192.0.2.1", 443)
OTHER = Check("192.0.2.2", 443)

keys = st.integers(0, 40).map(lambda number: number.to_bytes(8, "little") + bytes(8))


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["add", "remove", "up", "down"]), keys), max_size=120))
def test_the_table_holds_what_a_dict_would(steps: list[tuple[str, bytes]]) -> None:
    table = HealthTable(64)
    expected: dict[bytes, int] = {}
    for step, key in steps:
        if step == "remove":
            table.remove(key)
            expected.pop(key, None)
        elif len(expected) < 32 or key in expected:
            offset = table.add(key)
            expected.setdefault(key, UNKNOWN)
            if step != "add":
                expected[key] = UP if step == "up" else DOWN
                table.set(offset, expected[key], 0.1, 1000.0)
        else:
            assert table.add(key) == -1
    assert {key: table.read(table.find(key)).status for key in expected} == expected
    assert sorted(table.in_use()) == sorted(expected)


def test_since_stays_while_the_status_does() -> None:
    table = HealthTable(64)
    offset = table.add(CHECK.key())
    assert table.set(offset, UP, 0.5, 100.0)
    assert not table.set(offset, UP, 0.7, 105.0)
    assert table.read(offset)[:4] == (UP, 100.0, 0.7, 105.0)
    assert table.set(offset, DOWN, 2.0, 110.0)
    assert table.read(offset)[:4] == (DOWN, 110.0, 2.0, 110.0)


def test_the_generation_changes_with_a_status_and_only_then() -> None:
    table = HealthTable(64)
    offset = table.add(CHECK.key())
    before = table.generation()
    table.set(offset, UP, 0.0, 1.0)
    assert table.generation() != before
    before = table.generation()
    table.set(offset, UP, 0.0, 2.0)
    assert table.generation() == before


def test_another_process_sees_what_the_checker_writes() -> None:
    table = HealthTable(64)
    view = TableView(table, lambda check, zone: None)
    pid = os.fork()
    if not pid:
        table.set(table.add(CHECK.key()), DOWN, 0.0, 1.0)
        os._exit(0)
    os.waitpid(pid, 0)
    assert view.status(CHECK) is False


def test_a_view_reports_a_check_without_a_slot_once_in_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reported: list[Check] = []
    view = TableView(HealthTable(64), lambda check, zone: reported.append(check))
    assert view.status(CHECK) is None
    assert view.status(CHECK) is None
    assert reported == [CHECK]
    now += ASK_AGAIN
    assert view.status(CHECK) is None
    assert reported == [CHECK, CHECK]


def test_what_has_no_slot_is_asked_for_again_though_nothing_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    reported: list[Check] = []
    table = HealthTable(64)
    view = TableView(table, lambda check, zone: reported.append(check))
    code = b"ifportup(80,{'192.0.2.1'},{selector='all',backupSelector='empty'})"
    engine = Engine(EngineSettings(), None, view, 1)
    encoded = plan_of(code, rrtype.A)
    assert encoded is not None
    plan = Planner(None, view, random.Random(1).random).load(encoded)
    query = QueryContext(b"\0", b"\0", bytes(4))

    def answers() -> tuple[list[bytes], Outcome | None]:
        found = engine.evaluate(code, query, lambda name: None)
        return found, plan.select(bytes(4), b"\0", b"\0")

    for round_ in range(1, 4):
        for _ in range(3):
            assert answers() == ([], ())
            assert len(reported) == round_
        now += ASK_AGAIN
    table.set(table.add(reported[0].key()), UP, 0.0, 1.0)
    for _ in range(3):
        assert answers() == ([b"192.0.2.1"], (0,))
        now += ASK_AGAIN
    assert len(reported) == 3
    known = view.generation()
    now += ASK_AGAIN
    assert view.generation() == known


def test_a_view_does_not_mistake_a_slot_that_was_given_to_another_check() -> None:
    table = HealthTable(64)
    view = TableView(table, lambda check, zone: None)
    offset = table.add(CHECK.key())
    table.set(offset, UP, 0.0, 1.0)
    assert view.status(CHECK) is True
    table.remove(CHECK.key())
    # The other check takes the very slot, as its key is made to hash there.
    key = CHECK.key()[:8] + b"otherkey"
    assert table.add(key) == offset
    table.set(offset, UP, 0.0, 2.0)
    assert view.status(CHECK) is None


class Interrupted:
    """The words of a slot, into which its worker writes while somebody is reading them."""

    def __init__(self, words: Any, write: Callable[[], None]) -> None:
        self.words = words
        self.write: Callable[[], None] | None = write
        self.reads = 0

    def __getitem__(self, index: int) -> int:
        self.reads += 1
        write = self.write
        if self.reads == len(COUNTERS) // 2 and write is not None:
            self.write = None
            write()
        return int(self.words[index])


def test_counters_are_those_of_one_time() -> None:
    slot = Scoreboard(1).slot(0)
    words = slot._words
    slot.write_counters([7] * len(COUNTERS))

    def write() -> None:
        slot._words = words
        slot.write_counters([8] * len(COUNTERS))

    slot._words = Interrupted(words, write)  # type: ignore[assignment]
    assert set(slot.counters().values()) == {8}


def test_what_a_worker_counted_that_died_as_it_wrote_can_be_read() -> None:
    slot = Scoreboard(1).slot(0)
    with pytest.raises(ValueError, match="zip"):
        slot.write_counters([7])
    assert slot.counters()[COUNTERS[0]] == 7
    slot.reset()
    slot.write_counters([1] * len(COUNTERS))
    assert slot.counters()[COUNTERS[0]] == 8


def test_the_scoreboard_tells_what_a_worker_was_doing() -> None:
    board = Scoreboard(3)
    slot = board.slot(1)
    slot.beat(12.5)
    slot.write_counters(list(range(len(COUNTERS))))
    slot.enter_lua(2**64 - 1, b"\3www\7EXAMPLE\0", b"\7example\0")
    seen = board.slot(1)
    assert seen.last_beat() == 12.5
    assert list(seen.counters().values()) == list(range(len(COUNTERS)))
    assert seen.running_lua() == (2**64 - 1, b"\3www\7EXAMPLE\0", b"\7example\0")
    slot.enter_lua(5, b"\1a\0", b"\0")
    assert seen.running_lua() == (5, b"\1a\0", b"\0")
    slot.leave_lua()
    assert seen.running_lua() is None
    assert board.slot(0).last_beat() == board.slot(2).last_beat() == 0


class Recorder:
    swept = 0.0

    def __init__(self, board: Scoreboard) -> None:
        self.slot = board.slot(0)
        self.seen: list[Any] = []

    def sample(self, each: int, counted: Counted) -> None:
        pass

    def evaluate(self, code: bytes, query: QueryContext, include: Any) -> list[bytes]:
        self.seen.append(self.slot.running_lua())
        if code == b"fail":
            raise LuaFailure("runtime", "told to")
        return [code]


def test_of_a_worker_that_is_gone_stays_what_it_counted_and_not_what_it_had() -> None:
    """As where there are fewer workers from then on."""
    board = Scoreboard(2)
    worker = WorkerProcess(0, board.slot(0))
    numbers = dict.fromkeys(COUNTERS, 7)
    worker.slot.write_counters(list(numbers.values()))
    assert worker.slot.counters() == numbers
    worker.end("it left")
    assert worker.slot.counters() == numbers | dict.fromkeys(NOW, 0)
    assert "cache_entries" in NOW


def test_the_guard_notes_what_runs_and_refuses_what_is_in_quarantine() -> None:
    board = Scoreboard(1)
    engine = Recorder(board)
    guard = GuardedEngine(engine, board.slot(0), [code_id(b"\0", b"bad")])
    query = QueryContext(b"\3www\0", b"\0", b"\x7f\0\0\1")
    assert guard.evaluate(b"good", query, lambda _: None) == [b"good"]
    assert engine.seen == [(code_id(b"\0", b"good"), b"\3www\0", b"\0")]
    with pytest.raises(LuaFailure, match="told to"):
        guard.evaluate(b"fail", query, lambda _: None)
    assert board.slot(0).running_lua() is None
    with pytest.raises(LuaFailure, match="quarantined"):
        guard.evaluate(b"bad", query, lambda _: None)
    guard.quarantine(code_id(b"\0", b"good"))
    with pytest.raises(LuaFailure, match="quarantined"):
        guard.evaluate(b"good", query, lambda _: None)
    assert (guard.runs, guard.failures) == (2, 3)


def test_the_packet_cache_is_bounded_and_keeps_what_is_asked_for() -> None:
    cache = PacketCache(100)
    for number in range(1000):
        cache.put(b"new%d" % number, (b"answer", 0, None), 6)
        favourite = cache.young.get(b"favourite") or cache.older(b"favourite")
        if favourite is None:
            assert number == 0
            cache.put(b"favourite", (b"kept", 0, None), 4)
    assert len(cache) <= 100
    assert (cache.young.get(b"favourite") or cache.older(b"favourite")) == (b"kept", 0, None)


def test_the_packet_cache_is_bounded_in_octets() -> None:
    cache = PacketCache(10**6, octets=100_000)
    for number in range(1000):
        cache.put(b"%d" % number, (bytes(1000), 0, None), 1000)
    assert 10 < len(cache) <= 100


def test_a_packet_cache_of_no_entries_keeps_nothing() -> None:
    cache = PacketCache(0)
    cache.put(b"key", (b"answer", 0, None), 6)
    assert len(cache) == 0

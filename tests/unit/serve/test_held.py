"""Zones in which code stopped a worker: of their code, only what once ran to its end is run."""

from __future__ import annotations

from typing import Any

import pytest

from lzc.lua.engine.execution import Counted, FailureKind, LuaFailure, QueryContext
from lzc.serve.ipc.scoreboard import Scoreboard
from lzc.serve.worker.guard import GuardedEngine, code_id
from lzc.serve.worker.quarantine import CODES, Proven


class Echo:
    swept = 0.0

    def sample(self, each: int, counted: Counted) -> None:
        pass

    def evaluate(self, code: bytes, query: QueryContext, include: Any) -> list[bytes]:
        if code == b"fail":
            raise LuaFailure("runtime", "told to")
        return [code]


def test_in_a_zone_that_is_held_only_what_ran_to_its_end_is_run() -> None:
    proven = Proven(2)
    mine, others = proven.of_worker(0), proven.of_worker(1)
    board = Scoreboard(1)
    guard = GuardedEngine(Echo(), board.slot(0), (), proven=mine)
    query = QueryContext(b"\3www\1z\0", b"\1z\0", b"\x7f\0\0\1")
    for marks in (mine, others):
        marks.begin("bundle")
    guard.evaluate(b"mine", query, lambda _: None)
    with pytest.raises(LuaFailure, match="told to"):
        guard.evaluate(b"fail", query, lambda _: None)
    others.add(code_id(b"\1z\0", b"theirs"))
    # The worker is replaced.
    guard = GuardedEngine(Echo(), board.slot(0), (), held=[b"\1z\0"], proven=mine)
    for code in (b"mine", b"theirs"):
        assert guard.evaluate(code, query, lambda _: None) == [code]
    with pytest.raises(LuaFailure, match="told to"):
        guard.evaluate(b"fail", query, lambda _: None)
    for _ in range(2):
        with pytest.raises(LuaFailure, match=r"^held: "):
            guard.evaluate(b"new", query, lambda _: None)
    other_zone = QueryContext(b"\3www\1y\0", b"\1y\0", b"\x7f\0\0\1")
    assert guard.evaluate(b"new", other_zone, lambda _: None) == [b"new"]
    guard.hold(b"\1y\0")
    assert guard.evaluate(b"new", other_zone, lambda _: None) == [b"new"]
    with pytest.raises(LuaFailure, match=r"^held: "):
        guard.evaluate(b"newer", other_zone, lambda _: None)
    assert guard.kinds["held"] == 3


@pytest.mark.parametrize("kind", ["instructions", "time", "memory"])
def test_what_a_limit_ended_did_not_run_to_its_end(kind: FailureKind) -> None:
    class Limited:
        swept = 0.0

        def sample(self, each: int, counted: Counted) -> None:
            pass

        def evaluate(self, code: bytes, query: QueryContext, include: Any) -> list[bytes]:
            raise LuaFailure(kind, "too much")

    marks: set[int] = set()
    guard = GuardedEngine(Limited(), Scoreboard(1).slot(0), (), proven=marks)
    with pytest.raises(LuaFailure, match=kind):
        guard.evaluate(b"code", QueryContext(b"\0", b"\0", b"\x7f\0\0\1"), lambda _: None)
    assert not marks


def test_marks_outlive_a_worker_and_end_with_their_bundle() -> None:
    proven = Proven(2)
    marks, others = proven.of_worker(0), proven.of_worker(1)
    for one in (marks, others):
        one.begin("first")
    codes = [1, 2**64 - 1, *range(2**17, 2**17 * 50, 2**17)]
    for code in codes * 2:
        marks.add(code)
    assert all(code in marks and code in others for code in codes)
    assert not any(code + 2 in marks for code in codes)
    again = proven.of_worker(0)
    again.begin("first")
    assert all(code in again for code in codes)
    again.begin("second")
    assert not any(code in again for code in codes)
    # The other still answers from the first.
    assert not any(code in others for code in codes)
    again.add(5)
    assert 5 not in others
    others.begin("second")
    assert 5 in others


def test_more_code_than_there_is_room_for_is_not_marked() -> None:
    marks = Proven(1).of_worker(0)
    marks.begin("bundle")
    for code in range(1, CODES + 3):
        marks.add(code * 7919)
    assert CODES * 7919 in marks
    assert (CODES + 1) * 7919 not in marks

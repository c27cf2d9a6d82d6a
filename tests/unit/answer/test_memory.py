"""What answers keep has a bound in octets, whatever zones hold and whoever asks: a line of
``$GENERATE`` makes thousands of records that each have another answer for every query."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

import pytest

from lzc.answer import lua_answer, planned
from lzc.answer.lua_answer import LuaAnswers, Plans
from lzc.answer.planned import Kept, Planned
from lzc.answer.zone import ServedZone
from lzc.bundle import node as nodes
from lzc.lua.plan import Planner, encode, plan_key
from lzc.powerdns_versions import LATEST
from lzc.wire import rrtype as rr
from tests.unit.compiling import lua_rdata
from tests.unit.lua_running import Health

APEX = b"\x07example\x00"
ADDRESSES = [bytes((192, 0, 2, number)) for number in range(100)]
SAMPLE = encode(rr.A, ADDRESSES, ["sample", 50, list(range(100))])


def plans(find: Callable[[bytes], bytes | None] = lambda key: SAMPLE) -> Plans:
    return Plans(Planner(None, Health(None), random.Random(1).random), find)


def test_outcomes_of_all_records_together_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "OUTCOMES_OCTETS", 100_000)
    some = plans()
    ones = [some.of(b"%d" % number, rr.A, APEX, 60, LATEST, 0) for number in range(200)]
    found = [one for one in ones if one is not None]
    assert len(found) == 200
    rounds = []
    for _ in range(100):
        for one in found:
            outcome = one.select(b"\x7f\0\0\1", APEX, APEX)
            assert outcome is not None
            count, wire = made = one.wire(outcome)
            assert (count, len(wire)) == (50, 50 * 16)
            assert one.wire(outcome) is made
            assert one.octets >= len(wire)
        rounds.append(sum(one.octets for one in found))
    # Never more than the bound, and not less than half of what fits.
    assert 30_000 < max(rounds) <= 100_000
    made = one.wire((0,))
    some.clear()
    assert not any(one.octets for one in found)
    assert one.wire((0,)) is not made


def test_what_was_let_go_is_not_counted_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planned, "OUTCOMES_OCTETS", 100_000)
    plan = plans().of(b"x", rr.A, APEX, 60, LATEST, 0)
    assert plan is not None
    counted = Kept()
    one, other = (Planned(plan.plan, 60, counted) for _ in range(2))
    kept = other.wire((0,))
    for number in range(10_000):
        one.wire((number % 90,))
        assert one.octets <= other.octets * planned.MAX_OUTCOMES + 1
    assert other.wire((0,)) is kept


def test_records_with_the_same_code_and_ttl_keep_one_plan() -> None:
    some = plans()
    assert some.of(b"x", rr.A, APEX, 60, LATEST, 0) is some.of(b"x", rr.A, APEX, 60, LATEST, 0)
    assert some.of(b"x", rr.A, APEX, 60, LATEST, 0) is not some.of(b"x", rr.A, APEX, 61, LATEST, 0)
    assert some.of(b"y", rr.A, APEX, 60, LATEST, 0) is not some.of(b"x", rr.A, APEX, 60, LATEST, 0)


class Zone:
    """As much of a zone as is asked for where LUA records are."""

    zone_id = 1
    apex = APEX
    powerdns = LATEST

    class info:
        lua = True
        blanks = False


@pytest.mark.parametrize("count", [200, 333, 500])
def test_code_that_is_kept_has_a_bound(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(lua_answer, "MAX_OCTETS", 200_000)
    asked: list[bytes] = []

    def find(key: bytes) -> bytes | None:
        asked.append(key)
        return SAMPLE

    answers = LuaAnswers(cast(lua_answer.LuaEvaluator, object()), plans(find))
    zone = cast(ServedZone, Zone())
    made = []
    for number in range(count):
        code = b"pickrandomsample(50,{%d})" % number
        strings = (code.ljust(250), b" " * 250, b" " * 250, b" " * 250)
        blob = nodes.blob(rr.LUA, 60, [lua_rdata(rr.A, *strings)])
        node = nodes.encode(nodes.HAS_LUA, b"", [(rr.LUA, 1, blob)])
        found = answers.at(zone, b"%d" % number, node)
        assert found[rr.A].planned is not None
        made.append((b"%d" % number, node, found))
    assert len(set(asked)) == count
    kept = 0
    for key, node, found in reversed(made):
        if answers.at(zone, key, node) is not found:
            break
        kept += len(found[rr.A].codes[0])
    else:
        raise AssertionError("all are kept")
    assert 0 < kept <= 200_000
    assert plan_key(b"".join(strings), rr.A, APEX, LATEST, 0) in asked

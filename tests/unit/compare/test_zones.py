"""What differs between two states of a zone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lzc.compare.zones import (
    Change,
    ChangeKind,
    Data,
    LuaChange,
    RRsetChange,
    SerialChange,
    diff_node,
    merge,
)
from lzc.wire import rrtype as rr
from lzc.zone.model import LuaRecord
from tests.unit.compiling import lua_rdata

Side = dict[int, list[Data]]


def meaning(record: LuaRecord) -> bytes:
    return b"".join(record.strings)


def diff(before: Side, after: Side) -> list[Change]:
    return list(diff_node(b"www", before, after, meaning))


def lua(*strings: bytes, covered: int = rr.A, ttl: int = 60) -> Data:
    return ttl, lua_rdata(covered, *strings)


def soa(serial: int, minimum: int = 300, ttl: int = 3600) -> Data:
    numbers = (serial, 1, 2, 3, minimum)
    return ttl, b"\x00\x00" + b"".join(number.to_bytes(4, "big") for number in numbers)


sides = st.dictionaries(st.binary(max_size=2), st.integers(0, 2), max_size=12)


@given(sides, sides)
def test_a_merge_finds_what_differs_in_order(
    before: dict[bytes, int], after: dict[bytes, int]
) -> None:
    found = list(merge(sorted(before.items()), sorted(after.items())))
    assert found == [
        (key, before.get(key), after.get(key))
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]


records = st.lists(
    st.tuples(st.just(60), st.binary(min_size=1, max_size=1)), unique=True, max_size=5
)


@given(records, records)
def test_applying_a_change_gives_the_other_side(before: list[Data], after: list[Data]) -> None:
    changes = diff({rr.TXT: before} if before else {}, {rr.TXT: after} if after else {})
    result = set(before)
    for change in changes:
        assert isinstance(change, RRsetChange)
        assert set(change.removed) <= set(before)
        assert not set(change.added) & set(before)
        result = result - set(change.removed) | set(change.added)
    assert result == set(after)
    assert bool(changes) == (set(before) != set(after))


def test_an_rrset_that_comes_or_goes() -> None:
    records = [(60, b"a"), (60, b"b")]
    (change,) = diff({}, {rr.TXT: records})
    assert change == RRsetChange(b"www", rr.TXT, 0, 2, (), tuple(records))
    assert change.kind is ChangeKind.ADDED
    (change,) = diff({rr.TXT: records}, {})
    assert change == RRsetChange(b"www", rr.TXT, 2, 0, tuple(records), ())
    assert change.kind is ChangeKind.REMOVED


def test_a_ttl_alone() -> None:
    (change,) = diff({rr.A: [(300, b"a"), (300, b"b")]}, {rr.A: [(60, b"a"), (60, b"b")]})
    assert change == RRsetChange(b"www", rr.A, 2, 2, (), (), (300, 60))
    assert change.kind is ChangeKind.CHANGED


def test_the_order_of_types_is_that_of_their_numbers() -> None:
    before: Side = {rr.TXT: [(1, b"a")], rr.A: [(1, b"a")]}
    assert [change.rrtype for change in diff(before, {}) if isinstance(change, RRsetChange)] == [
        rr.A,
        rr.TXT,
    ]


def test_a_serial_is_no_change_of_the_soa_record() -> None:
    assert diff({rr.SOA: [soa(1)]}, {rr.SOA: [soa(2)]}) == []
    (change,) = diff({rr.SOA: [soa(1)]}, {rr.SOA: [soa(2, minimum=60)]})
    assert change == RRsetChange(b"www", rr.SOA, 1, 1, (soa(1),), (soa(2, minimum=60),))


def test_code_split_into_other_strings_is_the_same() -> None:
    assert diff({rr.LUA: [lua(b"ab", b"c")]}, {rr.LUA: [lua(b"a", b"bc")]}) == []


def test_code_that_changed() -> None:
    old, new = lua(b"old", ttl=60), lua(b"new", ttl=30)
    (change,) = diff({rr.LUA: [old]}, {rr.LUA: [new]})
    assert change == LuaChange(
        b"www", rr.A, LuaRecord(rr.A, (b"old",), 60), LuaRecord(rr.A, (b"new",), 30)
    )
    assert change.kind is ChangeKind.CHANGED


def test_the_ttl_of_a_lua_record_alone() -> None:
    (change,) = diff({rr.LUA: [lua(b"a", b"b")]}, {rr.LUA: [lua(b"ab", ttl=30)]})
    assert isinstance(change, LuaChange)
    assert change.is_same_code


def test_lua_records_are_paired_by_covered_type_then_by_code() -> None:
    before = [lua(b"x"), lua(b"y"), lua(b"six", covered=rr.AAAA)]
    after = [lua(b"new"), lua(b"x", b""), lua(b"text", covered=rr.TXT)]
    changes = diff({rr.LUA: before}, {rr.LUA: after})
    assert [
        (
            change.covered,
            change.before and change.before.strings,
            change.after and change.after.strings,
        )
        for change in changes
        if isinstance(change, LuaChange)
    ] == [
        (rr.A, (b"y",), (b"new",)),
        (rr.TXT, None, (b"text",)),
        (rr.AAAA, (b"six",), None),
    ]


@pytest.mark.parametrize(
    ("before", "after", "taken", "verdict"),
    [
        (1, 2, True, "will take it"),
        (4294967295, 0, True, "will take it"),
        (2, 1, False, "lower"),
        (0, 4294967295, False, "lower"),
        (7, 7, False, "the same"),
        (0, 2147483648, False, "undefined"),
    ],
)
def test_what_secondaries_make_of_a_serial(
    before: int, after: int, taken: bool, verdict: str
) -> None:
    serial = SerialChange(before, after)
    assert serial.is_taken is taken
    assert verdict in serial.verdict
    assert serial.fault("example.org.", content_changed=False) is None
    fault = serial.fault("example.org.", content_changed=True)
    assert (fault is None) is taken
    if fault is not None:
        assert (fault.rule, str(fault.place)) == ("serial-not-higher", "example.org.")


def test_of_thousands_of_codes_at_a_name_each_is_looked_at_once() -> None:
    looked: list[LuaRecord] = []

    def seen(record: LuaRecord) -> bytes:
        looked.append(record)
        return meaning(record)

    before = {rr.LUA: [lua(b"'192.0.2.1' -- %d" % number) for number in range(2000)]}
    after = {rr.LUA: [lua(b"'192.0.2.2' -- %d" % number) for number in range(1999)]}
    changes = list(diff_node(b"www", before, after, seen))
    assert len(changes) == 2000
    assert len(looked) == 3999


def test_codes_that_stay_belong_together_whatever_stands_between() -> None:
    before = [lua(b"a", ttl=30), lua(b"b"), lua(b"a", ttl=40), lua(b"c")]
    after = [lua(b"d"), lua(b"a", ttl=50), lua(b"c"), lua(b"a", ttl=40)]
    found = [
        (change.before and change.before.strings, change.after and change.after.strings)
        for change in diff({rr.LUA: before}, {rr.LUA: after})
        if isinstance(change, LuaChange)
    ]
    assert found == [((b"a",), (b"a",)), ((b"b",), (b"d",))]

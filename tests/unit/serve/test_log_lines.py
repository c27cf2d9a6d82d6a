"""What keeps the log from being flooded."""

from __future__ import annotations

import logging

import pytest

from lzc.serve.observe.log_lines import LineLimit, Quiet


def test_the_same_is_said_once_in_a_while_and_then_how_often_it_was_not() -> None:
    quiet = Quiet(60.0)
    assert not quiet.keeps("a", 0.0)
    assert quiet.begin("a", 0.0) == ""
    assert quiet.keeps("a", 1.0)
    assert quiet.keeps("a", 59.0, count=2)
    assert not quiet.keeps("b", 59.0)
    assert not quiet.keeps("a", 60.0)
    assert quiet.begin("a", 60.0) == " (3 more like it before)"
    assert quiet.keeps("a", 61.0)


def test_what_is_remembered_has_a_bound() -> None:
    quiet = Quiet(60.0, most=2)
    for what in ("a", "b", "c"):
        quiet.begin(what, 0.0)
    assert not quiet.keeps("a", 1.0)
    assert quiet.keeps("c", 1.0)


def test_lines_beyond_the_limit_are_counted_and_told_of(caplog: pytest.LogCaptureFixture) -> None:
    lines = LineLimit("%d more", logging.INFO, most=2)
    with caplog.at_level(logging.INFO):
        assert [lines.admits(5.0 + step / 10) for step in range(5)] == [True, True, *[False] * 3]
        assert not caplog.messages
        assert lines.admits(6.0)
        assert caplog.messages == ["3 more"]
        lines.look(7.0)
        lines.look(9.0)
    assert caplog.messages == ["3 more"]

"""Differences of code, as people read them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lzc.cli.diff import as_text as diff_text
from lzc.cli.diff.as_text import CONTEXT, code_diff

LINES = st.lists(st.sampled_from("abcdefgh"), max_size=30)


def sides(shown: list[str]) -> tuple[list[str], list[str]]:
    """What is shown of both sides."""
    old = [line[1:] for line in shown if line[0] != "+"]
    return old, [line[1:] for line in shown if line[0] != "-"]


@given(LINES, LINES, LINES, LINES)
def test_what_differs_is_shown_whole_however_it_is_found(
    head: list[str], old: list[str], new: list[str], tail: list[str]
) -> None:
    before, after = head + old + tail, head + new + tail
    most = diff_text.ALIKE
    try:
        for alike in (most, -1):
            diff_text.ALIKE = alike  # type: ignore[misc]
            shown = list(code_diff(before, after))
            removed, added = sides([line for line in shown if line != " ..."])
            assert (not shown) is (before == after)
            assert len(before) - len(after) == len(removed) - len(added)
    finally:
        diff_text.ALIKE = most  # type: ignore[misc]


def test_code_of_thousands_of_lines_that_are_alike_takes_no_minutes() -> None:
    before = ["first", "x = 1", *["y = 1", "z = 1"] * 15_000, "last"]
    after = ["first", "x = 2", *["z = 1", "y = 1"] * 15_000, "last"]
    shown = list(code_diff(before, after))
    assert shown[0] == " first"
    assert shown[-1] == " last"
    assert sides(shown) == (before, after)


def test_only_the_lines_around_a_difference_are_shown() -> None:
    before = ["same"] * 1000 + ["old"] + ["same"] * 1000
    shown = list(code_diff(before, ["new" if line == "old" else line for line in before]))
    around = [" same"] * CONTEXT
    assert shown == [" ...", *around, "-old", "+new", *around, " ..."]

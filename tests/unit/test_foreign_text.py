"""Foreign text on a line: nothing of it acts, everything of it can be read back."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lzc.foreign_text import LIMIT, LINE, clauses, code, lines, one_line, shown

HARMFUL = [
    *map(chr, range(0x20)),
    *map(chr, range(0x7F, 0xA0)),
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    *"\ud800\udbff\udc00\udcff\ufeff\ufff9\U000e0001",
]
ESCAPE = re.compile(r"(\\+)(x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})")
TEXTS = st.text(
    st.one_of(
        st.characters(categories=["L", "N", "P", "S", "Z", "C"]),
        st.sampled_from([*HARMFUL, *r"\\\\xuU01ef"]),
    )
)


def read_back(text: str) -> str:
    """The inverse of `shown`."""

    def undo(found: re.Match[str]) -> str:
        half, odd = divmod(len(found[1]), 2)
        return "\\" * half + (chr(int(found[2][1:], 16)) if odd else found[2])

    # A run before capital digits was doubled too: it looks like an escape.
    text = re.sub(
        r"(\\+)(?=(?:x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}))",
        lambda run: run[1] if ESCAPE.match(text, run.start()) else run[1][: len(run[1]) // 2],
        text,
    )
    return ESCAPE.sub(undo, text)


@pytest.mark.parametrize("harmful", HARMFUL, ids=lambda one: f"U+{ord(one):04X}")
def test_what_acts_on_a_terminal_or_a_log_is_escaped(harmful: str) -> None:
    for found in (shown(f"a{harmful}b"), one_line(f"a{harmful}b")):
        assert found.isprintable()
        assert re.fullmatch(r"a\\(x..|u....|U........)b", found)
    assert lines(f"a{harmful}b") == (f"a{harmful}b" if harmful in "\n\t" else shown(f"a{harmful}b"))


@given(TEXTS)
@example("\\x1b")
@example("\\\x1b")
@example("\\\\\x1b\\")
@example("\\X1B\\x1B")
def test_it_prints_and_can_be_read_back(text: str) -> None:
    found = shown(text, None)
    assert found.isprintable()
    assert read_back(found) == text


@given(TEXTS)
def test_the_net_changes_nothing_that_was_shown(text: str) -> None:
    found = shown(text, None)
    assert one_line(found, None) == lines(found) == found


@pytest.mark.parametrize(
    "text",
    ["", "größe 日本 ✓", r"C:\dir", r"\010\"", r"www\.example.org.", "[red]", "%s {0}", "a  b"],
)
def test_what_prints_is_shown_as_it_is(text: str) -> None:
    assert shown(text) == text


@given(st.binary())
def test_octets_are_read_as_utf8_and_others_can_be_told(octets: bytes) -> None:
    text = read_back(shown(octets, None))
    assert text.encode("utf-8", "surrogateescape") == octets


def test_what_is_no_text_is_shown_as_its_text() -> None:
    assert shown(ValueError("a\nb")) == r"a\x0ab"
    assert shown(None) == "None"


def test_long_text_is_cut_and_says_so() -> None:
    found = shown("\n" * 1_000_000)
    assert found == r"\x0a" * LIMIT + f"… ({1_000_000 - LIMIT} more characters)"
    assert shown("x" * LIMIT) == "x" * LIMIT
    assert shown("x" * 100, 3) == "xxx… (97 more characters)"
    assert len(one_line("x" * 1_000_000)) < LINE + 40
    assert shown("x" * 100_000, None) == "x" * 100_000


def test_every_character_that_does_not_print_is_escaped() -> None:
    for number in range(0x110000):
        one = chr(number)
        if unicodedata.category(one) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            assert shown(one) != one


def test_code_is_ascii() -> None:
    assert code(b"return '\x1b[2J\xc3\xb6'") == r"return '\027[2J\195\182'"


def test_lines_of_a_message_are_one_line_of_a_log() -> None:
    said = "lzc.toml cannot be used:\nlzc.toml:1:1: error: no table\n    fix: give it one\n"
    assert (
        clauses(said) == "lzc.toml cannot be used: lzc.toml:1:1: error: no table; fix: give it one"
    )
    assert clauses("all is said") == "all is said"
    assert clauses("") == ""

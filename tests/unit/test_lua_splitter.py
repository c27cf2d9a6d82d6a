"""Code survives a transfer when it is cut only where a blank may or may not be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.lua.lexer import Kind, LexError, tokens
from lzc.lua.splitter import SplitError, split_code


def texts(code: bytes) -> list[bytes]:
    return [token.text for token in tokens(code)]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (b"return 'x'", [b"return", b"'x'"]),
        (b"a..b...c", [b"a", b"..", b"b", b"...", b"c"]),
        (b"1..2", [b"1..2"]),
        (b"0x1Fp+4-3e-2", [b"0x1Fp+4", b"-", b"3e-2"]),
        (b"x==y~=z<=w>=v", [b"x", b"==", b"y", b"~=", b"z", b"<=", b"w", b">=", b"v"]),
        (b"[==[ ]] ]==] [[y]]", [b"[==[ ]] ]==]", b"[[y]]"]),
        (b"a[b[1]]", [b"a", b"[", b"b", b"[", b"1", b"]", b"]"]),
        (rb"'it\'s' \"", None),
        (rb"'it\'s'", [rb"'it\'s'"]),
        (
            b"x -- note\ny --[[ long\n note ]] z",
            [b"x", b"-- note", b"y", b"--[[ long\n note ]]", b"z"],
        ),
        (b"goto a ::a::", [b"goto", b"a", b"::", b"a", b"::"]),
        (b";", [b";"]),
    ],
)
def test_tokens(code: bytes, expected: list[bytes] | None) -> None:
    if expected is None:
        with pytest.raises(LexError):
            texts(code)
    else:
        assert texts(code) == expected


def test_token_positions_count_lines_and_columns_from_one() -> None:
    found = [(t.text, t.line, t.column) for t in tokens(b"a\n  b [[\n]] c\r\nd")]
    assert found == [(b"a", 1, 1), (b"b", 2, 3), (b"[[\n]]", 2, 5), (b"c", 3, 4), (b"d", 4, 1)]


def test_keywords_are_told_from_names() -> None:
    assert [t.kind for t in tokens(b"end ends")] == [Kind.KEYWORD, Kind.NAME]


@pytest.mark.parametrize("code", [b"'abc", b"[[abc", b"--[[abc", b"a ? b", b"'a\nb'"])
def test_unfinished_or_foreign_tokens_are_refused(code: bytes) -> None:
    with pytest.raises(LexError):
        texts(code)


def test_short_code_is_one_string() -> None:
    assert split_code(b"pickrandom({'192.0.2.1'})") == [b"pickrandom({'192.0.2.1'})"]


def test_cuts_stand_between_tokens() -> None:
    assert split_code(b"aaaa+bbbb+cccc", 6) == [b"aaaa+", b"bbbb+", b"cccc"]


def test_a_needed_blank_stays_with_one_string() -> None:
    assert split_code(b"return 'x'", 7) == [b"return ", b"'x'"]
    assert split_code(b"return 'x'", 6) == [b"return", b" 'x'"]


def test_no_string_is_only_blanks() -> None:
    assert split_code(b"aaaa" + b" " * 30 + b"bbbb", 5) == [b"aaaa ", b"bbbb"]
    assert split_code(b"aaaaa ", 5) == [b"aaaaa"]


def test_a_token_that_fits_no_string_is_an_error_with_its_place() -> None:
    with pytest.raises(SplitError, match="a string of 302 octets") as caught:
        split_code(b"return\n  '" + b"x" * 300 + b"'")
    assert (caught.value.offset, caught.value.line, caught.value.column) == (9, 2, 3)


def test_code_that_is_not_lua_is_an_error_with_its_place() -> None:
    with pytest.raises(SplitError, match="without an end") as caught:
        split_code(b"x" * 10 + b" = 'abc" + b" " * 300)
    assert caught.value.column == 14


def test_a_long_comment_may_be_cut_between_words() -> None:
    code = b"x --[[ " + b"word " * 100 + b"]] y"
    assert b"".join(split_code(code)) == code


words = st.sampled_from(
    [
        b"return",
        b"local",
        b"x",
        b"'a b'",
        b"12",
        b"..",
        b"==",
        b"(",
        b")",
        b"[[ long ]]",
        b";",
        b"0x1F",
    ]
)
gaps = st.sampled_from([b" ", b"  ", b" " * 20, b"\n"])


@settings(max_examples=200)
@given(st.lists(st.tuples(words, gaps), min_size=1, max_size=60), st.integers(12, 40))
def test_both_ways_of_joining_give_the_same_tokens(
    parts: list[tuple[bytes, bytes]], limit: int
) -> None:
    code = b"".join(word + gap for word, gap in parts)
    strings = split_code(code, limit)
    assert all(len(string) <= limit and string.strip() for string in strings)
    assert texts(b"".join(strings)) == texts(b"   ".join(strings)) == texts(code)


@settings(max_examples=100)
@given(st.lists(words, min_size=1, max_size=60), st.integers(12, 40))
def test_with_single_blanks_only_a_final_blank_can_be_lost(parts: list[bytes], limit: int) -> None:
    code = b" ".join(parts)
    assert b"".join(split_code(code, limit)) == code

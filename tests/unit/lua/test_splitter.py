"""Code survives a transfer when it is cut only where a blank may or may not be."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.lua.program import Program
from lzc.lua.syntax.lexer import lex
from lzc.lua.transfer.rewriter import SplitError, split_code
from tests.unit.lua_programs import Programs


def texts(code: bytes) -> list[bytes]:
    tokens = lex(code)
    return [tokens.text(i) for i in range(len(tokens.types))]


def fewest(code: bytes, limit: int) -> int:
    """The fewest strings, found by trying every set of cuts that keeps tokens whole."""
    tokens = lex(code)
    cuts = sorted({*tokens.starts, *tokens.ends, 0, len(code)})
    best = {0: 0}
    for end in cuts[1:]:
        counts = [
            best[start] + 1
            for start in cuts
            if start in best and 0 < end - start <= limit and code[start:end].strip()
        ]
        if counts:
            best[end] = min(counts)
    return best[len(code)]


def test_short_code_is_one_string() -> None:
    assert split_code(b"pickrandom({'192.0.2.1'})") == [b"pickrandom({'192.0.2.1'})"]
    assert split_code(b"x" * 255) == [b"x" * 255]
    assert split_code(b"") == [b""]


def test_cuts_stand_between_tokens() -> None:
    assert split_code(b"aaaa+bbbb+cccc", 6) == [b"aaaa+", b"bbbb+", b"cccc"]


def test_a_needed_blank_stays_with_one_string() -> None:
    assert split_code(b"return x", 7) == [b"return ", b"x"]
    assert split_code(b"return xx", 6) == [b"return", b" xx"]


def test_a_blank_that_would_stand_alone_takes_a_token_along() -> None:
    # "a+b" fills a string, but the blank behind it cannot share one with "cccc".
    assert split_code(b"a+b cccc", 4) == [b"a+b ", b"cccc"]
    assert split_code(b"a+bb cccc", 4) == [b"a+", b"bb ", b"cccc"]


def test_literals_are_never_cut() -> None:
    code = b"'" + b"x y " * 60 + b"'..'" + b"z w " * 60 + b"'"
    assert split_code(code) == [b"'" + b"x y " * 60 + b"'..", b"'" + b"z w " * 60 + b"'"]


def test_a_token_that_fits_no_string_is_an_error_with_its_place() -> None:
    with pytest.raises(SplitError, match="302 octets that cannot be cut") as caught:
        split_code(b"return'" + b"x" * 300 + b"'")
    assert caught.value.offset == 6


def test_code_that_is_not_lua_is_an_error_with_its_place() -> None:
    with pytest.raises(SplitError, match="no closing") as caught:
        split_code(b"x" * 10 + b"='abc" + b" " * 300)
    assert caught.value.offset == 11


@settings(max_examples=100)
@given(st.integers(0, 2**64), st.sampled_from([255, 255, 300, 400]))
def test_the_fewest_strings_that_both_rules_join_to_the_same_tokens(seed: int, limit: int) -> None:
    code = Program(Programs(seed).record(), 1).rewritten
    strings = split_code(code, limit)
    assert b"".join(strings) == code
    assert all(len(string) <= limit and string.strip() for string in strings)
    assert texts(b"   ".join(strings)) == texts(code)
    assert len(strings) == fewest(code, limit)
    assert split_code(code, limit) == strings


words = st.lists(st.sampled_from([b"return", b"local", b"xy", b"'a b'", b"12", b"..", b"("]))


@settings(max_examples=300)
@given(words, st.integers(7, 20))
def test_the_fewest_strings_where_they_hold_few_tokens(parts: list[bytes], limit: int) -> None:
    code = b" ".join(parts)
    strings = split_code(code, limit)
    assert b"".join(strings) == code
    assert not code or all(string.strip() for string in strings)
    assert texts(b"   ".join(strings)) == texts(code)
    if code:
        assert len(strings) == fewest(code, limit)

"""Rewritten code means what it meant, in octets that every secondary keeps."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lzc.lua.program import Program
from lzc.lua.syntax.lexer import lex
from lzc.lua.syntax.tree import LuaSyntaxError
from lzc.lua.transfer.rewriter import MAX_TOKEN, RewriteError
from tests.unit.lua_outcome import LUA, in_lua51, in_luajit, program, transferred
from tests.unit.lua_programs import Programs
from tests.unit.lua_running import Runner

A = 1
CORPUS = sorted((Path(__file__).parent / "lua_corpus").glob("*.lua"))


def rewritten(code: bytes, covered: int) -> bytes:
    return Program(code, covered).rewritten


def same(code: bytes, covered: int = A) -> bytes:
    """The outcome, the same before a transfer and after it by each rule of joining."""
    wanted = in_luajit(program(code, covered))
    assert [in_luajit(program(sent, covered)) for sent in transferred(code, covered)] == [
        wanted
    ] * 2
    return wanted


@pytest.mark.difference("D-32")
@pytest.mark.parametrize(
    ("code", "wanted"),
    [
        (
            b"pickrandom( { '192.0.2.1' ,\n  '192.0.2.2' } )",
            b"pickrandom({'192.0.2.1','192.0.2.2'})",
        ),
        (b"; return  'x' -- why", b";return'x'"),
        (b";local a = 1 --[[ x\n ]] return a", b";local a=1 return a"),
        (b'f"x"', b"f'x'"),
        (b'"it\'s"', b"[[it's]]"),
        (b'a["it\'s"]', b"a[ [[it's]]]"),
        (b'"it\'s [[x]]"', b"[=[it's [[x]]]=]"),
        (b'"it\'s]"', b"[=[it's]]=]"),
        (b"[[plain]]", b"[[plain]]"),
        (b"'a\\065'", b"'aA'"),
        (b"'a\\nb'", b"('a'..('').char(10)..'b')"),
        (b"'\\n'", b"('').char(10)"),
        (b"f'a\\nb'", b"f(('a'..('').char(10)..'b'))"),
        (b"f'\\n'", b"f(('').char(10))"),
        (b'\'say "a" and "b"\'', b"(('say ~034a~034 and ~034b~034'):gsub('~(%d%d%d)',('').char))"),
        (b"1 .. 2", b"1 ..2"),
        (b"1. .. .5", b"1. .. .5"),
        (b"x1 .. y", b"x1..y"),
        (b"0x1F ..'x'", b"0x1F ..'x'"),
        (b"- - x", b"- -x"),
        (b"a - -1", b"a- -1"),
        (b"a[ [[k]] ]", b"a[ [[k]]]"),
        (b"[ [x]]".replace(b" ", b""), b"[[x]]"),
        (b"3. and 4", b"3. and 4"),
        (b"#a == 1 and not b", b"#a==1 and not b"),
        (b";a = b\n;(f)()", b";a=b;(f)()"),
        (b";a = '\\1' (f)()", b";a=('').char(1);(f)()"),
        (b";goto x ::x:: goto = goto", b";goto x::x::goto=goto"),
        (b";a={[ '\\1' ]=[[\r\nx\r\ny]]}", b";a={[('').char(1)]=('x'..('').char(10)..'y')}"),
        (b";;", None),
        (b"-- nothing", b""),
        (b" ; ", b""),
        (b";", b";"),
    ],
)
def test_the_rewritten_form(code: bytes, wanted: bytes | None) -> None:
    if wanted is None:
        with pytest.raises(LuaSyntaxError):
            rewritten(code, A)
    else:
        assert rewritten(code, A) == wanted
        assert rewritten(wanted, A) == wanted


def test_code_that_covers_lua_is_a_chunk_without_a_mark() -> None:
    assert rewritten(b"x = 1\ny = 2", LUA) == b"x=1 y=2"
    with pytest.raises(LuaSyntaxError, match="starts without ';'"):
        rewritten(b"; x = 1", LUA)
    assert rewritten(b"\xef\xbb\xbfx = 1", LUA) == b"x=1"


def test_a_literal_too_long_for_a_string_is_a_concatenation() -> None:
    code = b"#'" + b"x" * 1000 + b"' .. 'y'"
    assert all(end - start <= MAX_TOKEN for start, end in spans(rewritten(code, A)))
    assert same(code) == b"'1000y'"


def spans(code: bytes) -> list[tuple[int, int]]:
    tokens = lex(code)
    return list(zip(tokens.starts, tokens.ends, strict=True))


def test_a_literal_of_every_octet() -> None:
    octets = b"".join([b"\\%03d" % octet for octet in range(256)] * 20)
    same(b"('" + octets + b"'):rep(2), #'" + octets + b"'")


def test_the_library_may_be_shadowed_where_a_literal_stands() -> None:
    assert same(b";local string, char, tostring = 1, 2 return '\\1' .. \"'\\2\"") == b"'\\1\\39\\2'"


@pytest.mark.parametrize(
    "code",
    [
        b"caf\xc3\xa9()",
        b"{\xc3\xa9=1}",
        b";goto \xc3\xa9 ::\xc3\xa9::",
        b"x" * (MAX_TOKEN + 1),
        b"1" * (MAX_TOKEN + 1),
        b"'a' .. " + b"x" * (MAX_TOKEN + 1),
    ],
)
def test_what_has_no_form_that_survives_is_an_error_with_its_place(code: bytes) -> None:
    with pytest.raises(RewriteError) as caught:
        rewritten(code, A)
    assert "letters beyond ASCII" in str(caught.value) or "octets; at most" in str(caught.value)
    assert caught.value.offset in (0, 1, 6, 7)


def test_syntax_errors_are_the_parsers() -> None:
    with pytest.raises(LuaSyntaxError, match="expected at the end") as caught:
        rewritten(b"f(1,\n2", A)
    assert (caught.value.offset, caught.value.opened) == (6, 1)


def test_a_record_nested_as_deep_as_can_be_has_no_room_for_more() -> None:
    assert rewritten(b"(" * 190 + b"'\\n'" + b")" * 190, A)
    with pytest.raises(RewriteError, match="nested too deep"):
        rewritten(b"(" * 197 + b"'a\\n'" + b")" * 197, A)


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_real_life_code_does_the_same_behind_a_transfer(path: Path) -> None:
    code = path.read_bytes()
    covered = LUA if path.stem.startswith("include_") else A
    assert same(code, covered) not in (b"error", b"does not load")
    plain = in_lua51(program(code, covered))
    if plain != b"does not load":
        sent = transferred(code, covered)
        assert [in_lua51(program(each, covered)) for each in sent] == [plain] * 2


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 40
    assert max(path.stat().st_size for path in CORPUS) > 4096


@settings(max_examples=250)
@given(st.integers(0, 2**64))
def test_generated_programs_do_in_lua51_what_they_did(seed: int) -> None:
    code = Programs(seed).record()
    plain = in_lua51(program(code))
    assert plain != b"does not load"
    assert [in_lua51(program(sent)) for sent in transferred(code)] == [plain] * 2
    same(code)


@settings(max_examples=250)
@given(st.integers(0, 2**64))
def test_generated_programs_with_luajits_additions_do_what_they_did(seed: int) -> None:
    assert same(Programs(seed, jit=True).record()) != b"does not load"


@settings(max_examples=250)
@given(st.integers(0, 2**64), st.booleans())
def test_a_rewritten_program_rewrites_to_itself(seed: int, plain: bool) -> None:
    once = rewritten(Programs(seed, plain=plain).record(), A)
    assert rewritten(once, A) == once


@settings(max_examples=250)
@given(st.integers(0, 2**64))
def test_plain_code_takes_the_short_way_to_the_same_result(seed: int) -> None:
    code = Programs(seed, plain=True).record()
    # A comment forbids the short way and leaves nothing else behind.
    assert rewritten(code, A) == rewritten(code + b" -- ", A)
    same(code)


def test_constructed_literals_work_where_records_run() -> None:
    text = "Zürich \"Süd\" – it's 100% \\ 'x' ~ 12\n".encode()
    octets = b",".join([b"%d" % octet for octet in text])
    literal = b"'" + b"".join([b"\\%03d" % octet for octet in text]) + b"'"
    code = rewritten(literal + b" == string.char(" + octets + b") and 'same' or 'other'", A)
    assert b"gsub" in code
    assert Runner()(code.decode()) == ["same"]
    assert Runner()(rewritten(b"#'a\\n' == 2 and 'same'", A).decode()) == ["same"]
